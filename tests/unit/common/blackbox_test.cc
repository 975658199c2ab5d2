#include "agent/guard/blackbox/black_box.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "agent/guard/blackbox/sample_store.h"
#include "common/base/escape.h"
#include "common/chain/event_chain.h"
#include "common/storage/database.h"
#include "tests/unit/common/crash_disk.h"

namespace firebreak::guard {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::CrashDisk;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// ---- the ring ----

TEST(SpscQueue, GivesBackInOrderAndCountsWhatDidNotFit) {
  SpscQueue<int> queue(3);
  EXPECT_EQ(queue.capacity(), 4U);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.push(i));
  EXPECT_FALSE(queue.push(4));
  EXPECT_FALSE(queue.push(5));
  int value = -1;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(queue.pop(value));
    EXPECT_EQ(value, i);
  }
  EXPECT_FALSE(queue.pop(value));
  EXPECT_EQ(queue.take_dropped(), 2U);
  EXPECT_EQ(queue.take_dropped(), 0U);
}

TEST(SpscQueue, LosesNothingUncountedBetweenTwoThreads) {
  SpscQueue<std::uint64_t> queue(64);
  constexpr std::uint64_t count = 100'000;
  std::thread producer([&] {
    for (std::uint64_t i = 1; i <= count; ++i) queue.push(i);
    while (!queue.push(0)) std::this_thread::yield();
  });
  std::uint64_t taken = 0;
  std::uint64_t last = 0;
  bool ordered = true;
  for (std::uint64_t value = 1; value != 0;) {
    if (!queue.pop(value)) {
      value = 1;
      continue;
    }
    if (value == 0) break;
    ordered = ordered && value > last;
    last = value;
    ++taken;
  }
  producer.join();
  EXPECT_TRUE(ordered);
  EXPECT_GE(taken + queue.take_dropped(), count);
}

TEST(BlackBoxRecord, CutsWhatIsTooLongAndNeverGrows) {
  BlackBoxRecord record;
  record.set_text(std::string(1000, 'x'));
  EXPECT_EQ(record.text_size, BlackBoxRecord::text_bytes);
  record.format_text("{}", std::string(1000, 'y'));
  EXPECT_EQ(record.text_size, BlackBoxRecord::text_bytes);
  for (int i = 0; i < 20; ++i) record.add("key", i);
  EXPECT_EQ(record.number_count, BlackBoxRecord::numbers_max);
}

TEST(BlackBoxRecord, HasAWordForEveryKind) {
  std::set<std::string_view> words;
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(EventKind::count); ++i) {
    words.insert(to_string(static_cast<EventKind>(i)));
  }
  EXPECT_EQ(words.size(), static_cast<std::size_t>(EventKind::count));
  EXPECT_TRUE(words.contains("trip"));
  EXPECT_TRUE(words.contains("network"));
}

// ---- the box on real files ----

class BlackBoxTest : public ::testing::Test {
 protected:
  BlackBoxTest() {
    std::string name = ::testing::TempDir() + "blackbox-XXXXXX";
    folder_ = mkdtemp(name.data());
    options_.directory = folder_;
    options_.boot_id = std::string(32, 'b');
    options_.printers = {{"p1", {"hotend", "bed"}}, {"p2", {"hotend"}}};
    start();
  }
  ~BlackBoxTest() override {
    box_.reset();
    fs::remove_all(folder_);
  }

  void start() {
    box_.reset();
    box_ = std::make_unique<BlackBox>(options_, clock_);
    queue_ = &box_->event_queue(64);
    samples_ = &box_->sample_queue(256);
  }

