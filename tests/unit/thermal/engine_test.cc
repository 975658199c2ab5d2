#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/guard/thermal/model_file.h"
#include "agent/guard/thermal/model_fit.h"
#include "tests/unit/thermal/machine.h"

namespace firebreak::guard::thermal {
namespace {

using ::testing::HasSubstr;

/// A supervised heat-up of one heater of the tests' own plant: rest, heat, hold, cool.
std::vector<HeatUpSample> heat_up(Plant& plant, double target, double hold_s) {
  std::vector<HeatUpSample> samples;
  double t = 0;
  const auto live = [&](double seconds) {
    for (const double end = t + seconds; t < end; t += 0.1) {
      plant.step(0.1);
      if (samples.empty() || t - samples.back().t_s >= 0.999) {
        samples.push_back({static_cast<float>(t), static_cast<float>(plant.read()),
                           static_cast<float>(plant.target), static_cast<float>(plant.duty()), 0,
                           0});
      }
    }
  };
  live(20);
  plant.target = target;
  while (plant.truth() < target - 3 && t < 3000) live(1);
  live(hold_s);
  plant.target = 0;
  live(60);
  return samples;
}

PlantShape plain_hotend() {
  PlantShape shape;
  shape.kelvin_per_s = 3.5;
  return shape;
}

PlantShape plain_bed() {
  PlantShape shape;
  shape.kelvin_per_s = 0.8;
  shape.loss_tau_s = 500;
  return shape;
}

HeaterModel learned_hotend() {
  Plant plant(plain_hotend(), 3);
  return fit_heater_model(test_profile().heaters[0], heat_up(plant, 215, 120)).value();
}

/// A hotend whose model was learned, at its target; then something happens to it.
class Learned : public ::testing::Test {
 protected:
  Learned() {
    diary.monitor.use(0, learned_hotend());
    plant.target = 215;
    live(400);
  }

  void live(double seconds) {
    for (int i = 0; i < static_cast<int>(seconds * 10 + 0.5); ++i) {
      plant.step(0.1);
      diary.now_ns += seconds_ns(0.1);
      if (++ticks_ % 10 == 0) {
        diary.hotend(static_cast<float>(plant.read()), static_cast<float>(plant.target),
                     says_duty ? static_cast<float>(plant.duty()) : unknown);
        diary.bed(25, 0, 0);
        diary.readings.fan = static_cast<float>(plant.fan);
        diary.readings.flow_mm3_per_s = 0;
      }
      diary.step();
    }
  }
  /// Lets it cool, and heats it until it shows `celsius`.
  void heat_again(double celsius) {
    plant.target = 0;
    live(600);
    plant.target = 215;
    while (plant.truth() < celsius) live(0.1);
  }
  /// Seconds from now to the first trip; 0 if none comes in ten minutes.
  double until_trip() {
    const double from = diary.seconds();
    while (diary.trip().level == Level::none && diary.seconds() < from + 600) live(0.5);
    return diary.trip().level == Level::none ? 0 : diary.trip().at_s - from;
  }

  Plant plant{plain_hotend(), 5};
  Diary diary;
  bool says_duty = true;

