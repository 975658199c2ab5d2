// The black box on a disk that loses power, tears and reorders what was not synced, and fails.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "agent/guard/blackbox/black_box.h"
#include "common/chain/event_chain.h"
#include "common/log/log.h"
#include "tests/unit/common/crash_disk.h"

namespace firebreak::guard {
namespace {

using nlohmann::json;
using testing::CrashDisk;

// What the outside knows: which events were pushed, and which were acknowledged with which hash.
struct Ledger {
  int next_id = 1;
  std::string log;
  std::int64_t acknowledged = 0;
  std::map<std::int64_t, std::string> hashes;  // by seq, of acknowledged events that were read
};

// One life of the guard's recorder, from start to a kill or a cut.
class Life {
 public:
  Life(CrashDisk& disk, ManualClock& clock, Ledger& ledger)
      : clock_(clock), ledger_(ledger), box_(options(disk), clock) {
    queue_ = &box_.event_queue(64);
    samples_ = &box_.sample_queue(64);
  }

  static BlackBoxOptions options(CrashDisk& disk) {
    BlackBoxOptions options;
    options.boot_id = std::string(32, 'b');
    options.printers = {{"p1", {"hotend", "bed"}}};
    options.sample_batch = std::chrono::seconds{5};
    options.vfs = disk.vfs();
    return options;
  }

  void push(EventKind kind = EventKind::state) {
    BlackBoxRecord record = make_record(clock_, kind, Severity::info, 0);
    record.format_text("event {}", ledger_.next_id).add("id", ledger_.next_id);
    ++ledger_.next_id;
    ASSERT_TRUE(queue_->push(record));
    clock_.advance(std::chrono::milliseconds{1});
  }

  // One second of life: readings, some events, one run, and a look at what was acknowledged.
  void second(int events, EventKind kind = EventKind::state) {
    for (std::uint16_t heater = 0; heater < 2; ++heater) {
      Sample sample;
      sample.mono_ns = clock_.now().time_since_epoch().count();
      sample.heater = heater;
      sample.celsius = 200.5F;
      samples_->push(sample);
    }
    for (int i = 0; i < events; ++i) push(kind);
    clock_.advance(std::chrono::seconds{1});
    box_.run_once();
    note();
  }

  void note() {
    const BlackBoxStatus status = box_.status();
    if (status.log.empty()) return;
    if (ledger_.log.empty()) ledger_.log = status.log;
    ASSERT_EQ(ledger_.log, status.log) << "a new log began: " << status.detail;
    ASSERT_GE(status.last_seq, ledger_.acknowledged) << "numbers went back";
    ledger_.acknowledged = status.last_seq;
    auto events = box_.events_after({}, static_cast<std::int64_t>(ledger_.hashes.size()), 500);
    if (!events) return;
    for (const json& event : *events) ledger_.hashes[event["seq"]] = event["hash"];
  }

  BlackBox& box() { return box_; }

