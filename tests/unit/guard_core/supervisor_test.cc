#include "tests/unit/guard_core/guard_fixture.h"

namespace firebreak::guard {
namespace {

class SupervisorTest : public GuardCase {
 protected:
  void SetUp() override {
    GuardCase::SetUp();
    all_alive();
    board->driven.clear();
  }
  void all_alive() {
    core->liveness.estop_ns.store(now_ns);
    core->liveness.monitor_ns.store(now_ns);
    for (auto& entry : core->printers) entry->shared.link_alive_ns.store(now_ns);
  }
  [[nodiscard]] std::size_t pulses() const {
    std::size_t count = 0;
    for (const auto& entry : board->driven) count += entry.line == "r1_line" ? 1 : 0;
    return count;
  }

  ServiceManager manager = ServiceManager::from_environment();
  std::unique_ptr<Supervisor> supervisor() {
    return std::make_unique<Supervisor>(*core, manager, events, clock);
  }
};

TEST_F(SupervisorTest, PulsesEachHeartbeatRelayWhileAllThreadsKeepTheirDeadlines) {
  auto watch = supervisor();
  EXPECT_TRUE(watch->tick(now_ns));
  EXPECT_TRUE(watch->tick(now_ns + 100 * millisecond));
  EXPECT_EQ(pulses(), 2u);
  EXPECT_EQ(core->mapped->layout().last_pulse_ns.load(), now_ns + 100 * millisecond);
}

TEST_F(SupervisorTest, OneLateEstopThreadGivesNoPulse) {
  core->liveness.estop_ns.store(now_ns - 101 * millisecond);
  EXPECT_FALSE(supervisor()->tick(now_ns));
  EXPECT_EQ(pulses(), 0u);
}

TEST_F(SupervisorTest, OneLateMonitorGivesNoPulse) {
  core->liveness.monitor_ns.store(now_ns - 501 * millisecond);
  EXPECT_FALSE(supervisor()->tick(now_ns));
  EXPECT_EQ(pulses(), 0u);
}

TEST_F(SupervisorTest, OneLateLinkGivesNoPulseToAnyRelay) {
  core->printers[2]->shared.link_alive_ns.store(now_ns - 1001 * millisecond);
  EXPECT_FALSE(supervisor()->tick(now_ns));
  EXPECT_EQ(pulses(), 0u);
}

TEST_F(SupervisorTest, ThreadsInsideTheirDeadlinesGetTheirPulse) {
  core->liveness.estop_ns.store(now_ns - 99 * millisecond);
  core->liveness.monitor_ns.store(now_ns - 499 * millisecond);
  core->printers[2]->shared.link_alive_ns.store(now_ns - 999 * millisecond);
  EXPECT_TRUE(supervisor()->tick(now_ns));
  EXPECT_EQ(pulses(), 1u);
}

TEST_F(SupervisorTest, ALateThreadLeavesTheTimeOfTheLastPulseAlone) {
  auto watch = supervisor();
  watch->tick(now_ns);
  core->liveness.estop_ns.store(now_ns - 200 * millisecond);
  watch->tick(now_ns + 100 * millisecond);
  EXPECT_EQ(core->mapped->layout().last_pulse_ns.load(), now_ns);
}

TEST_F(SupervisorTest, NoPulseReachesARelayThatAStopHasOpened) {
  press();
  board->driven.clear();
  all_alive();
  supervisor()->tick(now_ns);
  EXPECT_EQ(pulses(), 0u);
}

TEST_F(SupervisorTest, PlainRelaysGetNoPulses) {
  supervisor()->tick(now_ns);
  for (const auto& entry : board->driven) EXPECT_NE(entry.line, "r2_line");
}

}  // namespace
}  // namespace firebreak::guard