 private:
  int ticks_ = 0;
};

TEST_F(Learned, AHealthyHotendIsQuiet) {
  live(1200);
  plant.fan = 1;
  live(300);
  plant.target = 190;
  live(300);
  plant.target = 0;
  live(600);
  EXPECT_TRUE(diary.told.empty()) << diary.story();
}

TEST_F(Learned, AStuckSwitchIsUnexplainedHeat) {
  plant.welded = true;
  EXPECT_LE(until_trip(), 14) << diary.story();
  EXPECT_EQ(diary.trip().rule, Rule::power_unexplained) << diary.story();
  EXPECT_EQ(diary.trip().cause, Cause::stuck_on);
  EXPECT_FALSE(diary.monitor.doubted(0)) << "the sensor is believed";
  EXPECT_THAT(diary.trip().text, HasSubstr("unexplained"));
}

TEST_F(Learned, AnOpenHeaterIsMissingPower) {
  plant.open = true;
  EXPECT_LE(until_trip(), 25) << diary.story();
  EXPECT_EQ(diary.trip().rule, Rule::power_missing) << diary.story();
  EXPECT_TRUE(diary.monitor.doubted(0)) << "it may as well be the sensor";
}

/// What a heater is called that dies in its heat-up, where a host asks `apart_s` after the firmware
/// has reported by itself.
Rule dead_in_heat_up(const HeaterModel& model, bool hotend, double apart_s, std::uint64_t seed) {
  Plant plant(hotend ? plain_hotend() : plain_bed(), seed);
  Diary diary;
  diary.monitor.use(hotend ? 0 : 1, model);
  const auto report = [&](double after_s) {
    for (int i = 0; i < 10; ++i) plant.step(after_s / 10);
    diary.now_ns += seconds_ns(after_s);
    diary.report(hotend ? 0 : 1, static_cast<float>(plant.read()), static_cast<float>(plant.target),
                 static_cast<float>(plant.duty()));
    diary.report(hotend ? 1 : 0, 25, 0, 0);
    diary.step();
  };
  plant.target = hotend ? 200 : 60;
  for (int i = 0; i < 100 && diary.trip().level == Level::none; ++i) {
    plant.open = plant.open || plant.truth() > (hotend ? 80 : 35);
    report(1 - apart_s);
    report(apart_s);
  }
  return diary.trip().rule;
}

TEST(TwoReportsAtOnce, TheirNoiseMakesNoSensorThatFellOutOfAnOpenHeater) {
  const auto hotend = learned_hotend();
  Plant plant(plain_bed(), 9);
  const auto bed = fit_heater_model(test_profile().heaters[1], heat_up(plant, 60, 240)).value();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const double apart_s : {0.02, 0.25}) {
      EXPECT_EQ(dead_in_heat_up(hotend, true, apart_s, seed), Rule::power_missing) << seed;
      EXPECT_EQ(dead_in_heat_up(bed, false, apart_s, seed), Rule::power_missing) << seed;
    }
  }
}

TEST_F(Learned, ASensorThatFellOutIsToldFromAnOpenHeater) {
  plant.sensor_out = true;
  EXPECT_LE(until_trip(), 5) << diary.story();
  EXPECT_TRUE(diary.has(Rule::power_sensor_out)) << diary.story();
  EXPECT_FALSE(diary.has(Rule::power_missing)) << diary.story();
}

TEST_F(Learned, AFrozenReadingAtItsTargetIsFound) {
  live(600);
  plant.frozen = true;
  EXPECT_LE(until_trip(), 18) << diary.story();
  EXPECT_EQ(diary.trip().rule, Rule::still) << diary.story();
}

TEST_F(Learned, AReadingThatStopsOnItsWayIsFrozen) {
  heat_again(150);
  plant.frozen = true;
  EXPECT_LE(until_trip(), 6) << diary.story();
  EXPECT_TRUE(diary.has(Rule::still) || diary.has(Rule::power_missing)) << diary.story();
}

TEST_F(Learned, AReadingPinnedUnderItsTargetIsFound) {
  heat_again(215 - 3);
  plant.frozen = true;
  EXPECT_LE(until_trip(), 12) << diary.story();
}

TEST_F(Learned, AStuckSwitchInAHeatUpIsCutBeforeTheBlockIsFarOver) {
  heat_again(120);
  plant.welded = true;
  EXPECT_GT(until_trip(), 0) << diary.story();
  EXPECT_LT(plant.truth(), 215 + 25) << diary.story();
}

TEST_F(Learned, AHeatUpAgainIsQuiet) {
  heat_again(210);
  live(600);
  EXPECT_TRUE(diary.told.empty()) << diary.story();
}

TEST_F(Learned, AFrozenReadingAtDutyZeroIsFound) {
  // The reading stopped a little above its target: the controller takes all power away.
  live(600);
  while (plant.read() < 215.1) live(0.1);
  plant.frozen = true;
  live(2);
  EXPECT_LE(until_trip(), 30) << diary.story();
}

TEST_F(Learned, ASingleSpikeIsNoFault) {
  for (int i = 0; i < 5; ++i) {
    diary.hotend(120, 215, 0.3F), diary.step();
    live(120);
  }
  EXPECT_EQ(diary.trip().level, Level::none) << diary.story();
}

