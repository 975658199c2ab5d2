#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "common/storage/database.h"
#include "tests/unit/common/crash_disk.h"

namespace firebreak::storage {
namespace {

using testing::CrashDisk;
using ::testing::HasSubstr;

class StorageTest : public ::testing::Test {
 protected:
  StorageTest() {
    std::string name = ::testing::TempDir() + "storage-XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ / "test.db";
  }
  ~StorageTest() override { std::filesystem::remove_all(folder_); }

  Database open(OpenOptions options = {}) {
    auto database = Database::open(path_, options);
    EXPECT_TRUE(database) << database.error().message;
    return std::move(*database);
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

constexpr Migration first_steps[] = {
    {1, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT"},
    {2, "ALTER TABLE item ADD COLUMN size REAL; CREATE TABLE other (x ANY) STRICT"}};

TEST_F(StorageTest, BindsAndReadsEveryType) {
  Database db = open();
  ASSERT_TRUE(db.execute("CREATE TABLE t (i INT, r REAL, s TEXT, b BLOB, n ANY, o INT) STRICT"));
  const std::vector<std::uint8_t> blob{0, 1, 255};
  ASSERT_TRUE(db.run("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", INT64_MIN, 2.5, "a\0b", blob,
                     nullptr, std::optional<int>(7)));
  auto row = db.prepare("SELECT * FROM t");
  ASSERT_TRUE(row);
  ASSERT_TRUE(row->step().value());
  EXPECT_EQ(row->integer(0), INT64_MIN);
  EXPECT_EQ(row->real(1), 2.5);
  EXPECT_EQ(row->text(2), "a");
  EXPECT_THAT(row->blob(3), ::testing::ElementsAre(0, 1, 255));
  EXPECT_TRUE(row->is_null(4));
  EXPECT_EQ(row->integer(5), 7);
  EXPECT_FALSE(row->step().value());
}

TEST_F(StorageTest, SaysWhenThereIsNoValue) {
  Database db = open();
  EXPECT_EQ(db.integer("SELECT 5 WHERE 0").value(), std::nullopt);
  EXPECT_EQ(db.integer("SELECT NULL").value(), std::nullopt);
  EXPECT_EQ(db.integer("SELECT ? + 1", 5).value(), 6);
}

TEST_F(StorageTest, RollsBackWhatWasNotCommitted) {
  Database db = open();
  ASSERT_TRUE(migrate(db, first_steps));
  {
    auto transaction = Transaction::begin(db);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(db.run("INSERT INTO item (name) VALUES ('x')"));
  }
  EXPECT_EQ(db.integer("SELECT count(*) FROM item").value(), 0);
  auto transaction = Transaction::begin(db);
  ASSERT_TRUE(db.run("INSERT INTO item (name) VALUES ('x')"));
  ASSERT_TRUE(transaction->commit());
  EXPECT_FALSE(transaction->commit());
  EXPECT_EQ(db.integer("SELECT count(*) FROM item").value(), 1);
}

TEST_F(StorageTest, MigratesFromEveryVersionAndRefusesANewerFile) {
  {
    Database db = open();
    EXPECT_EQ(migrate(db, std::span(first_steps).first(1)).value(), 1);
    ASSERT_TRUE(db.run("INSERT INTO item (name) VALUES ('kept')"));
  }
  Database db = open();
  EXPECT_EQ(migrate(db, first_steps).value(), 2);
  EXPECT_EQ(migrate(db, first_steps).value(), 2);
  EXPECT_EQ(db.integer("SELECT count(*) FROM item WHERE size IS NULL").value(), 1);
  const auto older = migrate(db, std::span(first_steps).first(1));
  EXPECT_EQ(older.error().code, ErrorCode::refused);
  EXPECT_THAT(older.error().message, HasSubstr("newer"));
}

TEST_F(StorageTest, AFailedMigrationLeavesNothingBehind) {
  Database db = open();
  const Migration steps[] = {{1, "CREATE TABLE a (x INT) STRICT; CREATE TABLE a (x INT) STRICT"}};
  EXPECT_EQ(migrate(db, steps).error().code, ErrorCode::internal);
  EXPECT_EQ(db.integer("SELECT count(*) FROM sqlite_schema").value(), 0);
  EXPECT_EQ(db.integer("PRAGMA user_version").value(), 0);
}

TEST_F(StorageTest, NamesWhatWentWrong) {
  Database db = open();
  ASSERT_TRUE(migrate(db, first_steps));
  ASSERT_TRUE(db.run("INSERT INTO item (name) VALUES ('x')"));
  EXPECT_EQ(db.run("INSERT INTO item (name) VALUES ('x')").error().code, ErrorCode::refused);
  EXPECT_EQ(db.run("INSERT INTO nowhere VALUES (1)").error().code, ErrorCode::internal);
  EXPECT_EQ(db.run("SELECT ?", 1, 2).error().code, ErrorCode::internal) << "too many parameters";
  EXPECT_EQ(db.prepare("SELECT 1; SELECT 2").error().code, ErrorCode::internal);
  OpenOptions existing;
  existing.create = false;
  EXPECT_EQ(Database::open(folder_ / "none.db", existing).error().code, ErrorCode::unavailable);
  EXPECT_EQ(Database::open(folder_ / "no" / "folder.db").error().code, ErrorCode::unavailable);
}

TEST_F(StorageTest, CallsJunkAndDamageCorrupt) {
  std::ofstream(path_) << std::string(8192, 'j');
  EXPECT_EQ(Database::open(path_).error().code, ErrorCode::corrupt);
  std::filesystem::remove(path_);
  {
    Database db = open();
    ASSERT_TRUE(migrate(db, first_steps));
    for (int i = 0; i < 500; ++i) {
      ASSERT_TRUE(db.run("INSERT INTO item (name) VALUES (?)", "name " + std::to_string(i)));
    }
    EXPECT_TRUE(db.quick_check());
  }
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096);
    file << std::string(4096, '\x5a');
  }
  Database db = open();
  EXPECT_EQ(db.quick_check().error().code, ErrorCode::corrupt);
}

TEST_F(StorageTest, AFullFileIsUnavailableAndUsableAgain) {
  OpenOptions small;
  small.bytes_max = 64 * 1024;
  Database db = open(small);
  ASSERT_TRUE(db.execute("CREATE TABLE t (b BLOB) STRICT"));
  const std::vector<std::uint8_t> big(200'000);
  const auto full = db.run("INSERT INTO t VALUES (?)", big);
  EXPECT_EQ(full.error().code, ErrorCode::unavailable);
  EXPECT_THAT(full.error().message, HasSubstr("full"));
  EXPECT_FALSE(db.lost_writes());
  EXPECT_TRUE(db.run("INSERT INTO t VALUES (?)", std::vector<std::uint8_t>(10)));
}

TEST_F(StorageTest, WaitsForAnotherWriterOnlyItsTime) {
  OpenOptions impatient;
  impatient.busy_timeout = std::chrono::milliseconds{1};
  Database one = open(impatient);
  Database two = open(impatient);
  auto transaction = Transaction::begin(one);
  ASSERT_TRUE(transaction);
  EXPECT_EQ(Transaction::begin(two).error().code, ErrorCode::unavailable);
  ASSERT_TRUE(transaction->commit());
  EXPECT_TRUE(Transaction::begin(two));
}

TEST_F(StorageTest, AReaderMayNotWrite) {
  { ASSERT_TRUE(migrate(*std::make_unique<Database>(open()), first_steps)); }
  OpenOptions reader;
  reader.read_only = true;
  Database db = open(reader);
  EXPECT_EQ(db.run("INSERT INTO item (name) VALUES ('x')").error().code, ErrorCode::unavailable);
  EXPECT_EQ(db.integer("SELECT count(*) FROM item").value(), 0);
}

TEST_F(StorageTest, ALogOnRealFilesIsRecoveredUnderItsUsers) {
  Database db = open();
  ASSERT_TRUE(migrate(db, first_steps));
  ASSERT_TRUE(db.run("INSERT INTO item (name) VALUES ('one')"));
  EXPECT_TRUE(recover_log(path_));
  ASSERT_TRUE(db.run("INSERT INTO item (name) VALUES ('two')"));
  EXPECT_TRUE(recover_log(path_));
  ASSERT_TRUE(db.run("INSERT INTO item (name) VALUES ('three')"));
  db.abandon();
  EXPECT_TRUE(recover_log(path_));
  Database again = open();
  EXPECT_EQ(again.integer("SELECT count(*) FROM item").value(), 3);
}

// ---- the crash layer itself: it must bite where it should, and only there ----

// Commits numbers until the power goes; returns the last acknowledged one.
std::int64_t commit_until_cut(CrashDisk& disk, Synchronous synchronous) {
  OpenOptions options;
  options.vfs = disk.vfs();
  options.synchronous = synchronous;
  options.checkpoint_pages = 20;
  auto db = Database::open("t.db", options);
  if (!db || !db->execute("CREATE TABLE IF NOT EXISTS t (x INT) STRICT")) return 0;
  std::int64_t acknowledged = db->integer("SELECT max(x) FROM t").value_or(0).value_or(0);
  while (db->run("INSERT INTO t VALUES (?)", acknowledged + 1)) ++acknowledged;
  return acknowledged;
}

std::int64_t found_after(CrashDisk& disk) {
  OpenOptions options;
  options.vfs = disk.vfs();
  auto db = Database::open("t.db", options);
  EXPECT_TRUE(db) << db.error().message;
  if (!db) return -1;
  const auto check = db->quick_check();
  EXPECT_TRUE(check) << check.error().message;
  return db->integer("SELECT max(x) FROM t").value_or(0).value_or(0);
}

TEST(CrashDisk, AFullCommitSurvivesEveryCut) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CrashDisk disk(seed);
    disk.cut_power_after(1 + seed);
    const std::int64_t acknowledged = commit_until_cut(disk, Synchronous::full);
    disk.power_up();
    ASSERT_GE(found_after(disk), acknowledged) << "seed " << seed;
  }
}

TEST(CrashDisk, ANormalCommitMayBeLostButTheFileStaysWhole) {
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CrashDisk disk(seed);
    disk.cut_power_after(1 + seed);
    const std::int64_t acknowledged = commit_until_cut(disk, Synchronous::normal);
    disk.power_up();
    if (found_after(disk) < acknowledged) ++lost;
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
  }
  EXPECT_GT(lost, 100) << "the layer does not drop what was not synced";
}

TEST(CrashDisk, TearsAndReordersWhatWasNotSynced) {
  int torn = 0;
  int reordered = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CrashDisk disk(seed);
    ASSERT_EQ(disk.create("f"), 0);
    ASSERT_EQ(disk.write("f", 0, std::vector<std::uint8_t>(4096, 1)), 0);
    ASSERT_EQ(disk.sync("f"), 0);
    ASSERT_EQ(disk.write("f", 0, std::vector<std::uint8_t>(2048, 2)), 0);
    ASSERT_EQ(disk.write("f", 2048, std::vector<std::uint8_t>(2048, 3)), 0);
    disk.cut_power();
    EXPECT_NE(disk.write("f", 0, std::vector<std::uint8_t>(1, 9)), 0);
    disk.power_up();
    const auto bytes = disk.contents("f");
    ASSERT_EQ(bytes.size(), 4096U);
    const auto has = [&](std::uint8_t v) { return std::count(bytes.begin(), bytes.end(), v); };
    EXPECT_EQ(has(1) + has(2) + has(3), 4096);
    if (has(2) > 0 && has(2) < 2048) ++torn;
    if (has(2) == 0 && has(3) > 0) ++reordered;
  }
  EXPECT_GT(torn, 20);
  EXPECT_GT(reordered, 1);
}

