// Supervised heat-ups and learning from prints, on virtual time: the tests' own plants behind a
// link that does what it is told, the guard's own monitor beside them.

#include <gmock/gmock.h>

#include <charconv>
#include <filesystem>
#include <fstream>

#include "agent/guard/commission/commissioner.h"
#include "agent/guard/monitor/printer_monitor.h"
#include "tests/unit/guard_core/guard_fixture.h"
#include "tests/unit/thermal/plant.h"

namespace firebreak::guard::commission {
namespace {

using machine::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using thermal::Plant;
using thermal::PlantShape;

constexpr int own_pid = 4711;

PlantShape hotend_shape() { return {3.5, 160, 0.6, 1.2, 0.05, 0.01, 0.3, false}; }
PlantShape bed_shape() { return {0.9, 600, 2, 3, 0.03, 0.01, 0.05, false}; }

/// p1 of GuardCase: its plants, its link, its monitor and its commissioner.
class CommissionTest : public GuardCase {
 protected:
  void SetUp() override {
    GuardCase::SetUp();
    folder_ = std::filesystem::temp_directory_path() /
              ("commission-" + std::to_string(getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    rebuild({});
    p1().shared.link_state.store(LinkState::ready);
    run(3);
  }
  void TearDown() override {
    commissioner.reset();
    std::filesystem::remove_all(folder_);
    GuardCase::TearDown();
  }

  /// A guard starts with this profile: its commissioner first, then its monitor.
  void rebuild(const std::function<void(PrinterConfig&)>& change) {
    commissioner.reset();
    monitor.reset();
    GuardConfig config = core->config;
    config.state_dir = folder_;
    for (auto& heater : config.printers[0].profile.heaters) {
      heater.usual_celsius = heater.kind == HeaterKind::hotend ? 210 : 60;
      if (heater.kind == HeaterKind::bed) heater.fastest_rise_kelvin_per_s = 2;
    }
    config.printers[0].profile.fan_is_not_heatbreak = true;
    if (change) change(config.printers[0]);
    auto fresh = std::make_unique<GuardCore>(config);
    fresh->stop_event = core->stop_event;
    fresh->board = std::move(core->board);
    fresh->mapped = std::move(core->mapped);
    fresh->printers.push_back(std::make_unique<PrinterRuntime>(config.printers[0], 0));
    fresh->printers[0]->mapped = &fresh->mapped->layout().printers[0];
    loop.reset();
    core = std::move(fresh);
    arm(p1());
    p1().shared.link_state.store(LinkState::ready);
    commissioner = std::make_unique<Commissioner>(*core, commission_events, clock);
    monitor = std::make_unique<PrinterMonitor>(*core, p1(), memory, monitor_events, samples, clock);
  }
  PrinterRuntime& p1() { return *core->printers[0]; }

  /// What the link does with the guard's orders, and the firmware with them.
  void obey() {
    OwnOrder order;
    p1().shared.own_order.load(order);
    if (order.serial == obeyed || p1().shared.commissioning.load() == 0) return;
    obeyed = order.serial;
    const std::string line = order.line;
    orders.push_back(line);
    double value = 0;
    const auto at = line.find('S');
    if (at != std::string::npos) value = std::stod(line.substr(at + 1));
    if (line.starts_with("M104")) hotend.target = value;
    if (line.starts_with("M140")) bed.target = value;
    if (line.starts_with("M106")) hotend.fan = bed.fan = value / 255;
    if (line.starts_with("M107")) hotend.fan = bed.fan = 0;
    p1().shared.own_order_done.store(order.serial);
  }
  void report() {
    const auto say = [&](std::size_t i, Plant& plant) {
      auto& reading = readings.heaters[i];
      const auto duty = static_cast<float>(std::round(plant.duty() * 127) / 127);
      reading = {static_cast<float>(plant.read()),
                 static_cast<float>(plant.target),
                 duty,
                 now_ns,
                 now_ns,
                 reading.reports + 1};
    };
    say(0, hotend);
    say(1, bed);
    readings.fan = static_cast<float>(hotend.fan);
    readings.line_at_ns = readings.temperature_at_ns = now_ns;
    p1().shared.readings.store(readings);
  }
  /// Time goes by: plants, a report each second, link, monitor and commissioner at 10 Hz. Returns
  /// the causes that the monitor raised; a cause latches the printer, as the estop thread would.
  CauseSet run(double seconds) {
    CauseSet raised = 0;
    for (int i = 0; i < static_cast<int>(seconds * 10 + 0.5); ++i) {
      now_ns += 100 * millisecond;
      clock.advance(std::chrono::milliseconds{100});
      hotend.step(0.1);
      bed.step(0.1);
      if (++tenths % 10 == 0) report();
      obey();
      if (watches && tenths % 5 == 0) (void)commissioner->progress(p1(), own_pid);
      if (confirms && tenths % 500 == 0) (void)commissioner->confirm(p1());
      monitor->step(now_ns);
      raised |= p1().shared.trips.exchange(0);
      if (raised != 0 && p1().memory.state == State::armed) {
        p1().memory.state = State::tripped;
        p1().memory.causes = raised;
        p1().memory.stopped_ns = now_ns;
        p1().seen.store(p1().memory);
        hotend.target = bed.target = 0;
      }
      commissioner->step(now_ns);
    }
    return raised;
  }
  nlohmann::json look() { return commissioner->progress(p1(), own_pid); }
  void begin() { ASSERT_TRUE(commissioner->begin(p1(), own_pid)); }
  ModelsInUse in_use() {
    ModelsInUse models;
    p1().models.load(models);
    return models;
  }
  ModelNotes notes() {
    ModelNotes found{};
    p1().model_notes.load(found);
    return found;
  }
  std::filesystem::path model_file() const { return folder_ / "models" / "p1.json"; }
  /// A whole heat-up with a person who stays.
  nlohmann::json commission() {
    begin();
    for (int i = 0; i < 40 && look()["running"].get<bool>(); ++i) run(60);
    return look()["result"];
  }
  /// A host prints: heats as slicers do, stays for ten minutes, ends.
  void print() {
    p1().shared.host_attached.store(1);
    readings.flow_mm3_per_s = 0;
    run(25);
    bed.target = 60;
    hotend.target = 205;
    run(700);
    bed.target = hotend.target = 0;
    run(10);
    p1().shared.host_attached.store(0);
  }

  std::filesystem::path folder_;
  Plant hotend{hotend_shape(), 1};
  Plant bed{bed_shape(), 2};
  PrinterReadings readings;
  DetectorMemory memory{};
  EventQueue commission_events{1024}, monitor_events{1024};
  SampleQueue samples{16};
  std::unique_ptr<Commissioner> commissioner;
  std::unique_ptr<PrinterMonitor> monitor;
  std::vector<std::string> orders;
  std::uint32_t obeyed = 0;
  int tenths = 0;
  bool watches = true;
  bool confirms = true;
};

TEST_F(CommissionTest, HeatsInTheOrderOfTheSafetyConceptAndLearnsEachHeater) {
  const auto result = commission();
  ASSERT_EQ(result["outcome"], "learned") << result.dump(1);
  EXPECT_THAT(orders, ElementsAre("M107", "M104 S210", "M106 S255", "M104 S0", "M107", "M140 S60",
                                  "M140 S0"));
  const auto models = in_use();
  EXPECT_EQ(models.heaters[0].learned, 1U);
  EXPECT_EQ(models.heaters[1].learned, 1U);
  EXPECT_NEAR(models.heaters[0].rise_kelvin_per_s, 3.5, 0.9);
  EXPECT_NEAR(models.heaters[1].rise_kelvin_per_s, 0.9, 0.25);
  EXPECT_EQ(p1().shared.commissioning.load(), 0U) << "the host has its port again";
  EXPECT_EQ(p1().heat_up_due_ns.load(), 0);
  EXPECT_EQ(p1().memory.state, State::armed) << "nothing tripped on the way";
}

TEST_F(CommissionTest, TheModelsOutliveTheGuard) {
  ASSERT_EQ(commission()["outcome"], "learned");
  const auto before = in_use();
  rebuild({});
  EXPECT_EQ(in_use().heaters[0].rise_kelvin_per_s, before.heaters[0].rise_kelvin_per_s);
  EXPECT_EQ(notes()[1].state, ModelNote::State::commissioned);
  EXPECT_TRUE(notes()[1].in_use);
}

TEST_F(CommissionTest, WithoutAPersonsConfirmationTheMonitorStopsThePrinter) {
  begin();
  confirms = false;
  EXPECT_EQ(run(59), 0U);
  EXPECT_GT(hotend.target, 0) << "it was heating";
  EXPECT_TRUE(has(run(2), Cause::unattended));
  run(1);
  EXPECT_EQ(look()["result"]["outcome"], "stopped");
  EXPECT_THAT(look()["result"]["reason"], HasSubstr("nobody confirmed"));
  EXPECT_EQ(in_use().heaters[0].learned, 0U);
}

TEST_F(CommissionTest, ClosingTheCommandLineEndsTheHeatInFiveSeconds) {
  begin();
  run(30);
  watches = false;
  confirms = false;
  EXPECT_TRUE(has(run(5), Cause::unattended));
  EXPECT_THAT(look()["result"]["reason"], HasSubstr("closed"));
}

TEST_F(CommissionTest, ACommissionerThatHangsIsStoppedByTheMonitorAlone) {
  begin();
  run(30);
  CauseSet raised = 0;
  for (int i = 0; i < 30; ++i) {
    now_ns += 100 * millisecond;
    monitor->step(now_ns);
    raised |= p1().shared.trips.exchange(0);
  }
  EXPECT_TRUE(has(raised, Cause::unattended));
}

TEST_F(CommissionTest, AGuardThatRestartsInTheMiddleStopsThePrinter) {
  begin();
  run(30);
  ASSERT_NE(memory.heat_up, 0U);
  // As after a kill: the runtime is new, the mapped memory is not.
  monitor.reset();
  p1().heat_up_due_ns.store(0);
  monitor = std::make_unique<PrinterMonitor>(*core, p1(), memory, monitor_events, samples, clock);
  monitor->step(now_ns);
  EXPECT_TRUE(has(p1().shared.trips.exchange(0), Cause::unattended));
}

TEST_F(CommissionTest, ADetectorsTripEndsIt) {
  begin();
  run(100);
  hotend.sensor_out = true;
  EXPECT_NE(run(60), 0U);
  run(1);
  EXPECT_EQ(look()["result"]["outcome"], "stopped");
  EXPECT_THAT(look()["result"]["reason"], HasSubstr("was stopped"));
}

TEST_F(CommissionTest, SomebodyElsesTargetEndsIt) {
  begin();
  run(60);
  ASSERT_GT(hotend.target, 0);
  hotend.target = 240;
  EXPECT_TRUE(has(run(15), Cause::unattended));
  EXPECT_THAT(look()["result"]["reason"], HasSubstr("somebody else"));
}

TEST_F(CommissionTest, AModelOutsideTheProfilesPhysicsIsRefusedWithTheReason) {
  rebuild([](PrinterConfig& printer) {
    printer.profile.heaters[0].heater_watts = 40;
    printer.profile.heaters[0].heated_mass_grams = 200;
  });
  const auto result = commission();
  EXPECT_EQ(result["outcome"], "refused");
  EXPECT_FALSE(result["heaters"][0]["learned"].get<bool>());
  EXPECT_THAT(result["heaters"][0]["why"], HasSubstr("40 W in 200 g"));
  EXPECT_TRUE(result["heaters"][1]["learned"].get<bool>());
  EXPECT_EQ(in_use().heaters[0].learned, 0U);
  EXPECT_EQ(in_use().heaters[1].learned, 1U);
}

TEST_F(CommissionTest, AChangedModelFileIsNotUsed) {
  ASSERT_EQ(commission()["outcome"], "learned");
  std::stringstream text;
  text << std::ifstream(model_file()).rdbuf();
  std::string changed = text.str();
  const auto at = changed.find("\"rise_kelvin_per_s\": ") + 21;
  changed[at] = changed[at] == '1' ? '2' : '1';
  std::ofstream(model_file(), std::ios::trunc) << changed;
  rebuild({});
  EXPECT_EQ(in_use().heaters[0].learned, 0U);
  ASSERT_FALSE(core->warnings.empty());
  EXPECT_THAT(core->warnings.front(), HasSubstr("digest"));
}

TEST_F(CommissionTest, OtherGainsAskAgainAndKeepTheModel) {
  ControllerValues gains;
  gains.hotend = {22.2F, 1.08F, 114};
  p1().shared.controllers.store(gains);
  ASSERT_EQ(commission()["outcome"], "learned");
  run(1);
  EXPECT_EQ(notes()[0].state, ModelNote::State::commissioned);
  gains.hotend.p = 30;
  p1().shared.controllers.store(gains);
  run(1);
  EXPECT_EQ(notes()[0].state, ModelNote::State::asks_again);
  EXPECT_THAT(notes()[0].why, HasSubstr("P30.00"));
  EXPECT_TRUE(notes()[0].in_use);
  EXPECT_EQ(notes()[1].state, ModelNote::State::commissioned);
}

TEST_F(CommissionTest, AnotherHeaterInTheProfileAsksAgainAndFallsBackToWidePriors) {
  const auto watts = [](double value) {
    return [value](PrinterConfig& printer) { printer.profile.heaters[0].heater_watts = value; };
  };
  rebuild(watts(40));
  ASSERT_EQ(commission()["outcome"], "learned");
  rebuild(watts(60));
  EXPECT_EQ(notes()[0].state, ModelNote::State::asks_again);
  EXPECT_FALSE(notes()[0].in_use);
  EXPECT_EQ(in_use().heaters[0].learned, 0U);
  EXPECT_EQ(in_use().heaters[1].learned, 1U);
}

TEST_F(CommissionTest, HalfAnHourOfDriftAsksAgain) {
  ASSERT_EQ(commission()["outcome"], "learned");
  p1().drifting_heaters.store(1);
  p1().drifting_ns.store(now_ns - 31LL * 60 * 1'000'000'000);
  commissioner->step(now_ns);
  EXPECT_EQ(notes()[0].state, ModelNote::State::asks_again);
  EXPECT_TRUE(notes()[0].in_use);
}

TEST_F(CommissionTest, APrintProposesAndOnlyAPersonApproves) {
  print();
  ASSERT_TRUE(notes()[0].proposed) << commissioner->models("p1").dump(1);
  EXPECT_EQ(in_use().heaters[0].learned, 0U) << "never used before approval";
  commissioner->ask_approval(p1(), "hotend", "ana");
  commissioner->step(now_ns);
  const auto approved = commissioner->approval_result(p1());
  ASSERT_TRUE(approved);
  EXPECT_TRUE(*approved) << (*approved ? "" : approved->error().message);
  EXPECT_EQ(in_use().heaters[0].learned, 1U);
  EXPECT_FALSE(notes()[0].proposed);
}

TEST_F(CommissionTest, ThereIsNothingToApproveWithoutAProposal) {
  commissioner->ask_approval(p1(), "", "ana");
  commissioner->step(now_ns);
  const auto approved = commissioner->approval_result(p1());
  ASSERT_TRUE(approved);
  ASSERT_FALSE(*approved);
  EXPECT_THAT(approved->error().message, HasSubstr("no proposal"));
}

TEST_F(CommissionTest, APrintThatNobodysHostSendsTeachesNothing) {
  run(25);
  hotend.target = 205;
  run(600);
  hotend.target = 0;
  run(10);
  EXPECT_FALSE(notes()[0].proposed);
}

}  // namespace
}  // namespace firebreak::guard::commission
