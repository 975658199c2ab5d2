// What the black box does with files that are junk, edited, decayed, missing or out of reach.
#include "common/storage/database.h"
#include "tests/unit/common/blackbox_fixture.h"

namespace firebreak::guard {
namespace {

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
  EXPECT_EQ(corrupt_files(),
            (std::vector<std::string>{"blackbox.corrupt-3.db", "blackbox.corrupt-4.db",
                                      "blackbox.corrupt-5.db"}));
}

TEST_F(BlackBoxTest, AnEventThatWasEditedIsFoundAtTheStart) {
  push(10);
  run();
  box_.reset();
  {
    auto db = storage::Database::open(folder_ / "blackbox.db");
    ASSERT_TRUE(db);
    ASSERT_TRUE(
        db->run("UPDATE event SET body = (SELECT body FROM event WHERE seq = 4) WHERE seq = 5"));
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

TEST_F(BlackBoxTest, ASecondGuardOnTheSameFolderTouchesNothingUntilTheFirstIsGone) {
  push(3);
  run();
  const std::string log = box_->status().log;
  BlackBox second(options_, clock_);
  EventQueue& queue = second.event_queue();
  queue.push(record());
  second.run_once();
  EXPECT_FALSE(second.status().ok);
  EXPECT_TRUE(contains(second.status().detail, "second guard")) << second.status().detail;
  push(1);
  run();
  EXPECT_EQ(box_->last_seq(), 4);
  box_.reset();
  clock_.advance(seconds{31});
  second.run_once();
  EXPECT_TRUE(second.status().ok) << second.status().detail;
  EXPECT_EQ(second.status().log, log);
  EXPECT_GE(second.last_seq(), 5);
  EXPECT_TRUE(corrupt_files().empty());
}

}  // namespace
}  // namespace firebreak::guard
