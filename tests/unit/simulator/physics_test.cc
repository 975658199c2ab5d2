// Heat goes where it goes in a real machine, within the ranges that the research notes give.
#include <gtest/gtest.h>

#include "tests/unit/simulator/host.h"

namespace firebreak::sim::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

double seconds_to_reach(Host* host, HeaterId heater, double celsius) {
  const Nanos start = host->printer.now();
  while (host->printer.truth(heater).body_celsius < celsius &&
         host->printer.now() < start + hours(1)) {
    host->wait(seconds(1));
  }
  return std::chrono::duration<double>(host->printer.now() - start).count();
}

TEST(Physics, AHotendReachesPrintingHeatInAboutAMinute) {
  Host host;
  host.ask("M104 S210");
  const double time = seconds_to_reach(&host, HeaterId::hotend, 200);
  EXPECT_GT(time, 40);
  EXPECT_LT(time, 120);
}

TEST(Physics, ABedReachesSixtyInOneToFiveMinutes) {
  Host host;
  host.ask("M140 S65");
  const double time = seconds_to_reach(&host, HeaterId::bed, 60);
  EXPECT_GT(time, 40);
  EXPECT_LT(time, 300);
}

TEST(Physics, TheControllersHoldTheirTargets) {
  Host host;
  host.ask("M104 S210");
  host.ask("M140 S60");
  host.wait(minutes(10));
  for (int i = 0; i < 120; ++i) {
    host.wait(seconds(1));
    EXPECT_NEAR(host.hotend().reading_celsius, 210, 2);
    EXPECT_NEAR(host.bed().reading_celsius, 60, 4);  // on and off every five seconds
  }
  EXPECT_GT(host.hotend().watts, 0);
}

TEST(Physics, HeatThatEndsCoolsToTheRoomAndNoFurther) {
  Host host;
  host.printer.set_temperature(HeaterId::hotend, 220);
  double last = 220;
  for (int i = 0; i < 60; ++i) {
    host.wait(minutes(1));
    EXPECT_LE(host.hotend().body_celsius, last + 1e-9);
    last = host.hotend().body_celsius;
  }
  EXPECT_NEAR(last, 25, 1);
}

TEST(Physics, AWeldedSwitchGoesFarPastEveryLimit) {
  Host host;
  host.printer.set_fault(Fault::heater_on, true);
  host.wait(minutes(10));
  EXPECT_GT(host.hotend().body_celsius, 300);
  EXPECT_LT(host.hotend().body_celsius, 700);
}

TEST(Physics, AHalfWaveSwitchGivesHalfTheHeat) {
  Host host;
  host.printer.set_fault(Fault::heater_on, true, HeaterId::bed, 0.5);
  host.wait(seconds(1));
  EXPECT_DOUBLE_EQ(host.bed().watts, host.printer.config().bed.full_watts / 2);
}

TEST(Physics, ARelayThatOpensEndsTheHeatOfAWeldedSwitch) {
  Host host;
  host.printer.set_fault(Fault::heater_on, true);
  host.wait(seconds(60));
  host.printer.set_heater_power(HeaterId::hotend, false);
  EXPECT_EQ(host.hotend().watts, 0);
  host.wait(seconds(3));  // what is in the element still spreads
  const double before = host.hotend().body_celsius;
  host.wait(seconds(8));
  EXPECT_LT(host.hotend().body_celsius, before - 1);
}

TEST(Physics, ARelayThatCoversOneHeaterLeavesTheOther) {
  Host host;
  host.printer.set_fault(Fault::heater_on, true, HeaterId::bed);
  host.printer.set_heater_power(HeaterId::hotend, false);
  host.wait(seconds(1));
  EXPECT_GT(host.bed().watts, 0);
}

TEST(Physics, AnOpenHeaterGivesNoHeatWhateverIsWanted) {
  Host host;
  host.printer.set_fault(Fault::heater_open, true);
  host.ask("M104 S200", seconds(30));
  EXPECT_EQ(host.hotend().duty, 127);
  EXPECT_NEAR(host.hotend().body_celsius, 25, 0.5);
}