  BlackBoxRecord record(EventKind kind = EventKind::state, Severity severity = Severity::info) {
    BlackBoxRecord record = make_record(clock_, kind, severity, 0);
    return record.set_text("something happened");
  }
  void push(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(queue_->push(record()));
  }
  void run(milliseconds after = milliseconds{100}) {
    clock_.advance(after);
    box_->run_once();
  }
  void sample(std::uint16_t printer, std::uint16_t heater, float celsius) {
    Sample s;
    s.mono_ns = clock_.now().time_since_epoch().count();
    s.wall_ms = clock_.wall().time_since_epoch().count();
    s.printer = printer;
    s.heater = heater;
    s.celsius = celsius;
    s.target_celsius = 210;
    s.duty = 0.5F;
    ASSERT_TRUE(samples_->push(s));
  }
  json events(std::int64_t after = 0) {
    auto page = box_->events_after({}, after, 500, 1 << 20);
    EXPECT_TRUE(page) << page.error().message;
    return page ? *page : json::array();
  }
  json last_of(std::string_view kind) {
    json found;
    for (const json& event : events()) {
      if (event["kind"] == kind) found = event;
    }
    return found;
  }
  std::vector<std::string> corrupt_files() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename();
      if (contains(name, ".corrupt-") && name.ends_with(".db")) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  void junk(const char* name) {
    std::ofstream(folder_ / name, std::ios::trunc) << std::string(20'000, 'j');
  }

  fs::path folder_;
  ManualClock clock_;
  BlackBoxOptions options_;
  std::unique_ptr<BlackBox> box_;
  EventQueue* queue_ = nullptr;
  SampleQueue* samples_ = nullptr;
};

TEST_F(BlackBoxTest, StoresEventsInTheShapeOfTheProtocol) {
  BlackBoxRecord r = make_record(clock_, EventKind::relay, Severity::alarm, 1);
  r.set_text("relay r1 did not open").add("feedback_ms", 200).add("volts", 23.5);
  r.set_data(R"({"relay":"r1","covers":["p2/hotend"]})");
  ASSERT_TRUE(queue_->push(r));
  run();
  const json all = events();
  ASSERT_EQ(all.size(), 1U);
  const json& e = all[0];
  EXPECT_EQ(e["log"], box_->status().log);
  EXPECT_EQ(e["log"].get<std::string>().size(), 16U);
  EXPECT_EQ(e["seq"], 1);
  EXPECT_EQ(e["boot"], options_.boot_id);
  EXPECT_EQ(e["mono_ms"], 1'000'000);
  EXPECT_EQ(e["wall"], "2027-01-15T08:00:00.000Z");
  EXPECT_EQ(e["kind"], "relay");
  EXPECT_EQ(e["severity"], "alarm");
  EXPECT_EQ(e["printer"], "p2");
  EXPECT_EQ(e["text"], "relay r1 did not open");
  EXPECT_EQ(e["data"], json({{"relay", "r1"}, {"covers", {"p2/hotend"}}, {"feedback_ms", 200},
                             {"volts", 23.5}}));
  chain::EventVerifier verifier;
  EXPECT_TRUE(verifier.take(e));
}

TEST_F(BlackBoxTest, KeepsTheChainAndTheNumbersOverRestarts) {
  chain::EventVerifier verifier;
  const auto check = [&] {
    for (const json& event : events(verifier.seq())) {
      const auto taken = verifier.take(event);
      ASSERT_TRUE(taken) << taken.error().message;
    }
  };
  push(3);
  run();
  const std::string log = box_->status().log;
  check();
  for (int i = 0; i < 5; ++i) {
    start();
    push(2);
    run();
    EXPECT_EQ(box_->status().log, log);
    check();
  }
  EXPECT_EQ(verifier.seq(), 13);
  EXPECT_EQ(box_->last_seq(), 13);
}

TEST_F(BlackBoxTest, OrdersTheEventsOfSeveralThreadsByTime) {
  EventQueue& other = box_->event_queue(8);
  BlackBoxRecord late = record();
  late.set_text("late").mono_ns += 5;
  BlackBoxRecord early = record();
  early.set_text("early");
  queue_->push(late);
  other.push(early);
  run();
  EXPECT_EQ(events()[0]["text"], "early");
  EXPECT_EQ(events()[1]["text"], "late");
}

TEST_F(BlackBoxTest, SaysHowManyEventsAFullRingLost) {
  for (int i = 0; i < 100; ++i) queue_->push(record());
  run();
  const json loss = last_of("loss");
  ASSERT_FALSE(loss.is_null());
  EXPECT_EQ(loss["data"]["events"], 36);
  EXPECT_EQ(box_->status().events_lost, 36U);
  run();
  EXPECT_EQ(box_->last_seq(), 65) << "said once";
}

TEST_F(BlackBoxTest, NeverLetsHostileTextOutAsItCame) {
  BlackBoxRecord r = record();
  r.set_text("printer said \x1b[2J\xff\n{\"kind\":\"trip\"}");
  r.set_data("{\"a\":\"\x1b\"}");
  ASSERT_TRUE(queue_->push(r));
  r.set_text("cut in a character: " + std::string(155, 'x') + "äöü");
  r.set_data("{\"a\":" + std::string(60, '[') + std::string(60, ']') + "}");
  r.add("nan", std::nan("")).add("inf", INFINITY);
  ASSERT_TRUE(queue_->push(r));
  r.set_data("[1]");
  ASSERT_TRUE(queue_->push(r));
  run();
  const json all = events();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0]["text"], "printer said \\x1b[2J\\xff\\n{\"kind\":\"trip\"}");
  EXPECT_TRUE(contains(all[0]["data"]["raw"], "\\x1b"));
  EXPECT_TRUE(is_utf8(all[1]["text"].get<std::string>()));
  EXPECT_TRUE(all[1]["data"].contains("raw"));
  EXPECT_TRUE(all[1]["data"]["nan"].is_null());
  EXPECT_TRUE(all[1]["data"]["inf"].is_null());
  EXPECT_EQ(all[2]["data"]["raw"], "[1]");
}

