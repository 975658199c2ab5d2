#include <gtest/gtest.h>

#include <sstream>

#include "tests/thermal/stream.h"

namespace firebreak::thermal_bench {
namespace {

PrintProgram program_of(const Group& group) {
  return PrintProgram::load(std::string(FIREBREAK_SOURCE_DIR "/tests/data/gcode/") + group.gcode);
}

const FaultCase& fault_named(std::string_view name) {
  for (const auto& fault : fault_cases()) {
    if (name == fault.name) return fault;
  }
  throw std::out_of_range(std::string(name));
}

TEST(Plants, SlowPowerFollowsThePower) {
  SlowPower power(1.25);
  for (double x = 0.2; x < 3; x += 0.001) {
    ASSERT_NEAR(power(x), std::pow(x, 1.25), 0.04 * std::pow(x, 1.25)) << x;
  }
}

TEST(Machines, OfTheSameSeedLiveTheSameLife) {
  const auto program = program_of(tuning_group());
  const auto machine = draw_machine(tuning_group(), 3);
  Printer one(machine, program, LifeStyle::whole, 9);
  Printer two(machine, program, LifeStyle::whole, 9);
  for (int i = 0; i < 20000; ++i) {
    one.tick();
    two.tick();
    ASSERT_EQ(one.heaters()[0].reading, two.heaters()[0].reading) << one.t_s();
    ASSERT_EQ(one.heaters()[1].duty, two.heaters()[1].duty) << one.t_s();
  }
}

TEST(Machines, OfBothGroupsHeatUpAndHoldTheirTarget) {
  for (const auto* group : {&tuning_group(), &held_out_group()}) {
    const auto program = program_of(*group);
    for (std::uint64_t number = 0; number < 12; ++number) {
      const auto machine = draw_machine(*group, number);
      Printer printer(machine, program, LifeStyle::one_print, 1);
      while (printer.t_s() < 2400) printer.tick();
      for (const auto& heater : printer.heaters()) {
        EXPECT_NEAR(heater.reading, heater.target, 9)
            << group->name << " " << number << " " << name_of(heater.kind);
      }
    }
  }
}

TEST(Machines, CommissionOnceThroughAndEndCold) {
  const auto program = program_of(tuning_group());
  const auto machine = draw_machine(tuning_group(), 1);
  Printer printer(machine, program, LifeStyle::commission, 1);
  double hottest = 0;
  double fan = 0;
  while (!printer.commissioned() && printer.t_s() < 7200) {
    printer.tick();
    hottest = std::max(hottest, printer.heaters()[0].reading);
    fan = std::max(fan, printer.wishes().fan);
  }
  EXPECT_LT(printer.t_s(), 7200);
  EXPECT_GT(hottest, machine.heaters[0].draw.target_celsius - 5);
  EXPECT_EQ(fan, 1);
  EXPECT_EQ(printer.heaters()[0].target, 0);
}

TEST(Faults, WeldedSwitchHeatsAMachineThatNobodyAsked) {
  const auto program = program_of(held_out_group());
  const auto machine = draw_machine(held_out_group(), 2);
  Printer printer(machine, program, LifeStyle::idle, 1);
  printer.plan(fault_named("hotend stuck on, idle"));
  while (printer.fault_at_s() < 0) printer.tick();
  EXPECT_LT(printer.heaters()[0].plant->body_celsius(), 40);
  while (printer.t_s() < printer.fault_at_s() + 60) printer.tick();
  EXPECT_GT(printer.heaters()[0].plant->body_celsius(), 100);
  EXPECT_EQ(printer.heaters()[0].target, 0);
}

TEST(Faults, FrozenReadingStaysWhileTheBlockGoesOn) {
  const auto program = program_of(tuning_group());
  const auto machine = draw_machine(tuning_group(), 2);
  Printer printer(machine, program, LifeStyle::one_print, 1);
  printer.plan(fault_named("hotend frozen, heat-up"));
  while (printer.fault_at_s() < 0) printer.tick();
  printer.tick();
  const double frozen = printer.heaters()[0].reading;
  const double before = printer.heaters()[0].plant->body_celsius();
  for (int i = 0; i < 300; ++i) {
    printer.tick();
    ASSERT_EQ(printer.heaters()[0].reading, frozen);
  }
  EXPECT_GT(printer.heaters()[0].plant->body_celsius(), before + 20);
}

TEST(Faults, AllComeOnAMachineThatHasTheHeater) {
  const auto program = program_of(held_out_group());
  const auto machine = draw_machine(held_out_group(), 5);
  for (const auto& fault : fault_cases()) {
    if (fault.heater == HeaterKind::chamber && machine.heaters.size() < 3) continue;
    const auto style = fault.moment == Moment::idle ? LifeStyle::idle : LifeStyle::one_print;
    Printer printer(machine, program, style, 4);
    printer.plan(fault);
    while (printer.fault_at_s() < 0 && printer.t_s() < 3600) printer.tick();
    EXPECT_GE(printer.fault_at_s(), 0) << fault.name;
  }
}

TEST(Streams, KeepTheirPeriodAndTheirQuantum) {
  const auto program = program_of(tuning_group());
  const auto machine = draw_machine(tuning_group(), 1);
  StreamStyle style;
  style.period_s = 2;
  style.whole_degrees = true;
  style.duty = false;
  Printer printer(machine, program, LifeStyle::one_print, 1);
  Stream stream(style, machine, 1);
  std::vector<Report> reports;
  int count = 0;
  while (printer.t_s() < 600) {
    printer.tick();
    if (!stream.listen(printer, reports)) continue;
    ++count;
    EXPECT_EQ(reports[0].celsius, std::round(reports[0].celsius));
    EXPECT_TRUE(std::isnan(reports[0].duty));
  }
  EXPECT_NEAR(count, 300, 6);
}

TEST(Traces, AreWrittenAsReplayReadsThem) {
  std::ostringstream out;
  Report known{1.25, HeaterKind::bed, 59.96F, 60, 0.25F, 1, 3.5F};
  Report poor = known;
  poor.duty = poor.fan = poor.flow_mm3_s = std::nanf("");
  write_csv(out, {known, poor});
  EXPECT_EQ(out.str(),
            "t,heater,temp,target,duty,fan,flow\n"
            "1.250,bed,59.96,60.00,0.250,1.000,3.50\n"
            "1.250,bed,59.96,60.00,,,\n");
}

TEST(PrintPrograms, HaveTheFlowAndTheFanOfTheFile) {
  const auto program = program_of(held_out_group());
  double most_flow = 0;
  double most_fan = 0;
  for (double t = 0; t < program.length_s(); t += PrintProgram::step_s) {
    most_flow = std::max(most_flow, program.flow(t));
    most_fan = std::max(most_fan, program.fan(t));
  }
  EXPECT_GT(program.length_s(), 120);
  EXPECT_GT(most_flow, 2);
  EXPECT_LT(most_flow, 20);
  EXPECT_EQ(most_fan, 1);
}

}  // namespace
}  // namespace firebreak::thermal_bench