TEST(CrashDisk, AFailedSyncForgetsItsWritesAndASecondSyncDoesNotBringThemBack) {
  CrashDisk disk(3);
  ASSERT_EQ(disk.create("f"), 0);
  ASSERT_EQ(disk.sync("f"), 0);
  int lost = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const std::vector<std::uint8_t> data(512, 7);
    ASSERT_EQ(disk.write("f", i * 512, data), 0);
    disk.fail({CrashDisk::Op::sync, 1, 1, 5});
    EXPECT_NE(disk.sync("f"), 0);
    disk.heal();
    EXPECT_EQ(disk.sync("f"), 0) << "this is the lie of the kernel";
    EXPECT_EQ(disk.contents("f").size(), (i + 1) * 512) << "still readable";
  }
  disk.cut_power();
  disk.power_up();
  auto bytes = disk.contents("f");
  bytes.resize(20 * 512);
  lost = static_cast<int>(std::count(bytes.begin(), bytes.end(), 0));
  EXPECT_GT(lost, 1000);
}

TEST(RecoverLog, MakesALogDurableWhoseSyncHadFailed) {
  int saved = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CrashDisk disk(seed);
    OpenOptions options;
    options.vfs = disk.vfs();
    auto db = Database::open("t.db", options);
    ASSERT_TRUE(db);
    ASSERT_TRUE(db->execute("CREATE TABLE t (x INT) STRICT; INSERT INTO t VALUES (1)"));
    disk.fail({CrashDisk::Op::sync, 1, 1, 5});
    EXPECT_EQ(db->run("INSERT INTO t VALUES (2)").error().code, ErrorCode::unavailable);
    EXPECT_TRUE(db->lost_writes());
    disk.heal();
    db->abandon();
    ASSERT_TRUE(recover_log("t.db", disk.vfs()));
    const std::int64_t found = found_after(disk);
    EXPECT_GE(found, 1);
    disk.cut_power();
    disk.power_up(CrashDisk::Survival::nothing);
    EXPECT_EQ(found_after(disk), found) << "what was seen after recovery must stay";
    if (found == 2) ++saved;
  }
  EXPECT_GT(saved, 0);
}

