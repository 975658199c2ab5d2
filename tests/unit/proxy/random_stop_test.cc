// Stops at any byte of a host's stream: each acts, and the host's protocol is whole afterwards.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/unit/proxy/simulated_link.h"

namespace firebreak::guard {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> job{"G28 X",
                                   "G1 X10 Y10 F6000",
                                   "G1 X20.125 E0.5",
                                   "M105",
                                   "M117 layer 3",
                                   "G1 X5 Y5 Z0.2 F9000",
                                   "M104 S40",
                                   "G92 E0",
                                   "G1 X40 Y2 E1.25",
                                   "M106 S128",
                                   "G1 X1.5 Y99.25 F3000",
                                   "M140 S30",
                                   "G4 P30",
                                   "M114",
                                   "G1 X2 Y2",
                                   "M118 a remark",
                                   "M155 S2"};

/// The firmware boots after its reset button, the machine releases the printer.
void revive(SimulatedLink& bench) {
  bench.printer.reset();
  bench.shared.link_mode = LinkMode::probation;
  bench.run(10s);
  bench.shared.link_mode = LinkMode::pass;
  bench.run(300ms);
}

struct Trial {
  bool emergency_parser;
  bool obeys_cancel;
  std::size_t stop_at;  ///< Bytes of the host's stream.
};

void stop_somewhere(const Trial& trial) {
  sim::PrinterConfig machine;
  machine.dialect.emergency_parser = trial.emergency_parser;
  SimulatedLink bench(machine);
  StreamHost host(job, true, trial.obeys_cancel);
  bench.streamer = &host;
  bench.host.chunk = 1 + trial.stop_at % 13;
  bool stopped = false;
  bench.on_host_bytes = [&] {
    if (stopped || bench.host_bytes < trial.stop_at) return;
    stopped = true;
    bench.stop();
  };
  for (int i = 0; i < 6000 && !stopped; ++i) bench.run(100ms);
  ASSERT_TRUE(stopped) << bench.host_bytes << " bytes only";
  for (int repeat = 0; repeat < 120 && !bench.halted(); ++repeat) {
    bench.run(250ms);
    if (!bench.halted()) bench.stop();  // As the machine repeats it.
  }
  ASSERT_TRUE(bench.halted());
  bench.run(1s);
  EXPECT_TRUE(host.cancelled());
  EXPECT_EQ(host.spare_oks(), 0) << host.heard();
  EXPECT_EQ(host.stalls(), 0) << host.heard();

  bench.streamer = nullptr;
  bench.host.to_printer.clear();
  revive(bench);
  ASSERT_EQ(bench.shared.link_state, LinkState::ready);
  bench.host.open = true;
  bench.host.got.clear();
  bench.to_printer.clear();
  StreamHost next(job, false, true);
  bench.streamer = &next;
  for (int i = 0; i < 600 && !next.finished(); ++i) bench.run(100ms);
  EXPECT_TRUE(next.finished()) << next.lines_done() << "\n" << next.heard();
  EXPECT_EQ(next.lines_done(), static_cast<int>(job.size()) + 1);
  EXPECT_EQ(next.resends(), 0) << next.heard();
  EXPECT_EQ(next.spare_oks(), 0) << next.heard();
  EXPECT_EQ(next.stalls(), 0);
}

TEST(RandomStop, IsActedOnAtAnyByteAndLeavesTheHostsProtocolWhole) {
  // All of them with FIREBREAK_FULL=1: each takes half a minute of simulated time.
  const int trials = std::getenv("FIREBREAK_FULL") != nullptr ? 1000 : 60;
  std::mt19937 random(20261121);
  for (int i = 0; i < trials; ++i) {
    const Trial trial{random() % 2 == 0, random() % 2 == 0, 20 + random() % 3000};
    SCOPED_TRACE("trial " + std::to_string(i) + ", byte " + std::to_string(trial.stop_at));
    stop_somewhere(trial);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace firebreak::guard