TEST_F(BlackBoxTest, AClockSetBackAYearChangesNeitherOrderNorNumbers) {
  push(1);
  run();
  clock_.set_wall(clock_.wall() - std::chrono::hours{24 * 365});
  push(1);
  run();
  clock_.set_wall(WallTime{});
  push(1);
  run();
  const json all = events();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1]["wall"], "2026-01-15T08:00:00.100Z");
  EXPECT_TRUE(all[2]["wall"].is_null());
  EXPECT_LT(all[1]["mono_ms"], all[2]["mono_ms"]);
}

// ---- evidence ----

TEST_F(BlackBoxTest, ATripIsOnTheDiskAtOnceWithItsFiveMinutesOfEvidence) {
  for (int second = 0; second < 600; ++second) {
    sample(0, 0, 200.0F + static_cast<float>(second) / 10);
    sample(0, 1, 60);
    run(seconds{1});
  }
  sample(0, 0, 300);
  ASSERT_TRUE(queue_->push(record(EventKind::trip, Severity::alarm)));
  run();
  const json evidence = last_of("trip")["data"]["evidence"];
  EXPECT_EQ(evidence["hotend"]["n"], 301);
  EXPECT_EQ(evidence["hotend"]["last"], 300.0);
  EXPECT_EQ(evidence["hotend"]["max"], 300.0);
  EXPECT_EQ(evidence["hotend"]["target"], 210.0);
  EXPECT_EQ(evidence["hotend"]["duty"], 0.5);
  EXPECT_EQ(evidence["bed"]["min"], 60.0);

  auto store = SampleStore::open(folder_ / "samples.db", "", options_.boot_id, 1 << 20);
  ASSERT_TRUE(store);
  const auto kept = store->read("p1", "hotend");
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 601U) << "everything up to the trip";
  EXPECT_EQ(kept->back().celsius, 300.0F);
  EXPECT_EQ(kept->back().target_celsius, 210.0F);
  EXPECT_EQ(kept->back().duty, 0.5F);
  for (std::size_t i = 1; i < kept->size(); ++i) {
    EXPECT_GT((*kept)[i].mono_ns, (*kept)[i - 1].mono_ns);
  }
}

