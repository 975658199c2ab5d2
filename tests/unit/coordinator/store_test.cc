#include <gtest/gtest.h>
#include <sqlite3.h>

#include "bench.h"
#include "coordinator/store/sqlite_store.h"

namespace firebreak::coordinator {
namespace {

using nlohmann::json;

struct StoreTest : ::testing::Test {
  ManualClock clock;
  TemporaryFolder folder;
  std::unique_ptr<Store> store = open_store(folder.path(), clock);

  void reopen() {
    store.reset();
    store = open_store(folder.path(), clock);
  }
  std::size_t event_count() {
    EventQuery all;
    all.limit = 10'000;
    return store->events(all)->size();
  }
  void execute(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((folder.path() / "coordinator.db").c_str(), &db), SQLITE_OK);
    char* why = nullptr;
    // The store's writer retries by itself and may hold the lock for a moment.
    sqlite3_busy_timeout(db, 20'000);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &why), SQLITE_OK) << why;
    sqlite3_close(db);
  }
};

TEST_F(StoreTest, stores_an_event_once_however_often_it_comes) {
  EventMaker maker("00000000000000aa");
  const json batch = maker.batch(3);
  const auto first = store->sink().append_events("a1", "00000000000000aa", batch);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->position.stored, 3u);
  const auto again = store->sink().append_events("a1", "00000000000000aa", batch);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->position.stored, 3u);
  EXPECT_EQ(again->index, first->index);
  EXPECT_EQ(event_count(), 3u);
  reopen();
  json overlap = json::array({batch[2], maker.next()});
  EXPECT_EQ(store->sink().append_events("a1", "00000000000000aa", overlap)->position.stored, 4u);
  EXPECT_EQ(event_count(), 4u);
}

TEST_F(StoreTest, keeps_logs_of_two_agents_and_two_boxes_apart) {
  EventMaker one("00000000000000aa"), two("00000000000000bb");
  ASSERT_TRUE(store->sink().append_events("a1", "00000000000000aa", one.batch(2)));
  ASSERT_TRUE(store->sink().append_events("a1", "00000000000000bb", two.batch(1)));
  ASSERT_TRUE(store->sink().append_events("a2", "00000000000000aa",
                                          EventMaker("00000000000000aa").batch(1)));
  EXPECT_EQ(store->sink().positions("a1")->size(), 2u);
  EXPECT_EQ(store->sink().positions("a2")->size(), 1u);
  EXPECT_EQ(event_count(), 4u);
}

TEST_F(StoreTest, marks_an_event_that_does_not_follow_its_chain) {
  EventMaker maker("00000000000000aa");
  json batch = maker.batch(3);
  batch[1]["text"] = "something else";
  ASSERT_TRUE(store->sink().append_events("a1", "00000000000000aa", batch));
  const auto rows = store->events({});
  EXPECT_TRUE((*rows)[0].chain_ok);
  EXPECT_FALSE((*rows)[1].chain_ok);
  EXPECT_TRUE((*rows)[2].chain_ok);
  EXPECT_FALSE((*store->logs())[0].chain_ok);
}

TEST_F(StoreTest, keeps_the_first_of_two_events_with_one_number_and_records_the_conflict) {
  ASSERT_TRUE(store->sink().append_events("a1", "00000000000000aa",
                                          EventMaker("00000000000000aa").batch(1)));
  EventMaker other("00000000000000aa");
  ASSERT_TRUE(store->sink().append_events("a1", "00000000000000aa",
                                          json::array({other.next("p1", "a forged one")})));
  EXPECT_EQ(event_count(), 1u);
  EXPECT_EQ((*store->events({}))[0].body["text"], "it tripped");
  const auto records = store->audit_records(0, 100);
  EXPECT_EQ((*audit_record_json(records->back()))["action"], "events.conflict");
}

TEST_F(StoreTest, a_receipt_calls_nothing_durable_unless_the_owner_said_so) {
  store.reset();
  auto shy = SqliteStore::open(
      {folder.path() / "coordinator.db", test_key(), DurableMeans::off_host, {}}, clock);
  ASSERT_TRUE(shy);
  const auto receipt = (*shy)->sink().append_events("a1", "00000000000000aa",
                                                    EventMaker("00000000000000aa").batch(2));
  EXPECT_EQ(receipt->position.stored, 2u);
  EXPECT_EQ(receipt->position.durable, 0u);
  shy->reset();
  store = open_store(folder.path(), clock);
  EXPECT_EQ((*store->sink().positions("a1"))[0].durable, 2u);
}

TEST_F(StoreTest, raises_the_epoch_at_every_start) {
  const auto before = store->epoch();
  reopen();
  EXPECT_EQ(store->epoch(), before + 1);
}

