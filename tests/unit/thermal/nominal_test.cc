#include <gtest/gtest.h>

#include "tests/unit/thermal/machine.h"

namespace firebreak::guard::thermal {
namespace {

// Random machines of the tests' own plant. They show that life is no fault; the false trip rate of
// a farm is measured on the simulator's bench, not here.
constexpr std::uint64_t machines = 120;

/// A print: bed, hotend, fan and flow changes, target edits, end, and cooling down to the room.
void print_once(Machine& machine, std::mt19937_64& random) {
  const auto between = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  machine.bed.target = between(45, 100);
  machine.run(between(0, 60));
  machine.hotend.target = between(190, 255);
  machine.run(360);
  for (int layer = 0; layer < 6; ++layer) {
    machine.hotend.fan = between(0, 1) < 0.3 ? 0 : between(0.2, 1);
    machine.run(between(20, 90));
    if (random() % 3 == 0) machine.hotend.target += between(-12, 8);
    if (random() % 4 == 0) machine.bed.target = std::max(40.0, machine.bed.target - 10);
  }
  machine.hotend.target = machine.bed.target = 0;
  machine.run(20);
  machine.hotend.fan = 0;
  machine.run(600);
}

TEST(Life, PrintsOnRandomMachinesAreQuiet) {
  for (std::uint64_t seed = 1; seed <= machines; ++seed) {
    Machine machine(seed, seed % 3 == 0 ? 2 : 1);
    std::mt19937_64 random(seed);
    print_once(machine, random);
    ASSERT_TRUE(machine.quiet()) << "machine " << seed << "\n" << machine.diary.story();
  }
}

TEST(Life, HotStartAndSecondPrintAreQuiet) {
  for (std::uint64_t seed = 1; seed <= machines / 4; ++seed) {
    Machine machine(seed);
    std::mt19937_64 random(seed);
    machine.bed.target = 60;
    machine.hotend.target = 215;
    machine.run(240);
    machine.hotend.target = 0;
    machine.run(15);
    print_once(machine, random);
    ASSERT_TRUE(machine.quiet()) << "machine " << seed << "\n" << machine.diary.story();
  }
}

TEST(Life, SlowReportsAreQuiet) {
  for (std::uint64_t seed = 1; seed <= machines / 4; ++seed) {
    Machine machine(seed, 3.5);
    std::mt19937_64 random(seed);
    print_once(machine, random);
    ASSERT_TRUE(machine.quiet()) << "machine " << seed << "\n" << machine.diary.story();
  }
}

TEST(Life, AHeatUpThatIsAbandonedAtFullPowerIsQuiet) {
  for (std::uint64_t seed = 1; seed <= machines; ++seed) {
    Machine machine(seed);
    machine.hotend.target = 240;
    machine.bed.target = 90;
    machine.run(10 + static_cast<double>(seed % 30));
    machine.hotend.target = machine.bed.target = 0;
    machine.run(120);
    ASSERT_TRUE(machine.quiet()) << "machine " << seed << "\n" << machine.diary.story();
  }
}

TEST(Life, TheBedWarmsAnIdleHotendAboveIt) {
  for (std::uint64_t seed = 1; seed <= machines / 4; ++seed) {
    Machine machine(seed);
    machine.bed.target = 100;
    machine.hotend.overheard = 0.08;  // Nozzle just above the bed.
    machine.run(300);
    machine.hotend.overheard = 0.02;
    machine.run(900);
    ASSERT_TRUE(machine.quiet()) << "machine " << seed << "\n" << machine.diary.story();
  }
}

struct Found {
  const char* name;
  void (*before)(Machine&);
  void (*fault)(Machine&);
  double at_most_s;  ///< From the fault to the verdict, worst of all machines.
  double hottest;    ///< True temperature of the hotend at the verdict, worst of all; 0 = not
                     ///< asked.
};

void nothing(Machine& machine) { machine.run(60); }
void at_temperature(Machine& machine) {
  machine.hotend.target = 215;
  machine.bed.target = 60;
  machine.run(500);
}
void heating(Machine& machine) {
  machine.hotend.target = 215;
  machine.run(25);
}

class FaultOnRandomMachines : public ::testing::TestWithParam<Found> {};

TEST_P(FaultOnRandomMachines, IsFoundInTime) {
  const auto& row = GetParam();
  double worst = 0, hottest = 0, sum = 0;
  for (std::uint64_t seed = 1; seed <= machines; ++seed) {
    Machine machine(seed);
    row.before(machine);
    ASSERT_TRUE(machine.quiet()) << "machine " << seed << "\n" << machine.diary.story();
    row.fault(machine);
    double took = 0;
    while (machine.quiet() && took < 600) {
      machine.run(0.5);
      took += 0.5;
    }
    ASSERT_FALSE(machine.quiet()) << "machine " << seed << " was missed";
    worst = std::max(worst, took);
    hottest = std::max(hottest, machine.hottest());
    sum += took;
  }
  RecordProperty("mean_s", std::to_string(sum / machines));
  RecordProperty("worst_s", std::to_string(worst));
  std::printf("           %-24s mean %5.1f s, worst %5.1f s, hottest %3.0f C\n", row.name,
              sum / machines, worst, hottest);
  EXPECT_LE(worst, row.at_most_s);
  if (row.hottest > 0) {
    EXPECT_LE(hottest, row.hottest);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Each, FaultOnRandomMachines,
    ::testing::Values(
        Found{"hotend_stuck_on_idle", nothing, [](Machine& m) { m.hotend.welded = true; }, 14, 90},
        Found{"hotend_half_on_idle", nothing,
              [](Machine& m) {
                m.hotend.welded = true;
                m.hotend.welded_duty = 0.5;
              },
              25, 90},
        Found{"hotend_stuck_on_steady", at_temperature, [](Machine& m) { m.hotend.welded = true; },
              40, 290},
        Found{"hotend_open_steady", at_temperature, [](Machine& m) { m.hotend.open = true; }, 60,
              0},
        Found{"hotend_open_heating", heating, [](Machine& m) { m.hotend.open = true; }, 60, 0},
        Found{"hotend_sensor_out_steady", at_temperature,
              [](Machine& m) { m.hotend.sensor_out = true; }, 6, 290},
        Found{"bed_stuck_on_idle", nothing, [](Machine& m) { m.bed.welded = true; }, 50, 0},
        Found{"bed_stuck_on_steady", at_temperature, [](Machine& m) { m.bed.welded = true; }, 90,
              0},
        Found{"bed_open_steady", at_temperature, [](Machine& m) { m.bed.open = true; }, 320, 0},
        Found{"bed_sensor_out_steady", at_temperature, [](Machine& m) { m.bed.sensor_out = true; },
              10, 0},
        Found{"silent_hot", at_temperature, [](Machine& m) { m.silent = true; }, 16, 0}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace firebreak::guard::thermal