TEST_F(Learned, ASlowFaultIsNeverLearnedAway) {
  // The loss may be scaled, but not so far that half of the power is explained by it.
  plant.welded = true;
  plant.welded_duty = 0.75;
  EXPECT_GT(until_trip(), 0) << diary.story();
  EXPECT_GE(diary.state.heaters[0].plant.loss_scale, 1 - loss_scale_at_most);
}

TEST_F(Learned, WithoutDutyFarFromTheTargetTheDutyIsAssumedAndTheVerdictSaysSo) {
  says_duty = false;
  live(60);
  plant.welded = true;
  EXPECT_LE(until_trip(), 40) << diary.story();
}

TEST_F(Learned, WatchModeMutesTheModelButTellsOfIt) {
  diary.input.mute_model = true;
  plant.open = true;
  live(20);
  EXPECT_TRUE(diary.has(Rule::power_missing)) << diary.story();
  EXPECT_EQ(diary.last_trips & bit(Cause::heater_open), 0U) << "muted";
  EXPECT_FALSE(diary.monitor.doubted(0)) << "a muted verdict doubts nothing";
}

TEST_F(Learned, TheEvidenceWindowHoldsTheLastReadings) {
  std::array<EvidenceSample, 64> window;
  const auto count = diary.monitor.evidence(0, window);
  ASSERT_EQ(count, Evidence::size);
  EXPECT_EQ(window[count - 1].at_ns, diary.readings.heaters[0].celsius_at_ns);
  EXPECT_GE(seconds_since(window[0].at_ns, window[count - 1].at_ns), 60);
  for (std::size_t i = 1; i < count; ++i) EXPECT_LT(window[i - 1].at_ns, window[i].at_ns);
  EXPECT_NEAR(window[count - 1].celsius, 215, 3);
}

TEST_F(Learned, DamagedModelStateIsRepairedAndStillSeesTheFault) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    auto* bytes = reinterpret_cast<unsigned char*>(&diary.state.heaters[0].plant);
    for (std::size_t i = 0; i < sizeof(PlantState) + sizeof(UnexplainedPowerState); ++i) {
      if (random() % 3 == 0) bytes[i] = static_cast<unsigned char>(random());
    }
    live(5);
  }
  live(120);
  diary.told.clear();
  plant.welded = true;
  EXPECT_GT(until_trip(), 0);
  EXPECT_LE(until_trip(), 60) << diary.story();
}

TEST(Fit, FindsTheRiseTheLossAndTheLagOfARun) {
  Plant plant(plain_hotend(), 1);
  const auto model = fit_heater_model(test_profile().heaters[0], heat_up(plant, 215, 120));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_NEAR(model->rise_kelvin_per_s, 3.5, 0.3);
  // 100 K above the room at tau 120 s.
  EXPECT_NEAR(still_loss(*model, 215, 24), 191 / 120.0, 0.3);
  EXPECT_NEAR(model->heater_lag_s + model->sensor_lag_s, 1.9, 1.0);
  EXPECT_EQ(model->learned, 1U);
}

TEST(Fit, SucceedsOnEveryPlainMachine) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    std::mt19937_64 random(seed);
    for (const auto kind : {HeaterKind::hotend, HeaterKind::bed}) {
      auto shape = random_shape(kind, random);
      if (shape.quantum > 0.5) continue;
      Plant plant(shape, seed);
      const bool hotend = kind == HeaterKind::hotend;
      const auto model = fit_heater_model(test_profile().heaters[hotend ? 0 : 1],
                                          heat_up(plant, hotend ? 210 : 60, 180));
      EXPECT_TRUE(model) << seed << ": " << model.error().message;
    }
  }
}

TEST(Fit, RefusesARunThatIsTooShort) {
  const std::vector<HeatUpSample> samples(10, HeatUpSample{0, 25, 200, 1, 0, 0});
  const auto model = fit_heater_model(test_profile().heaters[0], samples);
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("hotend: only"));
}

TEST(Fit, RefusesARunThatStartsHot) {
  Plant plant(plain_hotend(), 1);
  auto samples = heat_up(plant, 215, 60);
  for (auto& sample : samples) sample.celsius += 60;
  const auto model = fit_heater_model(test_profile().heaters[0], samples);
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("let it cool"));
}