TEST_F(StoreTest, an_enrolment_is_used_once_by_its_own_agent_before_its_end) {
  std::array<std::uint8_t, 32> secret{};
  secret.fill(9);
  EnrollmentRow row;
  row.id = "e1";
  row.agent = "a1";
  row.secret_hash = chain::sha256(secret);
  row.created_ms = clock.wall().time_since_epoch().count();
  row.expires_ms = row.created_ms + 1000;
  ASSERT_TRUE(store->add_enrollment(row, "test"));
  const auto sign = [] {
    identity::CertificateInfo info;
    info.fingerprint.fill(1);
    return Result<identity::CertificateInfo>(info);
  };
  const auto failing = [] {
    return Result<identity::CertificateInfo>(fail(ErrorCode::bad_input, "no"));
  };
  auto& registry = store->registry();
  EXPECT_FALSE(registry.enroll("a2", row.secret_hash, sign));
  EXPECT_FALSE(registry.enroll("a1", row.secret_hash, failing));
  EXPECT_TRUE(registry.enroll("a1", row.secret_hash, sign));
  EXPECT_FALSE(registry.enroll("a1", row.secret_hash, sign));
  identity::Fingerprint shown{};
  shown.fill(1);
  EXPECT_EQ(*registry.standing("a1", shown), Standing::good);
  EXPECT_EQ(*registry.standing("a2", shown), Standing::unknown);
  ASSERT_TRUE(store->revoke_agent("a1", "test"));
  EXPECT_EQ(*registry.standing("a1", shown), Standing::revoked);
}

TEST_F(StoreTest, an_enrolment_ends_with_its_time_and_when_the_clock_goes_back) {
  EnrollmentRow row;
  row.id = "e1";
  row.agent = "a1";
  row.created_ms = clock.wall().time_since_epoch().count();
  row.expires_ms = row.created_ms + 1000;
  ASSERT_TRUE(store->add_enrollment(row, "test"));
  const auto sign = [] { return Result<identity::CertificateInfo>(identity::CertificateInfo{}); };
  clock.advance(std::chrono::seconds{2});
  EXPECT_FALSE(store->registry().enroll("a1", row.secret_hash, sign));
  clock.set_wall(WallTime{std::chrono::milliseconds{row.created_ms} - std::chrono::days{365}});
  EXPECT_FALSE(store->registry().enroll("a1", row.secret_hash, sign));
}

TEST_F(StoreTest, a_renewed_certificate_replaces_the_old_one_when_it_is_used) {
  EnrollmentRow row;
  row.id = "e1";
  row.agent = "a1";
  row.created_ms = clock.wall().time_since_epoch().count();
  row.expires_ms = row.created_ms + 1000;
  ASSERT_TRUE(store->add_enrollment(row, "test"));
  identity::CertificateInfo first, second;
  first.fingerprint.fill(1);
  second.fingerprint.fill(2);
  auto& registry = store->registry();
  ASSERT_TRUE(registry.enroll("a1", row.secret_hash,
                              [&] { return Result<identity::CertificateInfo>(first); }));
  ASSERT_TRUE(registry.add_certificate("a1", second));
  EXPECT_EQ(*registry.standing("a1", first.fingerprint), Standing::good);
  ASSERT_TRUE(registry.certificate_used("a1", second.fingerprint));
  EXPECT_EQ(*registry.standing("a1", first.fingerprint), Standing::superseded);
  EXPECT_EQ(*registry.standing("a1", second.fingerprint), Standing::good);
}

TEST_F(StoreTest, a_full_disk_refuses_changes_serves_reads_and_recovers_by_itself) {
  EventMaker maker("00000000000000aa");
  store.reset();
  storage::OpenOptions small;
  small.bytes_max = 256 * 1024;
  store = open_store(folder.path(), clock, small);
  bool full = false;
  for (int i = 0; i < 500 && !full; ++i) {
    json batch = maker.batch(50);
    full = !store->sink().append_events("a1", "00000000000000aa", batch);
  }
  ASSERT_TRUE(full);
  EXPECT_EQ(store->health(), StoreHealth::full);
  const std::size_t kept = event_count();
  EXPECT_GT(kept, 0u);
  // A stop's record waits for room and is written when there is some.
  store->save_operation({"0123456789abcdef", "stop", 1, true, json::object()},
                        {"test", "stop", "all", json::object()}, {});
  execute("DELETE FROM event WHERE id % 2 = 0");
  flush(*store);
  flush(*store);
  flush(*store);
  EXPECT_EQ(store->health(), StoreHealth::ok);
  EXPECT_TRUE(store->operation("0123456789abcdef")->has_value());
  EXPECT_EQ(store->verify_audit()->invalid, 0u);
}

TEST_F(StoreTest, a_late_save_of_an_operation_does_not_replace_a_newer_one) {
  const std::string id = "0123456789abcdef";
  const AuditDraft draft{"test", "stop", "all", json::object()};
  store->save_operation({id, "stop", 1, false, {{"state", "done"}}, 2}, draft, {});
  store->save_operation({id, "stop", 1, true, {{"state", "running"}}, 1}, draft, {});
  flush(*store);
  const auto row = store->operation(id);
  EXPECT_EQ((*row)->body["state"], "done");
  EXPECT_TRUE(store->waiting_operations()->empty());
}