TEST(Physics, ASensorThatFellOutFallsSlowlyWhileTheBlockIsHot) {
  Host host;
  host.ask("M104 S200");
  host.wait(minutes(4));
  host.printer.set_fault(Fault::sensor_out, true);
  const double before = host.hotend().reading_celsius;
  host.wait(seconds(5));
  const double after = host.hotend().reading_celsius;
  EXPECT_LT(after, before - 5);
  EXPECT_GT(after, before - 100);
  EXPECT_GT(host.hotend().body_celsius, 195);
}

TEST(Physics, AFrozenSensorShowsOneValueWhileTheTruthClimbs) {
  Host host;
  host.ask("M104 S200", seconds(10));
  host.printer.set_fault(Fault::sensor_frozen, true);
  host.wait(seconds(1));
  const double shown = host.hotend().reading_celsius;
  for (int i = 0; i < 20; ++i) {
    host.wait(seconds(1));
    EXPECT_EQ(host.hotend().reading_celsius, shown);
  }
  EXPECT_GT(host.hotend().body_celsius, shown + 40);
}

TEST(Physics, SwappedSensorsTellEachHeaterTheOthersTemperature) {
  Host host;
  host.printer.set_fault(Fault::sensors_swapped, true);
  host.ask("M104 S200", seconds(20));
  EXPECT_GT(host.hotend().body_celsius, 60);
  EXPECT_GT(host.bed().reading_celsius, 60);
  EXPECT_NEAR(host.hotend().reading_celsius, 25, 1);
}

TEST(Physics, TheSensorLagsBehindTheBlockAndTheBlockBehindTheElement) {
  Host host;
  host.ask("M104 S250", seconds(20));
  EXPECT_GT(host.hotend().element_celsius, host.hotend().body_celsius + 5);
  EXPECT_GT(host.hotend().body_celsius, host.hotend().reading_celsius + 1);
}

// Mean power at 210 degrees while `line` is sent each second.
double mean_power(const std::string& setup, const std::string& line) {
  Host host;
  host.ask("M104 S210");
  host.wait(minutes(5));
  host.ask("M83\n" + setup);
  host.wait(seconds(20));
  double sum = 0;
  constexpr int kSeconds = 60;
  for (int i = 0; i < kSeconds; ++i) {
    host.ask(line, seconds(1));
    sum += host.hotend().watts;
  }
  return sum / kSeconds;
}

TEST(Physics, ThePartFanAndMeltingPlasticCostPower) {
  const double still = mean_power("M107", "M105");
  EXPECT_GT(mean_power("M106 S255", "M105"), still + 2);
  EXPECT_GT(mean_power("M107", "G1 E5 F300"), still + 1);
}

TEST(Physics, AHeaterThatIsOffTakesTheHeatOfItsRoom) {
  Host host;
  host.printer.set_ambient(5);
  host.wait(hours(3));
  EXPECT_NEAR(host.hotend().body_celsius, 5, 1);
  EXPECT_NEAR(host.bed().body_celsius, 5, 3);
}

TEST(Physics, PreheatingActsAtOnce) {
  Host host;
  host.printer.set_temperature(HeaterId::bed, 80);
  host.wait(seconds(1));
  EXPECT_NEAR(host.bed().reading_celsius, 80, 1);
}

TEST(Physics, HeatIsRecordedWhenItBeginsAndWhenItEnds) {
  Host host;
  host.printer.take_facts();
  host.ask("M104 S200", seconds(2));
  host.ask("M112");
  std::vector<std::string> story;
  for (const Fact& fact : host.printer.take_facts()) {
    story.push_back(fact.kind + (fact.kind == "heat" ? (fact.watts > 0 ? " on" : " off") : ""));
  }
  EXPECT_EQ(story, (std::vector<std::string>{"heat on", "halted", "heat off"}));
}

}  // namespace
}  // namespace firebreak::sim::test
