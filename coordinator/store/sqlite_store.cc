#include "coordinator/store/sqlite_store.h"

#include <cstring>

#include "common/base/hex.h"
#include "common/log/log.h"
#include "coordinator/store/rows.h"

namespace firebreak::coordinator {

using nlohmann::json;
using storage::Statement;

SqliteStore::SqliteStore(Options options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), readers_(options_.file, options_.open) {}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(Options options, const Clock& clock) {
  std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(options), clock));
  Writer::Options writer{store->options_.file,
                         store->options_.audit_key,
                         store->options_.open,
                         std::chrono::milliseconds{1000},
                         [raw = store.get()](bool s) { raw->readers_.suspend(s); },
                         [raw = store.get()] { raw->retry_deferred(); }};
  auto opened = Writer::open(std::move(writer), clock);
  if (!opened) return fail(opened.error());
  store->writer_ = std::move(*opened);
  return store;
}

void SqliteStore::on_events(std::function<void()> listener) {
  writer_->on_events(std::move(listener));
}

std::uint64_t SqliteStore::durable(std::uint64_t stored) const {
  return options_.durable_means == DurableMeans::stored ? stored : 0;
}

Result<void> SqliteStore::add_token(const TokenRow& token, const std::string& who) {
  auto done = writer_->run<bool>([token, who](WriteContext& c) -> Result<bool> {
    auto stored = c.database.run(
        "INSERT INTO token(id, name, person, scopes, secret_hash, created_ms, expires_ms) "
        "VALUES(?,?,?,?,?,?,?)",
        token.id, token.name, token.person, token.scopes,
        std::span<const std::uint8_t>(token.secret_hash), token.created_ms, token.expires_ms);
    if (!stored) return fail(stored.error());
    auto recorded =
        c.record({who,
                  "token.create",
                  token.id,
                  {{"name", token.name},
                   {"kind", token.person ? "person" : "machine"},
                   {"scopes", token.scopes},
                   {"expires_ms", token.expires_ms ? json(*token.expires_ms) : json()}}});
    if (!recorded) return fail(recorded.error());
    return true;
  });
  if (!done) return fail(done.error());
  return {};
}

Result<TokenRow> SqliteStore::revoke_token(const std::string& id, const std::string& who) {
  return writer_->run<TokenRow>([id, who](WriteContext& c) -> Result<TokenRow> {
    auto found = c.database.prepare(std::string(rows::token_select) + " WHERE id = ?");
    if (!found) return fail(found.error());
    auto row = found->bind(id).step();
    if (!row) return fail(row.error());
    if (!*row) return fail(ErrorCode::not_found, "there is no token " + id);
    TokenRow token = rows::token(*found);
    found->reset();
    if (token.revoked_ms) return fail(ErrorCode::refused, "the token was revoked before");
    token.revoked_ms = c.wall_ms();
    if (auto set =
            c.database.run("UPDATE token SET revoked_ms = ? WHERE id = ?", *token.revoked_ms, id);
        !set)
      return fail(set.error());
    if (auto r = c.record({who, "token.revoke", id, {{"name", token.name}}}); !r)
      return fail(r.error());
    return token;
  });
}

Result<void> SqliteStore::add_enrollment(const EnrollmentRow& row, const std::string& who) {
  auto done = writer_->run<bool>([row, who](WriteContext& c) -> Result<bool> {
    auto stored = c.database.run(
        "INSERT INTO enrollment(id, agent, secret_hash, created_ms, expires_ms) VALUES(?,?,?,?,?)",
        row.id, row.agent, std::span<const std::uint8_t>(row.secret_hash), row.created_ms,
        row.expires_ms);
    if (!stored) return fail(stored.error());
    auto recorded = c.record(
        {who, "enrollment.create", row.agent, {{"id", row.id}, {"expires_ms", row.expires_ms}}});
    if (!recorded) return fail(recorded.error());
    return true;
  });
  if (!done) return fail(done.error());
  return {};
}

void SqliteStore::note_printers(const std::string& agent, std::vector<std::string> names) {
  writer_->post(
      [agent, names = std::move(names)](WriteContext& c) -> Result<void> {
        json added = json::array();
        for (const std::string& name : names) {
          auto stored = c.database.run(
              "INSERT INTO printer(agent, name, first_seen_ms) VALUES(?,?,?) "
              "ON CONFLICT DO NOTHING",
              agent, name, c.wall_ms());
          if (!stored) return stored;
          if (c.database.changes() > 0) added.push_back(name);
        }
        if (added.empty()) return {};
        auto r = c.record({"agent:" + agent, "printer.add", agent, {{"printers", added}}});
        if (!r) return fail(r.error());
        return {};
      },
      {});
}

