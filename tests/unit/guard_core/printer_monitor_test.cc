#include "agent/guard/monitor/printer_monitor.h"

#include "tests/unit/guard_core/guard_fixture.h"

namespace firebreak::guard {
namespace {

using machine::Phase;
using machine::State;

/// The monitor of p1, which is behind a heartbeat relay, on the clock of the test.
class PrinterMonitorTest : public GuardCase {
 protected:
  void SetUp() override {
    GuardCase::SetUp();
    monitor = std::make_unique<PrinterMonitor>(*core, p1(), memory, events, samples, clock);
  }
  PrinterRuntime& p1() { return *core->printers[0]; }

  void be(State state, Phase phase = Phase::none) {
    p1().memory = {};
    p1().memory.state = state;
    p1().memory.phase = phase;
    p1().memory.entered_ns = p1().memory.closed_ns = now_ns;
    p1().seen.store(p1().memory);
  }
  /// A second goes by with a report of both heaters; the causes that were raised.
  CauseSet second(float hotend = 25, float target = 0, float duty = 0) {
    readings.heaters[0] = {hotend, target, duty, now_ns, now_ns, readings.heaters[0].reports + 1};
    readings.heaters[1] = {24, 0, 0, now_ns, now_ns, readings.heaters[1].reports + 1};
    readings.line_at_ns = readings.temperature_at_ns = now_ns;
    p1().shared.readings.store(readings);
    return silent_second();
  }
  CauseSet silent_second() {
    CauseSet raised = 0;
    for (int i = 0; i < 10; ++i) {
      now_ns += 100 * millisecond;
      clock.advance(std::chrono::milliseconds{100});
      monitor->step(now_ns);
      raised |= p1().shared.trips.exchange(0);
    }
    return raised;
  }
  void link_says(std::uint32_t event) { p1().shared.events.fetch_or(event); }
  MonitorFacts facts() {
    MonitorFacts found;
    p1().monitor.load(found);
    return found;
  }

  DetectorMemory memory{};
  SampleQueue samples{1024};
  PrinterReadings readings;
  std::unique_ptr<PrinterMonitor> monitor;
};

TEST_F(PrinterMonitorTest, AHaltOfAnArmedPrinterIsACause) {
  be(State::armed);
  link_says(link_event::halt_text);
  EXPECT_EQ(second(), bit(Cause::firmware_halt));
}

TEST_F(PrinterMonitorTest, TheFirmwaresOwnThermalFaultIsACauseAndItsSensorsAreDoubted) {
  be(State::armed);
  EXPECT_EQ(second(), 0U);
  EXPECT_NE(p1().trusted_heaters.load(), 0U);
  link_says(link_event::thermal_fault);
  EXPECT_EQ(second(), bit(Cause::firmware_thermal));
  EXPECT_EQ(p1().trusted_heaters.load(), 0U);
}

TEST_F(PrinterMonitorTest, AHaltBeforeTheRevivalIsTheLateAnswerToTheStop) {
  be(State::probation, Phase::reviving);
  p1().relay->apply(false);
  link_says(link_event::halt_text | link_event::thermal_fault);
  EXPECT_EQ(second(), 0U);
}

TEST_F(PrinterMonitorTest, AHaltAfterThePowerIsBackEndsTheProbation) {
  be(State::probation, Phase::watching);
  EXPECT_EQ(second(), 0U);
  link_says(link_event::halt_text);
  EXPECT_EQ(second() & bit(Cause::firmware_halt), bit(Cause::firmware_halt));
}

TEST_F(PrinterMonitorTest, AnotherPrinterOnThePortIsACauseInProbationToo) {
  for (const auto phase : {Phase::reviving, Phase::watching}) {
    be(State::probation, phase);
    link_says(link_event::wrong_identity);
    EXPECT_NE(second() & bit(Cause::wrong_printer), 0U);
  }
}

TEST_F(PrinterMonitorTest, ALatchedPrinterRaisesEachCauseOnce) {
  be(State::tripped);
  p1().memory.causes = bit(Cause::over_limit);
  p1().seen.store(p1().memory);
  EXPECT_EQ(second(400) | second(400) | second(400), 0U);
}

TEST_F(PrinterMonitorTest, ABootBannerOfALatchedPrinterIsASignOfHeat) {
  be(State::tripped);
  second();
  EXPECT_FALSE(facts().sign_of_heat);
  link_says(link_event::boot_banner);
  monitor->step(now_ns += 100 * millisecond);
  EXPECT_TRUE(facts().sign_of_heat);
}

TEST_F(PrinterMonitorTest, AfterAHardwareCauseAPersonWhoConfirmsKeepsTheProbation) {
  be(State::tripped);
  p1().memory.causes = bit(Cause::stuck_on);
  p1().seen.store(p1().memory);
  second();
  be(State::probation, Phase::watching);
  EXPECT_EQ(silent_second(), 0U);
  EXPECT_NE(facts().confirm_due_ns, 0);
  for (int i = 0; i < 12; ++i) ASSERT_EQ(silent_second(), 0U) << i;
  p1().confirmed_ns.store(now_ns);
  for (int i = 0; i < 4; ++i) ASSERT_EQ(silent_second(), 0U) << i;
}

TEST_F(PrinterMonitorTest, AfterAHardwareCauseNobodyWhoConfirmsIsBlindness) {
  be(State::tripped);
  p1().memory.causes = bit(Cause::stuck_on);
  p1().seen.store(p1().memory);
  second();
  be(State::probation, Phase::watching);
  CauseSet raised = 0;
  for (int i = 0; i < 16; ++i) raised |= silent_second();
  EXPECT_EQ(raised, bit(Cause::blind));
}

TEST_F(PrinterMonitorTest, WatchModeMutesAFrozenReadingAndNoLimit) {
  be(State::watch);
  CauseSet raised = 0;
  for (int i = 0; i < 3; ++i) raised |= second(400);
  EXPECT_NE(raised & bit(Cause::over_limit), 0U);
}

}  // namespace
}  // namespace firebreak::guard
