// The store on a disk that loses power at any boundary, tears and reorders what was not synced, and
// fails once or for ever. What an agent was told is judged by what the agent remembers.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "bench.h"
#include "common/log/log.h"
#include "tests/unit/common/crash_disk.h"

namespace firebreak::coordinator {
namespace {

using firebreak::testing::CrashDisk;
using nlohmann::json;

const std::string log_id = "00000000000000aa";

/// An agent: keeps its events, sends them from where the coordinator stands, remembers receipts.
struct Agent {
  EventMaker maker{log_id};
  json events = json::array();
  std::uint64_t told_stored = 0;

  void make(int count) {
    for (int i = 0; i < count; ++i) events.push_back(maker.next());
  }
  /// One exchange; false when the coordinator did not take it.
  bool send(Store& store, std::size_t most) {
    auto positions = store.sink().positions("a1");
    if (!positions) return false;
    const std::uint64_t from = positions->empty() ? 0 : positions->front().stored;
    json batch = json::array();
    // One event more than needed at the front: resent events must change nothing.
    for (std::size_t i = from > 0 ? from - 1 : 0; i < events.size() && batch.size() < most; ++i)
      batch.push_back(events[i]);
    if (batch.empty()) return true;
    auto receipt = store.sink().append_events("a1", log_id, batch);
    if (!receipt) return false;
    told_stored = std::max(told_stored, receipt->position.stored);
    return true;
  }
};

Result<std::unique_ptr<SqliteStore>> open_on(CrashDisk& disk, const Clock& clock) {
  storage::OpenOptions open;
  open.vfs = disk.vfs();
  return SqliteStore::open({"coordinator.db", test_key(), DurableMeans::stored, open}, clock);
}

/// Everything that must hold of a store that was just opened again.
void verify(Store& store, const Agent& agent) {
  const auto verdict = store.verify_audit();
  ASSERT_TRUE(verdict) << verdict.error().message;
  EXPECT_EQ(verdict->invalid, 0u) << verdict->detail;
  EXPECT_EQ(verdict->first_invalid, std::nullopt) << verdict->detail;
  EventQuery all;
  all.limit = 100'000;
  const auto rows = store.events(all);
  ASSERT_TRUE(rows);
  std::uint64_t next = 1;
  for (const EventRow& row : *rows) {
    EXPECT_EQ(row.body["seq"], next);
    EXPECT_EQ(row.body["hash"], agent.events[next - 1]["hash"]);
    EXPECT_TRUE(row.chain_ok);
    ++next;
  }
  EXPECT_GE(rows->size(), agent.told_stored) << "acknowledged events are gone";
  const auto logs = store.logs();
  ASSERT_TRUE(logs);
  for (const LogRow& log : *logs) EXPECT_EQ(log.stored, rows->size());
}

int lives() {
  const char* more = std::getenv("FIREBREAK_CRASHES");
  return more != nullptr ? std::atoi(more) : 60;
}

struct Quiet : ::testing::Environment {
  void SetUp() override { log::init("test", static_cast<log::Level>(2)); }
};
const auto* const quiet = ::testing::AddGlobalTestEnvironment(new Quiet);

TEST(StoreOnAFailingDisk, loses_nothing_that_it_acknowledged_when_the_power_goes_anywhere) {
  ManualClock clock;
  for (int seed = 1; seed <= 6; ++seed) {
    CrashDisk disk(static_cast<std::uint64_t>(seed));
    std::mt19937_64 random(static_cast<std::uint64_t>(seed));
    Agent agent;
    for (int life = 0; life < lives() / 6; ++life) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", life " + std::to_string(life));
      if (life % 10 != 9) disk.cut_power_after(1 + random() % 400);
      {
        auto store = open_on(disk, clock);
        for (int i = 0; store && i < 30 && disk.powered(); ++i) {
          agent.make(static_cast<int>(random() % 5));
          agent.send(**store, 50);
        }
      }
      disk.cut_power();
      disk.power_up();
      auto store = open_on(disk, clock);
      ASSERT_TRUE(store) << store.error().message;
      verify(**store, agent);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

TEST(StoreOnAFailingDisk, loses_nothing_at_any_single_boundary_of_a_short_life) {
  ManualClock clock;
  for (std::uint64_t boundary = 1; boundary <= 90; boundary += lives() > 60 ? 1 : 4) {
    SCOPED_TRACE("boundary " + std::to_string(boundary));
    CrashDisk disk(boundary);
    Agent agent;
    agent.make(12);
    disk.cut_power_after(boundary);
    {
      auto store = open_on(disk, clock);
      for (int i = 0; store && i < 6; ++i) agent.send(**store, 3);
    }
    disk.cut_power();
    disk.power_up();
    auto store = open_on(disk, clock);
    ASSERT_TRUE(store) << store.error().message;
    verify(**store, agent);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

TEST(StoreOnAFailingDisk, goes_on_by_itself_after_a_write_or_sync_that_failed) {
  ManualClock clock;
  for (const auto op : {CrashDisk::Op::write, CrashDisk::Op::sync}) {
    for (std::uint64_t at = 1; at <= 12; at += 3) {
      SCOPED_TRACE("failure " + std::to_string(at));
      CrashDisk disk(at);
      Agent agent;
      auto store = open_on(disk, clock);
      ASSERT_TRUE(store);
      agent.make(4);
      ASSERT_TRUE(agent.send(**store, 50));
      disk.fail({op, at, 2, 5});
      agent.make(40);
      // Sends until it is all there: each attempt is one answer, so this ends.
      for (int i = 0; i < 200 && agent.told_stored < agent.events.size(); ++i)
        agent.send(**store, 3);
      EXPECT_EQ(agent.told_stored, agent.events.size());
      verify(**store, agent);
      store->reset();
      disk.cut_power();
      disk.power_up(CrashDisk::Survival::nothing);
      auto again = open_on(disk, clock);
      ASSERT_TRUE(again) << again.error().message;
      verify(**again, agent);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

TEST(StoreOnAFailingDisk, a_disk_without_room_refuses_and_takes_again_when_there_is_some) {
  ManualClock clock;
  CrashDisk disk(1);
  Agent agent;
  auto store = open_on(disk, clock);
  ASSERT_TRUE(store);
  agent.make(10);
  ASSERT_TRUE(agent.send(**store, 5));
  disk.fail({CrashDisk::Op::write, 1, CrashDisk::for_ever, 28});
  EXPECT_FALSE(agent.send(**store, 5));
  EXPECT_NE((*store)->health(), StoreHealth::ok);
  EXPECT_TRUE((*store)->events({}));
  disk.heal();
  for (int i = 0; i < 200 && agent.told_stored < agent.events.size(); ++i) agent.send(**store, 5);
  EXPECT_EQ((*store)->health(), StoreHealth::ok);
  verify(**store, agent);
}

}  // namespace
}  // namespace firebreak::coordinator
