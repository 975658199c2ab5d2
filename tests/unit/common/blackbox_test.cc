// What the black box stores, gives out and keeps.
#include <atomic>
#include <cmath>
#include <thread>

#include "agent/guard/blackbox/sample_store.h"
#include "common/base/escape.h"
#include "common/chain/event_chain.h"
#include "tests/unit/common/blackbox_fixture.h"
#include "tests/unit/common/crash_disk.h"

namespace firebreak::guard {
namespace {

using testing::CrashDisk;

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
  EXPECT_EQ(
      e["data"],
      json({{"relay", "r1"}, {"covers", {"p2/hotend"}}, {"feedback_ms", 200}, {"volts", 23.5}}));
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
  options.printers = {{"p1", {"hotend", "bed"}},
                      {"p2", {"hotend", "bed"}},
                      {"p3", {"hotend", "bed"}},
                      {"p4", {"hotend", "bed"}}};
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
