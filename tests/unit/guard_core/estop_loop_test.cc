#include "tests/unit/guard_core/guard_fixture.h"

namespace firebreak::guard {
namespace {

using EstopLoopTest = GuardCase;

TEST_F(EstopLoopTest, APressSendsTheStopToEveryPortAndOpensEveryRelayInOnePass) {
  press();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(port_took(i).starts_with("\nM112\nM104 S0\n"));
  EXPECT_FALSE(board->now("r1_drop"));
  EXPECT_FALSE(board->now("r2_line"));
  EXPECT_FALSE(core->relays[0]->commanded_closed());
  EXPECT_FALSE(core->relays[1]->commanded_closed());
}

TEST_F(EstopLoopTest, TheLatchIsInMappedMemoryWhenTheFirstByteLeaves) {
  press();
  for (const auto& entry : core->printers) {
    machine::Memory memory;
    ASSERT_TRUE(entry->mapped->memory.load(memory));
    EXPECT_TRUE(machine::latched(memory));
    EXPECT_TRUE(has(memory.causes, Cause::button));
  }
  PassTimes times;
  ASSERT_TRUE(core->printers[0]->last_pass.load(times));
  EXPECT_LE(times.latched_ns, times.write_ns);
  EXPECT_LE(times.write_ns, times.relay_ns);
}

TEST_F(EstopLoopTest, EveryPressSendsAgain) {
  for (int i = 0; i < 5; ++i) {
    press();
    EXPECT_TRUE(port_took(0).starts_with("\nM112\n")) << i;
    press(true);
  }
}

TEST_F(EstopLoopTest, AReleaseUndoesNothing) {
  press();
  press(true);
  EXPECT_NE(state(0), machine::State::armed);
  EXPECT_FALSE(board->now("r1_drop"));
}

TEST_F(EstopLoopTest, AFullPortIsFlushedAndDoesNotHoldUpAnotherPortOrARelay) {
  const std::string junk(4096, 'x');
  const int fd = core->printers[0]->shared.port_fd.load();
  while (write(fd, junk.data(), junk.size()) > 0) {
  }
  press();
  EXPECT_TRUE(port_took(1).starts_with("\nM112\n"));
  EXPECT_FALSE(board->now("r1_drop"));
  EXPECT_FALSE(board->now("r2_line"));
}

TEST_F(EstopLoopTest, APortThatIsGoneDoesNotHoldUpARelay) {
  core->printers[0]->shared.port_fd.store(-1);
  press();
  EXPECT_FALSE(board->now("r1_drop"));
  EXPECT_TRUE(port_took(1).starts_with("\nM112\n"));
}

TEST_F(EstopLoopTest, ALostBoardCountsAsEveryInputPressed) {
  loop->pass(now_ns, {}, true);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(has(core->printers[i]->memory.causes, Cause::input_fault));
    EXPECT_TRUE(port_took(i).starts_with("\nM112\n"));
  }
}

TEST_F(EstopLoopTest, AVerdictStopsItsPrinterAndLeavesTheOthers) {
  core->raise(*core->printers[1], bit(Cause::over_limit));
  loop->pass(now_ns, {}, false);
  EXPECT_FALSE(board->now("r2_line"));
  EXPECT_TRUE(board->now("r1_drop"));
  EXPECT_EQ(state(0), machine::State::armed);
  EXPECT_EQ(port_took(0), "");
}

TEST_F(EstopLoopTest, OneTripTakesThePowerFromAllMembersOfItsRelay) {
  core->relays[0]->members = {0, 2};
  core->printers[2]->relay = core->relays[0].get();
  core->printers[2]->memory.relay_closed = true;
  core->raise(*core->printers[0], bit(Cause::stuck_on));
  loop->pass(now_ns, {}, false);
  EXPECT_FALSE(core->relays[0]->commanded_closed());
  EXPECT_TRUE(has(core->printers[2]->memory.causes, Cause::shared_power));
  EXPECT_TRUE(port_took(2).starts_with("\nM112\n"));
}

TEST_F(EstopLoopTest, APressLatchesTheHostUntilItsNumberIsTypedAndTheButtonIsOut) {
  press();
  HostMemory host;
  core->host_seen.load(host);
  ASSERT_TRUE(host.latched);
  core->host_reset_request.store(host.generation);
  pass_after(10);
  core->host_seen.load(host);
  EXPECT_TRUE(host.latched) << "the button is still pressed";
  press(true);
  core->host_reset_request.store(host.generation + 1);
  pass_after(10);
  core->host_seen.load(host);
  EXPECT_TRUE(host.latched) << "another number";
  core->host_reset_request.store(host.generation);
  pass_after(10);
  core->host_seen.load(host);
  EXPECT_FALSE(host.latched);
}

TEST_F(EstopLoopTest, AStopWhoseRelayStaysLiveIsNotCutAndSoundsTheAlarm) {
  press();
  pass_after(210);
  EXPECT_EQ(state(0), machine::State::not_cut);
  EXPECT_TRUE(core->alarm_on.load());
}

TEST_F(EstopLoopTest, ABoardThatDoesNotObeyIsCutAtEachLookAndToldOfOnceAMinute) {
  press();
  board->levels[board->index("r1_feedback")] = false;
  pass_after(10);
  ASSERT_EQ(state(0), machine::State::tripped);
  BlackBoxRecord event;
  const auto told = [&](std::string_view sentence) {
    int count = 0;
    while (events.pop(event)) {
      const bool same = std::string_view(event.text.data(), event.text_size) == sentence;
      count += event.printer == 0 && same ? 1 : 0;
    }
    return count;
  };
  const auto show_heat_for = [&](int seconds) {
    int cuts = 0;
    for (int i = 0; i < 10 * seconds; ++i) {
      const auto& memory = core->printers[0]->memory;
      MonitorFacts facts;
      facts.for_state = memory.state;
      facts.for_entered_ns = memory.entered_ns;
      facts.silent = false;
      facts.sign_of_heat = true;
      core->printers[0]->monitor.store(facts);
      pass_after(100);
      cuts += port_took(0).starts_with("\nM112\n") ? 1 : 0;
    }
    return cuts;
  };
  told("");
  EXPECT_GE(show_heat_for(50), 200);  // A pass for the cut, and one for its proof.
  EXPECT_EQ(told("any sign of heat cuts a stopped printer"), 1);
  EXPECT_GE(show_heat_for(50), 200);
  EXPECT_EQ(told("any sign of heat cuts a stopped printer"), 1);
  press();
  pass_after(10);
  EXPECT_EQ(told("an open contact proves the cut"), 1) << "a press is always told with its end";
}

TEST_F(EstopLoopTest, AGuardThatLapsedCutsEverything) {
  now_ns += 900 * millisecond;
  loop->pass(now_ns, {}, false);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(has(core->printers[i]->memory.causes, Cause::guard_lapsed)) << i;
  }
}

}  // namespace
}  // namespace firebreak::guard
