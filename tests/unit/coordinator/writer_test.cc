#include "coordinator/store/writer.h"

#include <gtest/gtest.h>

#include <future>

#include "bench.h"
#include "common/storage/database.h"
#include "tests/unit/common/crash_disk.h"

namespace firebreak::coordinator {
namespace {

using firebreak::testing::CrashDisk;

struct WriterTest : ::testing::Test {
  ManualClock clock;
  TemporaryFolder folder;
  std::unique_ptr<Writer> writer = open();

  std::unique_ptr<Writer> open() {
    Writer::Options options;
    options.file = folder.path() / "coordinator.db";
    options.audit_key = test_key();
    options.reopen_every = std::chrono::milliseconds{5};
    auto opened = Writer::open(std::move(options), clock);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    return std::move(*opened);
  }

  static Result<void> record(WriteContext& c) {
    auto done = c.record({"test", "test.change", "", nlohmann::json::object()});
    if (!done) return fail(done.error());
    return {};
  }

  /// Runs these jobs in one batch and says how each ended.
  std::vector<Result<void>> run_together(std::vector<Writer::Job> jobs) {
    std::promise<void> begin;
    writer->post(
        [gate = begin.get_future().share()](WriteContext&) -> Result<void> {
          gate.wait();
          return {};
        },
        {});
    std::vector<std::future<Result<void>>> ends;
    for (Writer::Job& job : jobs) {
      auto end = std::make_shared<std::promise<Result<void>>>();
      ends.push_back(end->get_future());
      writer->post(std::move(job), [end](const Result<void>& r) { end->set_value(r); });
    }
    begin.set_value();
    std::vector<Result<void>> out;
    for (auto& end : ends) out.push_back(end.get());
    return out;
  }

  /// A change that works, as soon as the writer has opened its file again.
  bool works_again() {
    for (int i = 0; i < 2000; ++i) {
      if (run_together({record}).front()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return false;
  }

  AuditVerdict verdict() {
    auto reader = storage::Database::open(folder.path() / "coordinator.db");
    return *verify_audit(*reader, test_key());
  }
};

TEST_F(WriterTest, a_change_whose_savepoint_is_gone_fails_and_takes_its_batch_with_it) {
  const auto before = verdict().total;
  const auto lose_the_transaction = [](WriteContext& c) -> Result<void> {
    if (auto done = record(c); !done) return done;
    return c.database.execute("ROLLBACK");  // As SQLite does by itself on a disk without room.
  };
  const auto ends = run_together({record, lose_the_transaction, record});
  for (const auto& end : ends) EXPECT_FALSE(end);
  EXPECT_EQ(verdict().total, before);
  ASSERT_TRUE(works_again());
  EXPECT_EQ(verdict().first_invalid, std::nullopt) << verdict().detail;
}

TEST_F(WriterTest, a_change_that_throws_fails_alone) {
  const auto before = verdict().total;
  const auto ends = run_together(
      {record, [](WriteContext&) -> Result<void> { throw std::runtime_error("a wrong type"); },
       record});
  EXPECT_TRUE(ends[0]);
  EXPECT_FALSE(ends[1]);
  EXPECT_TRUE(ends[2]);
  EXPECT_EQ(verdict().total, before + 2);
  EXPECT_EQ(verdict().first_invalid, std::nullopt) << verdict().detail;
}

TEST_F(WriterTest, an_answer_that_throws_does_not_end_the_writer) {
  writer->post(record, [](const Result<void>&) { throw std::runtime_error("gone"); });
  EXPECT_TRUE(works_again());
}

TEST(WriterOnAFailingDisk, makes_the_log_of_a_dead_process_durable_before_it_is_trusted) {
  ManualClock clock;
  CrashDisk disk(1);
  Writer::Options options;
  options.file = "coordinator.db";
  options.audit_key = test_key();
  options.open.vfs = disk.vfs();
  {
    auto writer = Writer::open(options, clock);
    ASSERT_TRUE(writer);
    // The last sync fails, so its pages stay readable and are on no disk; then the process dies.
    disk.fail({CrashDisk::Op::sync, 1, CrashDisk::for_ever, 5});
    std::promise<void> tried;
    (*writer)->post(WriterTest::record, [&](const Result<void>&) { tried.set_value(); });
    tried.get_future().wait();
  }
  disk.heal();
  std::uint64_t seen = 0;
  {
    auto writer = Writer::open(options, clock);
    ASSERT_TRUE(writer) << writer.error().message;
    seen = (*writer)->epoch();
  }
  disk.cut_power();
  disk.power_up(CrashDisk::Survival::nothing);
  auto writer = Writer::open(options, clock);
  ASSERT_TRUE(writer) << writer.error().message;
  EXPECT_EQ((*writer)->epoch(), seen + 1);
  auto reader = storage::Database::open("coordinator.db", options.open);
  const auto verdict = verify_audit(*reader, test_key());
  EXPECT_EQ(verdict->first_invalid, std::nullopt) << verdict->detail;
}

}  // namespace
}  // namespace firebreak::coordinator