TEST(RecoverLog, IsFineWithNoLogAndSaysWhenTheDiskStillFails) {
  CrashDisk disk(1);
  EXPECT_TRUE(recover_log("t.db", disk.vfs()));
  OpenOptions options;
  options.vfs = disk.vfs();
  auto db = Database::open("t.db", options);
  ASSERT_TRUE(db->execute("CREATE TABLE t (x INT) STRICT"));
  db->abandon();
  disk.fail({CrashDisk::Op::sync, 1, CrashDisk::for_ever, 5});
  EXPECT_EQ(recover_log("t.db", disk.vfs()).error().code, ErrorCode::unavailable);
}

TEST(RecoverLog, LeavesALogAloneWhileSomebodyWritesIt) {
  CrashDisk disk(1);
  OpenOptions options;
  options.vfs = disk.vfs();
  auto db = Database::open("t.db", options);
  ASSERT_TRUE(db->execute("CREATE TABLE t (x INT) STRICT"));
  auto transaction = Transaction::begin(*db);
  ASSERT_TRUE(db->execute("INSERT INTO t VALUES (1)"));
  const auto written = disk.bytes_written();
  EXPECT_EQ(recover_log("t.db", disk.vfs()).error().code, ErrorCode::unavailable);
  EXPECT_EQ(disk.bytes_written(), written);
  ASSERT_TRUE(transaction->commit());
  EXPECT_TRUE(recover_log("t.db", disk.vfs()));
  EXPECT_TRUE(db->execute("INSERT INTO t VALUES (2)")) << "it does not stay in the way";
}

}  // namespace
}  // namespace firebreak::storage
