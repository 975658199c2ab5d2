// The guard's own orders while it heats a printer by itself, and what of a host passes meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/links/link_bench.h"

namespace firebreak::guard {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

OwnOrder order(LinkBench& bench, std::uint32_t serial, const std::string& line,
               std::chrono::seconds lives = 10s) {
  OwnOrder made;
  made.serial = serial;
  made.until_ns = (bench.clock.now() + lives).time_since_epoch().count();
  line.copy(made.line, sizeof(made.line) - 1);
  bench.shared.own_order.store(made);
  return made;
}

TEST(OwnOrder, IsSentOnceAndItsAcknowledgementIsTold) {
  LinkBench bench;
  bench.run_to_ready();
  bench.shared.commissioning = 1;
  order(bench, 1, "M104 S210");
  bench.take_events();
  bench.run(2s);
  EXPECT_EQ(bench.sent_count("M104 S210"), 1);
  EXPECT_EQ(bench.shared.own_order_done.load(), 1U);
  EXPECT_TRUE(bench.take_events() & link_event::host_heats) << "what was cold may be hot now";
}

TEST(OwnOrder, IsNotSentUnlessTheGuardHeats) {
  LinkBench bench;
  bench.run_to_ready();
  order(bench, 1, "M104 S210");
  bench.run(2s);
  EXPECT_EQ(bench.sent_count("M104 S210"), 0);
}

TEST(OwnOrder, NeverReachesALatchedPrinter) {
  LinkBench bench;
  bench.run_to_ready();
  bench.shared.commissioning = 1;
  bench.shared.link_mode = LinkMode::latched;
  order(bench, 1, "M104 S210");
  bench.run(2s);
  EXPECT_EQ(bench.sent_count("M104 S210"), 0);
  EXPECT_EQ(bench.shared.own_order_done.load(), 0U);
}

TEST(OwnOrder, IsLetGoWhenItIsStale) {
  LinkBench bench;
  bench.run_to_ready();
  order(bench, 1, "M104 S210", 1s);
  bench.run(1500ms);
  bench.shared.commissioning = 1;
  bench.run(2s);
  EXPECT_EQ(bench.sent_count("M104 S210"), 0);
}

TEST(OwnOrder, ThePartFanThatTheGuardSetsIsKnown) {
  LinkBench bench;
  bench.run_to_ready();
  bench.shared.commissioning = 1;
  order(bench, 1, "M106 S255");
  bench.run(2s);
  EXPECT_FLOAT_EQ(bench.readings().fan, 1);
}

TEST(OwnOrder, MeanwhileAHostKeepsItsQuestionsAndNothingElse) {
  LinkBench bench;
  bench.host.open = true;
  bench.run_to_ready();
  bench.shared.commissioning = 1;
  bench.host.to_printer = "M105\nM104 S200\nG1 X10\n";
  bench.run(2s);
  EXPECT_GE(bench.sent_count("M105"), 1);
  EXPECT_EQ(bench.sent_count("M104 S200"), 0);
  EXPECT_EQ(bench.sent_count("G1 X10"), 0);
  EXPECT_THAT(bench.host.got, HasSubstr("is being commissioned"));
  bench.shared.commissioning = 0;
  bench.host.to_printer = "G1 X10\n";
  bench.run(2s);
  EXPECT_EQ(bench.sent_count("G1 X10"), 1) << "the port is the host's again";
}

TEST(OwnOrder, TheControllersGainsAreAskedForAndTheAnswerIsNotTheHosts) {
  LinkBench bench;
  bench.host.open = true;
  bench.answer = [&](const std::string& line) {
    if (line != "M503") return bench.marlin(line);
    return std::string(
        "echo:; Hotend PID:\necho:  M301 P22.20 I1.08 D114.00\n"
        "echo:  M304 P10.00 I0.02 D305.40\nok\n");
  };
  bench.run_to_ready();
  bench.host.got.clear();
  bench.shared.commissioning = 1;
  bench.run(2s);
  EXPECT_EQ(bench.sent_count("M503"), 1);
  ControllerValues gains;
  ASSERT_TRUE(bench.shared.controllers.load(gains));
  EXPECT_FLOAT_EQ(gains.hotend.p, 22.2F);
  EXPECT_FLOAT_EQ(gains.hotend.d, 114);
  EXPECT_FLOAT_EQ(gains.bed.d, 305.4F);
  EXPECT_THAT(bench.host.got, Not(HasSubstr("M301")));
}

TEST(OwnOrder, AHostThatTunesAHeaterIsHeardToo) {
  LinkBench bench;
  bench.host.open = true;
  bench.run_to_ready();
  bench.host.to_printer = "M301 P30 I2 D90\n";
  bench.run(2s);
  ControllerValues gains;
  ASSERT_TRUE(bench.shared.controllers.load(gains));
  EXPECT_FLOAT_EQ(gains.hotend.p, 30);
  EXPECT_TRUE(std::isnan(gains.bed.p));
}

TEST(FanAndFlow, AreTheHostsWordAndUnknownOnceItHasGone) {
  LinkBench bench;
  bench.host.open = true;
  bench.run_to_ready();
  EXPECT_TRUE(std::isnan(bench.readings().fan)) << "nobody has said anything yet";
  EXPECT_TRUE(std::isnan(bench.readings().flow_mm3_per_s));
  bench.host.to_printer = "M106 S255\nG1 X100 E5 F1200\n";
  bench.run(2s);
  EXPECT_FLOAT_EQ(bench.readings().fan, 1);
  EXPECT_GT(bench.readings().flow_mm3_per_s, 0);
  bench.host.open = false;
  bench.run(2s);
  EXPECT_TRUE(std::isnan(bench.readings().fan)) << "a card may print now";
  EXPECT_TRUE(std::isnan(bench.readings().flow_mm3_per_s));
}

}  // namespace
}  // namespace firebreak::guard