TEST_F(StoreTest, the_audit_log_verifies_and_survives_reopening) {
  for (int i = 0; i < 20; ++i) flush(*store);
  reopen();
  for (int i = 0; i < 5; ++i) flush(*store);
  const auto verdict = store->verify_audit();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->total, 27u);  // 25 and two starts.
  EXPECT_EQ(verdict->valid, 27u);
  EXPECT_EQ(verdict->first_invalid, std::nullopt) << verdict->detail;
  EXPECT_EQ(to_hex(verdict->head), store->head());
}

TEST_F(StoreTest, one_flipped_byte_anywhere_in_a_record_is_found_and_located) {
  for (int i = 0; i < 6; ++i) flush(*store);
  const auto record = store->audit_records(3, 1)->front();
  store.reset();
  for (const char* column : {"canonical", "leaf", "mac"}) {
    const std::size_t size = column[0] == 'c' ? record.canonical.size() : 32;
    for (std::size_t at = 1; at <= size; at += column[0] == 'c' ? 9 : 13) {
      const std::string where = std::string(column);
      const std::string before = "(SELECT " + where + " FROM audit_record WHERE idx = 4)";
      execute("CREATE TABLE kept AS SELECT canonical, leaf, mac FROM audit_record WHERE idx = 4");
      const std::string n = std::to_string(at);
      execute("UPDATE audit_record SET " + where + " = CAST(substr(" + where + ", 1, " + n +
              " - 1) || (CASE WHEN substr(" + where + ", " + n +
              ", 1) = x'41' THEN x'42' ELSE x'41' END) || substr(" + where + ", " + n +
              " + 1) AS BLOB) WHERE idx = 4");
      auto opened = storage::Database::open(folder.path() / "coordinator.db");
      ASSERT_TRUE(opened);
      const auto verdict = verify_audit(*opened, test_key());
      ASSERT_TRUE(verdict);
      EXPECT_EQ(verdict->first_invalid, 4u) << column << " byte " << at;
      EXPECT_GE(verdict->invalid, 1u);
      execute(
          "UPDATE audit_record SET (canonical, leaf, mac) = (SELECT * FROM kept) WHERE idx = 4;"
          "DROP TABLE kept");
    }
  }
}

TEST_F(StoreTest, a_missing_record_and_a_cut_tail_are_found) {
  for (int i = 0; i < 6; ++i) flush(*store);
  const std::uint64_t total = store->verify_audit()->total;
  store.reset();
  execute("DELETE FROM audit_record WHERE idx = " + std::to_string(total));
  {
    auto opened = storage::Database::open(folder.path() / "coordinator.db");
    const auto verdict = verify_audit(*opened, test_key());
    EXPECT_EQ(verdict->first_invalid, total);
    EXPECT_EQ(verdict->invalid, 1u);
  }
  // Such a log is not continued.
  EXPECT_FALSE(SqliteStore::open(
      {folder.path() / "coordinator.db", test_key(), DurableMeans::stored, {}}, clock));
}

TEST_F(StoreTest, a_log_is_not_continued_with_another_key) {
  store.reset();
  chain::Digest other{};
  auto opened =
      SqliteStore::open({folder.path() / "coordinator.db", other, DurableMeans::stored, {}}, clock);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
}

TEST(AuditKey, is_made_once_and_refused_when_others_can_read_it) {
  TemporaryFolder folder;
  const auto file = folder.path() / "audit.key";
  const auto made = load_or_create_audit_key(file);
  ASSERT_TRUE(made);
  EXPECT_EQ(*load_or_create_audit_key(file), *made);
  std::filesystem::permissions(file, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  EXPECT_FALSE(load_or_create_audit_key(file));
}

TEST(AuditRecordForm, the_canonical_bytes_and_the_leaf_of_version_1_are_frozen) {
  TemporaryFolder folder;
  ManualClock clock;
  clock.set_wall(WallTime{std::chrono::milliseconds{1'800'000'000'123}});
  auto store = open_store(folder.path(), clock);
  const auto record = store->audit_records(0, 1)->front();
  EXPECT_EQ(
      to_hex(record.canonical),
      "a966616374696f6e71636f6f7264696e61746f722e73746172746664657461696ca16565706f6368016565706f"
      "63680165696e646578016870726576696f75737840303030303030303030303030303030303030303030303030"
      "30303030303030303030303030303030303030303030303030303030303030303030303030303030677375626a"
      "656374606176016777616c6c5f6d731b000001a3185c507b6377686f6b636f6f7264696e61746f72");
  EXPECT_EQ(record.hash, chain::leaf_hash(record.canonical));
  EXPECT_EQ(record.mac, chain::hmac_sha256(test_key(), chain::Digest{}, record.canonical));
}

}  // namespace
}  // namespace firebreak::coordinator