TEST(Fit, RefusesAHeaterThatIsStrongerThanItsProfile) {
  auto shape = plain_hotend();
  shape.kelvin_per_s = 9;
  Plant plant(shape, 1);
  const auto model = fit_heater_model(test_profile().heaters[0], heat_up(plant, 215, 60));
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("the profile says at most"));
}

TEST(Fit, RefusesWattsThatTheMassCannotTake) {
  auto profile = test_profile().heaters[0];
  profile.heater_watts = 40;
  profile.heated_mass_grams = 100;
  Plant plant(plain_hotend(), 1);
  const auto model = fit_heater_model(profile, heat_up(plant, 215, 60));
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("40 W in 100 g"));
}

TEST(Fit, RefusesARunThatWasDisturbed) {
  Plant plant(plain_hotend(), 1);
  auto samples = heat_up(plant, 215, 120);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    // The duty of another heater.
    samples[i].duty = i / 40 % 2 == 0 ? 1.0F : 0.0F;
  }
  EXPECT_FALSE(fit_heater_model(test_profile().heaters[0], samples));
}

TEST(ModelFile, KeepsEveryNumber) {
  const ModelSet models{{"hotend", learned_hotend()}};
  const auto again = models_from_json(to_json(models));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again), to_json(models));
  EXPECT_EQ(again->at("hotend").learned, 1U);
}

TEST(ModelFile, RefusesWhatNoHeaterHas) {
  auto document = to_json({{"hotend", learned_hotend()}});
  auto impossible = document;
  impossible["heaters"]["hotend"]["rise_kelvin_per_s"] = 1e9;
  EXPECT_FALSE(models_from_json(impossible));
  auto missing = document;
  missing["heaters"]["hotend"].erase("loss_kelvin_per_s");
  EXPECT_FALSE(models_from_json(missing));
  document["version"] = 2;
  EXPECT_FALSE(models_from_json(document));
  EXPECT_FALSE(models_from_json(nlohmann::json::array()));
}

TEST(Model, ASenselessOneLeavesTheWidePriors) {
  HeaterModel wrong;
  wrong.learned = 1;
  ThermalState state;
  const auto profile = test_profile();
  ThermalMonitor monitor(profile, state, std::array{wrong, wrong});
  EXPECT_EQ(monitor.model(0).learned, 0U);
  EXPECT_TRUE(sane(monitor.model(0)));
}

TEST(Model, TheWidePriorsOfEveryKindAreSane) {
  auto heater = test_profile().heaters[0];
  for (const auto kind : {HeaterKind::hotend, HeaterKind::bed, HeaterKind::chamber}) {
    heater.kind = kind;
    EXPECT_TRUE(sane(wide_model(heater)));
  }
}

TEST(Supply, BothHeatersMissingPowerIsTheSupplyNotTwoHeaters) {
  Plant hotend(plain_hotend(), 1);
  Plant bed(plain_bed(), 2);
  Diary diary;
  diary.monitor.use(0, learned_hotend());
  Plant again(plain_bed(), 9);
  const auto bed_model = fit_heater_model(diary.profile.heaters[1], heat_up(again, 60, 240));
  ASSERT_TRUE(bed_model) << bed_model.error().message;
  diary.monitor.use(1, *bed_model);
  hotend.target = 215;
  bed.target = 60;
  for (int i = 0; i < 4300; ++i) {
    hotend.step(0.1), bed.step(0.1);
    diary.now_ns += seconds_ns(0.1);
    // A host's view of a supply that is off while both heat up.
    hotend.open = bed.open = i >= 150;
    if (i % 10 == 0) {
      diary.hotend(static_cast<float>(hotend.read()), 215, static_cast<float>(hotend.duty()));
      diary.bed(static_cast<float>(bed.read()), 60, static_cast<float>(bed.duty()));
    }
    diary.step();
    if (i == 350) {
      EXPECT_TRUE(diary.has(Rule::supply_fell)) << diary.story();
    }
  }
  EXPECT_FALSE(diary.has(Rule::power_missing) && diary.trip().rule == Rule::power_missing)
      << diary.story();
}

}  // namespace
}  // namespace firebreak::guard::thermal