TEST_F(BlackBoxTest, UnknownReadingsStayUnknown) {
  sample(0, 0, std::nanf(""));
  sample(0, 0, 20);
  ASSERT_TRUE(queue_->push(record(EventKind::trip, Severity::alarm)));
  run();
  const json hotend = last_of("trip")["data"]["evidence"]["hotend"];
  EXPECT_EQ(hotend["unknown"], 1);
  EXPECT_EQ(hotend["min"], 20.0);
  const auto recent = box_->recent_samples(0, 0, seconds{60});
  ASSERT_TRUE(recent);
  EXPECT_TRUE((*recent)[0][1].is_null());
  EXPECT_FALSE(box_->recent_samples(0, 5, seconds{60}));
  sample(9, 9, 1);  // nobody's heater: ignored
  run();
}

TEST_F(BlackBoxTest, TheRingOfSamplesIsBounded) {
  options_.sample_keep = std::chrono::hours{1};
  start();
  for (int second = 0; second < 3 * 3600; ++second) {
    sample(0, 0, 20);
    run(seconds{1});
  }
  box_->flush();
  auto store = SampleStore::open(folder_ / "samples.db", "", options_.boot_id, 1 << 20);
  ASSERT_TRUE(store);
  const auto kept = store->read("p1", "hotend");
  ASSERT_TRUE(kept);
  const std::size_t hour_of_three_heaters = 3 * 3600;
  EXPECT_LE(kept->size(), hour_of_three_heaters + 120);
  EXPECT_GE(kept->size(), hour_of_three_heaters - 120);
}

// ---- damage ----

TEST_F(BlackBoxTest, JunkIsPutAsideNamedAndReplaced) {
  push(3);
  run();
  const std::string log = box_->status().log;
  box_.reset();
  junk("blackbox.db");
  junk("samples.db");
  start();
  push(1);
  run();
  EXPECT_TRUE(box_->status().ok) << box_->status().detail;
  EXPECT_NE(box_->status().log, log);
  const json said = last_of("store");
  ASSERT_FALSE(said.is_null());
  EXPECT_EQ(said["severity"], "alarm");
  EXPECT_EQ(said["data"]["file"], "blackbox.corrupt-1.db");
  EXPECT_TRUE(contains(said["text"], "blackbox.corrupt-1.db"));
  EXPECT_EQ(events()[0]["seq"], 1);
  EXPECT_EQ(last_of("state")["text"], "something happened") << "nothing that waited is lost";
  sample(0, 0, 20);
  run(seconds{61});
  run(seconds{61});
  run(seconds{61});
  EXPECT_TRUE(fs::exists(folder_ / "samples.corrupt-1.db"));
  EXPECT_TRUE(box_->status().ok) << box_->status().detail;
}

TEST_F(BlackBoxTest, KeepsOnlyThreeDamagedFiles) {
  for (int i = 0; i < 5; ++i) {
    box_.reset();
    junk("blackbox.db");
    start();
    run();
    ASSERT_TRUE(box_->status().ok);
  }
  EXPECT_EQ(corrupt_files(), (std::vector<std::string>{"blackbox.corrupt-3.db", "blackbox.corrupt-4.db",
                                                        "blackbox.corrupt-5.db"}));
}

TEST_F(BlackBoxTest, AnEventThatWasEditedIsFoundAtTheStart) {
  push(10);
  run();
  box_.reset();
  {
    auto db = storage::Database::open(folder_ / "blackbox.db");
    ASSERT_TRUE(db);
    ASSERT_TRUE(db->run("UPDATE event SET body = (SELECT body FROM event WHERE seq = 4) WHERE seq = 5"));
  }
  start();
  run();
  EXPECT_EQ(corrupt_files().size(), 1U);
  EXPECT_TRUE(contains(last_of("store")["text"], "damaged"));
}