 private:
  ManualClock& clock_;
  Ledger& ledger_;
  BlackBox box_;
  EventQueue* queue_;
  SampleQueue* samples_;
};

// Everything that must hold of a log that was just opened again.
std::set<int> verify(BlackBox& box, const Ledger& ledger) {
  std::set<int> ids;
  const BlackBoxStatus status = box.status();
  EXPECT_TRUE(status.ok) << status.detail;
  if (!ledger.log.empty()) {
    EXPECT_EQ(ledger.log, status.log);
  }
  EXPECT_GE(status.last_seq, ledger.acknowledged) << "acknowledged events are gone";
  chain::EventVerifier verifier;
  while (verifier.seq() < status.last_seq) {
    auto events = box.events_after({}, verifier.seq(), 500);
    if (!events || events->empty()) {
      ADD_FAILURE() << (events ? "no events" : events.error().message);
      break;
    }
    for (const json& event : *events) {
      const auto taken = verifier.take(event);
      EXPECT_TRUE(taken) << (taken ? "" : taken.error().message);
      if (!taken) return ids;
      const auto known = ledger.hashes.find(event["seq"]);
      if (known != ledger.hashes.end()) {
        EXPECT_EQ(known->second, event["hash"]);
      }
      if (!event["data"].contains("id")) continue;
      EXPECT_TRUE(ids.insert(event["data"]["id"].get<int>()).second) << "twice: " << event;
    }
  }
  return ids;
}

// Lives until the power goes or `seconds` are over.
void live(CrashDisk& disk, ManualClock& clock, Ledger& ledger, int seconds,
          std::mt19937_64& random) {
  Life life(disk, clock, ledger);
  for (int i = 0; i < seconds && disk.powered(); ++i) {
    const bool trip = random() % 8 == 0;
    life.second(static_cast<int>(random() % 4), trip ? EventKind::trip : EventKind::state);
    if (random() % 5 == 0 && ledger.acknowledged > 0) {
      (void)life.box().mark_durable(ledger.log, ledger.acknowledged);
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// The failures are meant here; a line for each would only hide a real one.
struct Quiet : ::testing::Environment {
  void SetUp() override { log::init("test", static_cast<log::Level>(2)); }
};
const auto* const quiet = ::testing::AddGlobalTestEnvironment(new Quiet);

constexpr CrashDisk::Survival survivals[] = {
    CrashDisk::Survival::random, CrashDisk::Survival::nothing, CrashDisk::Survival::everything,
    CrashDisk::Survival::in_order};

TEST(BlackBoxCrash, NoAcknowledgedEventIsLostOrDoubledByThousandsOfRandomPowerCuts) {
  // Three cuts each; the long run of `dev test --full` asks for more.
  const std::uint64_t trials = std::getenv("FIREBREAK_FULL") != nullptr ? 4000 : 400;
  for (std::uint64_t seed = 1; seed <= trials; ++seed) {
    std::mt19937_64 random(seed);
    CrashDisk disk(seed);
    ManualClock clock;
    Ledger ledger;
    for (int cut = 0; cut < 3; ++cut) {
      disk.cut_power_after(1 + random() % 120);
      live(disk, clock, ledger, 60, random);
      disk.cut_power();
      disk.power_up(survivals[random() % 4]);
      Life again(disk, clock, ledger);
      again.box().run_once();
      verify(again.box(), ledger);
      ASSERT_FALSE(HasFailure()) << "seed " << seed << ", cut " << cut;
    }
  }
}

// A short history that meets opening, batches, samples, a trip, durability and a checkpoint.
void short_history(CrashDisk& disk, ManualClock& clock, Ledger& ledger) {
  Life life(disk, clock, ledger);
  for (int i = 0; i < 7 && disk.powered(); ++i) {
    life.second(2, i == 3 ? EventKind::trip : EventKind::state);
    if (::testing::Test::HasFatalFailure()) return;
    if (i == 4) (void)life.box().mark_durable(ledger.log, ledger.acknowledged);
  }
  if (disk.powered()) life.box().flush();
}

TEST(BlackBoxCrash, EveryBoundaryOfAShortHistorySurvivesACut) {
  std::uint64_t boundaries = 0;
  {
    CrashDisk disk(1);
    ManualClock clock;
    Ledger ledger;
    short_history(disk, clock, ledger);
    boundaries = disk.boundaries();
  }
  ASSERT_GT(boundaries, 50U);
  for (std::uint64_t at = 1; at <= boundaries; ++at) {
    for (int variant = 0; variant < 6; ++variant) {
      CrashDisk disk(at * 100 + static_cast<std::uint64_t>(variant));
      ManualClock clock;
      Ledger ledger;
      disk.cut_power_after(at);
      short_history(disk, clock, ledger);
      disk.cut_power();
      disk.power_up(variant < 3 ? CrashDisk::Survival::random : survivals[variant - 2]);
      Life again(disk, clock, ledger);
      again.box().run_once();
      verify(again.box(), ledger);
      ASSERT_FALSE(HasFailure()) << "boundary " << at << " of " << boundaries << ", variant "
                                 << variant;
    }
  }
}

struct FaultCase {
  const char* name;
  CrashDisk::Op op;
  int error;
  std::uint64_t count;
};

class BlackBoxFault : public ::testing::TestWithParam<FaultCase> {};

// The n-th operation fails, once, five times or for ever; then the disk is well again. Nothing that
// was pushed is lost (it fits in memory), nothing is there twice, and what was acknowledged stands
// even if the power goes right after.
TEST_P(BlackBoxFault, OfTheNthOperationLosesNothingOnceTheDiskIsWell) {
  const FaultCase& fault = GetParam();
  for (std::uint64_t at = 1;; ++at) {
    CrashDisk disk(at);
    ManualClock clock;
    Ledger ledger;
    disk.fail({fault.op, at, fault.count, fault.error});
    bool reached = false;
    {
      Life life(disk, clock, ledger);
      for (int i = 0; i < 7; ++i) {
        life.second(2, i == 3 ? EventKind::trip : EventKind::state);
        ASSERT_FALSE(HasFailure()) << "operation " << at;
      }
      reached = disk.matched() >= at;
      disk.heal();
      for (int i = 0; i < 5; ++i) {
        clock.advance(std::chrono::seconds{31});
        life.box().run_once();
      }
      life.note();
      const std::set<int> ids = verify(life.box(), ledger);
      EXPECT_EQ(ids.size(), 14U) << "operation " << at;
      disk.cut_power();
    }
    disk.power_up(at % 2 == 0 ? CrashDisk::Survival::nothing : CrashDisk::Survival::random);
    Life again(disk, clock, ledger);
    again.box().run_once();
    const std::set<int> ids = verify(again.box(), ledger);
    EXPECT_EQ(ids.size(), 14U);
    ASSERT_FALSE(HasFailure()) << "operation " << at;
    if (!reached) break;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Disk, BlackBoxFault,
    ::testing::Values(FaultCase{"WriteOnce", CrashDisk::Op::write, 5, 1},
                      FaultCase{"WriteFiveTimes", CrashDisk::Op::write, 5, 5},
                      FaultCase{"WriteForLong", CrashDisk::Op::write, 5, CrashDisk::for_ever},
                      FaultCase{"SyncOnce", CrashDisk::Op::sync, 5, 1},
                      FaultCase{"SyncFiveTimes", CrashDisk::Op::sync, 5, 5},
                      FaultCase{"SyncForLong", CrashDisk::Op::sync, 5, CrashDisk::for_ever},
                      FaultCase{"FullOnce", CrashDisk::Op::write, 28, 1},
                      FaultCase{"FullForLong", CrashDisk::Op::write, 28, CrashDisk::for_ever},
                      FaultCase{"OpenOnce", CrashDisk::Op::open, 5, 1},
                      FaultCase{"OpenForLong", CrashDisk::Op::open, 5, CrashDisk::for_ever},
                      FaultCase{"ReadOnce", CrashDisk::Op::read, 5, 1},
                      FaultCase{"TruncateOnce", CrashDisk::Op::truncate, 5, 1},
                      FaultCase{"RemoveOnce", CrashDisk::Op::remove, 5, 1},
                      FaultCase{"AnyOnce", CrashDisk::Op::any, 5, 1},
                      FaultCase{"AnyForLong", CrashDisk::Op::any, 5, CrashDisk::for_ever}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace firebreak::guard