namespace {

Result<void> insert_own_event(WriteContext& c, const OwnEvent& event) {
  const json body{{"kind", event.kind},
                  {"severity", event.severity},
                  {"printer", event.printer.empty() ? json() : json(event.printer)},
                  {"about", event.agent.empty() ? json() : json(event.agent)},
                  {"text", event.text},
                  {"data", event.data},
                  {"wall", wall_text(c.wall_ms())}};
  const std::optional<std::string> printer =
      event.printer.empty() ? std::nullopt : std::optional(event.printer);
  c.stored_events = true;
  return c.database.run(
      "INSERT INTO event(received_ms, severity, printer, chain_ok, body) VALUES(?,?,?,1,?)",
      c.wall_ms(), event.severity, printer,
      body.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

void SqliteStore::note_agent(const std::string& agent, const std::string& software,
                             OwnEvent event) {
  writer_->post(
      [agent, software, event = std::move(event)](WriteContext& c) -> Result<void> {
        auto set = c.database.run(
            "UPDATE agent SET last_seen_ms = ?, software = coalesce(nullif(?, ''), software) "
            "WHERE name = ?",
            c.wall_ms(), software, agent);
        if (!set) return set;
        if (auto stored = insert_own_event(c, event); !stored) return stored;
        auto r = c.record({"agent:" + agent, event.kind, agent, event.data});
        if (!r) return fail(r.error());
        return {};
      },
      {});
}

void SqliteStore::record(AuditDraft draft, OwnEvent event) {
  writer_->post(
      [draft = std::move(draft), event = std::move(event)](WriteContext& c) -> Result<void> {
        if (!event.text.empty())
          if (auto stored = insert_own_event(c, event); !stored) return stored;
        auto r = c.record(draft);
        if (!r) return fail(r.error());
        return {};
      },
      [](const Result<void>& result) {
        if (!result) log::error("audit: a record was lost: {}", result.error().message);
      });
}

namespace {

Result<void> write_operation(WriteContext& c, const OperationRow& row, const AuditDraft& draft) {
  auto stored = c.database.run(
      "INSERT INTO operation(id, kind, created_ms, waiting, body, revision) VALUES(?,?,?,?,?,?) "
      "ON CONFLICT(id) DO UPDATE SET waiting = excluded.waiting, body = excluded.body, "
      "revision = excluded.revision WHERE excluded.revision >= revision",
      row.id, row.kind, row.created_ms, row.waiting,
      row.body.dump(-1, ' ', false, json::error_handler_t::replace), row.revision);
  if (!stored) return stored;
  if (auto r = c.record(draft); !r) return fail(r.error());
  return {};
}

}  // namespace

void SqliteStore::save_operation(OperationRow row, AuditDraft draft, Done done) {
  auto shared = std::make_shared<Deferred>(Deferred{std::move(row), std::move(draft)});
  writer_->post(
      [shared](WriteContext& c) { return write_operation(c, shared->row, shared->draft); },
      [this, shared, done = std::move(done)](const Result<void>& result) {
        if (!result) {
          const std::lock_guard lock(deferred_mutex_);
          if (deferred_.size() < deferred_operations_max) {
            deferred_.push_back(*shared);
          } else {
            log::error("store: the record of {} {} is lost: too many wait for the disk",
                       shared->row.kind, shared->row.id);
          }
        } else {
          retry_deferred();
        }
        if (done) done(result);
      });
}

void SqliteStore::retry_deferred() {
  std::shared_ptr<std::deque<Deferred>> batch;
  {
    const std::lock_guard lock(deferred_mutex_);
    if (deferred_.empty() || retrying_) return;  // Always empty before open() has returned.
    retrying_ = true;
    batch = std::make_shared<std::deque<Deferred>>(std::move(deferred_));
    deferred_.clear();
  }
  writer_->post(
      [batch](WriteContext& c) -> Result<void> {
        for (const Deferred& one : *batch)
          if (auto stored = write_operation(c, one.row, one.draft); !stored) return stored;
        return {};
      },
      [this, batch](const Result<void>& result) {
        const std::lock_guard lock(deferred_mutex_);
        retrying_ = false;
        if (!result) deferred_.insert(deferred_.begin(), batch->begin(), batch->end());
      });
}

}  // namespace firebreak::coordinator