TEST_F(BlackBoxTest, AMissingEventIsFoundAtTheStart) {
  push(10);
  run();
  box_.reset();
  {
    auto db = storage::Database::open(folder_ / "blackbox.db");
    ASSERT_TRUE(db->run("DELETE FROM event WHERE seq = 5"));
  }
  start();
  run();
  EXPECT_EQ(corrupt_files().size(), 1U);
}

TEST_F(BlackBoxTest, AnOldEventThatDecayedIsFoundWhenItIsReadAndNeverGivenOut) {
  for (int i = 0; i < 40; ++i) {
    push(60);
    run();
  }
  ASSERT_EQ(box_->last_seq(), 2400);
  const std::string log = box_->status().log;
  box_.reset();
  {
    auto db = storage::Database::open(folder_ / "blackbox.db");
    ASSERT_TRUE(db->run("UPDATE event SET body = x'a0' WHERE seq = 7"));
  }
  start();
  run();
  EXPECT_EQ(box_->status().log, log) << "older than what a start verifies";
  auto page = box_->events_after({}, 0, 500, 1 << 20);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, ErrorCode::corrupt);
  run();
  EXPECT_EQ(corrupt_files().size(), 1U);
  EXPECT_NE(box_->status().log, log);
  EXPECT_EQ(last_of("store")["data"]["undelivered"], 2400);
}

TEST_F(BlackBoxTest, ADatabaseReplacedByJunkWhileRunningDoesNotStopIt) {
  push(3);
  run();
  junk("blackbox.db");
  fs::remove(folder_ / "blackbox.db-wal");
  for (int i = 0; i < 40; ++i) {
    push(1);
    run(seconds{31});
    (void)box_->events_after({}, 0, 10);
  }
  EXPECT_TRUE(box_->status().ok) << box_->status().detail;
}

TEST_F(BlackBoxTest, AMissingFolderIsAWarningUntilItIsThere) {
  box_.reset();
  fs::remove_all(folder_);
  options_.waiting_max = 20;
  start();
  for (int i = 0; i < 30; ++i) push(1);
  ASSERT_TRUE(queue_->push(record(EventKind::trip, Severity::alarm)));
  run();
  for (int i = 0; i < 25; ++i) push(1);
  run();
  EXPECT_FALSE(box_->status().ok);
  EXPECT_NE(box_->status().detail, "");
  EXPECT_EQ(box_->status().events_waiting, 20U);
  EXPECT_FALSE(box_->events_after({}, 0, 10));
  fs::create_directory(folder_);
  run(seconds{31});
  EXPECT_TRUE(box_->status().ok) << box_->status().detail;
  EXPECT_FALSE(last_of("trip").is_null()) << "the severe ones are kept longest";
  EXPECT_GE(last_of("loss")["data"]["events"], 36);
  EXPECT_TRUE(contains(last_of("store")["text"], "writes again"));
}

// ---- durability, pages, limits ----

TEST_F(BlackBoxTest, TheCoordinatorsReceiptsLetOldEventsGo) {
  options_.events_keep = 100;
  start();
  for (int i = 0; i < 40; ++i) {
    push(50);
    run();
  }
  const std::string log = box_->status().log;
  EXPECT_EQ(events()[0]["seq"], 1) << "nothing goes that nobody has";
  EXPECT_EQ(box_->mark_durable("0000000000000000", 5).error().code, ErrorCode::not_found);
  EXPECT_EQ(box_->mark_durable(log, 2001).error().code, ErrorCode::bad_input);
  EXPECT_EQ(box_->mark_durable(log, -1).error().code, ErrorCode::bad_input);
  ASSERT_TRUE(box_->mark_durable(log, 1000));
  ASSERT_TRUE(box_->mark_durable(log, 900));
  EXPECT_EQ(box_->status().durable_seq, 1000) << "never back";
  for (int i = 0; i < 10; ++i) run();
  EXPECT_EQ(events()[0]["seq"], 1001);
  ASSERT_TRUE(box_->mark_durable(log, 2000));
  for (int i = 0; i < 10; ++i) run(seconds{61});
  const std::int64_t first = events()[0]["seq"];
  EXPECT_LE(2000 - first, 100 + 512);
  start();
  run();
  EXPECT_EQ(box_->status().durable_seq, 2000);
  EXPECT_EQ(box_->status().log, log);
  push(1);
  run();
  EXPECT_EQ(box_->last_seq(), 2001);
}

TEST_F(BlackBoxTest, TooManyUndeliveredEventsGoLoudly) {
  options_.events_keep = 100;
  options_.events_max = 300;
  start();
  for (int i = 0; i < 20; ++i) {
    push(60);
    run();
  }
  EXPECT_GT(events()[0]["seq"], 600);
  EXPECT_FALSE(last_of("loss").is_null());
}

TEST_F(BlackBoxTest, PagesAreBoundedByBytesButNeverEmpty) {
  push(60);
  run();
  auto page = box_->events_after({}, 0, 500, 4000);
  ASSERT_TRUE(page);
  EXPECT_GT(page->size(), 2U);
  EXPECT_LT(page->size(), 30U);
  EXPECT_LE(page->dump().size(), 4400U);
  page = box_->events_after({}, 0, 500, 1);
  EXPECT_EQ(page->size(), 1U);
  EXPECT_EQ(box_->events_after({}, 60, 500)->size(), 0U);
  EXPECT_EQ(box_->events_after("0000000000000000", 0, 5).error().code, ErrorCode::not_found);
}

TEST_F(BlackBoxTest, AReaderWaitsForAnEvent) {
  push(1);
  run();
  EXPECT_TRUE(box_->wait_for_event(0, milliseconds{0}));
  EXPECT_FALSE(box_->wait_for_event(1, milliseconds{1}));
  std::thread store([&] {
    push(1);
    run();
  });
  EXPECT_TRUE(box_->wait_for_event(1, seconds{60}));
  store.join();
}

TEST_F(BlackBoxTest, ReadersAndTheStoreRunTogether) {
  std::atomic<bool> done{false};
  std::thread control([&] {
    std::int64_t seen = 0;
    while (!done) {
      auto page = box_->events_after({}, seen, 50);
      if (page && !page->empty()) seen = page->back()["seq"];
      (void)box_->status();
      (void)box_->recent_samples(0, 0, seconds{60});
      if (seen > 0) (void)box_->mark_durable(box_->logs()[0].log, seen);
    }
  });
  for (int i = 0; i < 200; ++i) {
    sample(0, 0, 20);
    push(3);
    run();
  }
  done = true;
  control.join();
  EXPECT_EQ(box_->last_seq(), 600);
}

// ---- wear ----

TEST(BlackBoxWear, AQuietHourCostsOneSmallTransactionAMinute) {
  CrashDisk disk(1);
  ManualClock clock;
  BlackBoxOptions options;
  options.boot_id = std::string(32, 'b');
  options.printers = {{"p1", {"hotend", "bed"}}, {"p2", {"hotend", "bed"}},
                      {"p3", {"hotend", "bed"}}, {"p4", {"hotend", "bed"}}};
  options.vfs = disk.vfs();
  BlackBox box(options, clock);
  SampleQueue& samples = box.sample_queue();
  box.run_once();
  const auto syncs = disk.syncs();
  const auto bytes = disk.bytes_written();
  for (int second = 0; second < 3600; ++second) {
    for (std::uint16_t i = 0; i < 8; ++i) {
      Sample sample;
      sample.mono_ns = clock.now().time_since_epoch().count();
      sample.printer = i / 2;
      sample.heater = i % 2;
      sample.celsius = 20;
      samples.push(sample);
    }
    for (int i = 0; i < 10; ++i) {
      clock.advance(milliseconds{100});
      box.run_once();
    }
  }
  EXPECT_LE(disk.syncs() - syncs, 60 + 20U) << "one a minute, and the checkpoints";
  EXPECT_LE(disk.bytes_written() - bytes, 60U * 40 * 1024) << "a day of it is 56 MB";
}

}  // namespace
}  // namespace firebreak::guard
