#include "common/base/hex.h"
#include "common/chain/event_chain.h"
#include "common/log/log.h"
#include "coordinator/store/rows.h"
#include "coordinator/store/sqlite_store.h"

namespace firebreak::coordinator {

using nlohmann::json;

namespace {

/// Where one log stands, as far as this batch has come.
struct LogState {
  std::uint64_t stored = 0;
  std::string last_hash;
  bool chain_ok = true;
  std::uint64_t audit_index = 0;
};

/// What a batch did, for its audit record.
struct BatchCount {
  std::uint64_t first = 0;
  std::uint64_t added = 0;
  bool gap = false;
  bool conflict = false;
  std::uint64_t conflict_seq = 0;
};

Result<LogState> load_log(storage::Database& database, const std::string& agent,
                          const std::string& log) {
  LogState state;
  state.last_hash = to_hex(chain::chain_start);
  auto found = database.prepare(
      "SELECT stored_seq, last_hash, chain_ok, audit_index FROM event_log WHERE agent = ? AND "
      "log = ?");
  if (!found) return fail(found.error());
  auto row = found->bind(agent, log).step();
  if (!row) return fail(row.error());
  if (!*row) return state;
  state.stored = static_cast<std::uint64_t>(found->integer(0));
  state.last_hash = std::string(found->text(1));
  state.chain_ok = found->integer(2) != 0;
  state.audit_index = static_cast<std::uint64_t>(found->integer(3));
  return state;
}

std::string text_of(const json& event, const char* key) {
  const auto at = event.find(key);
  return at != event.end() && at->is_string() ? at->get<std::string>() : std::string();
}

/// True when the event hashes to what it says, on top of the hash before it.
bool fits_chain(const json& event, const std::string& previous) {
  const auto before = bytes_from_hex<32>(previous);
  const auto canonical = chain::canonical_bytes(event);
  if (!before || !canonical) return false;
  return to_hex(chain::next_hash(*before, *canonical)) == text_of(event, "hash");
}

/// An event that is here already must be the same one: else somebody rewrote a black box.
Result<bool> same_as_stored(storage::Database& database, const std::string& agent,
                            const std::string& log, std::uint64_t seq, const json& event) {
  auto found = database.prepare("SELECT body FROM event WHERE agent = ? AND log = ? AND seq = ?");
  if (!found) return fail(found.error());
  auto row = found->bind(agent, log, seq).step();
  if (!row) return fail(row.error());
  if (!*row) return true;  // Skipped by a gap before; nothing to compare.
  const json stored = json::parse(found->text(0), nullptr, false);
  return text_of(stored, "hash") == text_of(event, "hash");
}

Result<void> insert_event(WriteContext& c, const std::string& agent, const std::string& log,
                          std::uint64_t seq, const json& event, bool chain_ok) {
  const std::string printer = text_of(event, "printer");
  std::string severity = text_of(event, "severity");
  if (severity != "info" && severity != "warning") severity = "alarm";  // Unknown is the worst.
  return c.database.run(
      "INSERT INTO event(agent, log, seq, received_ms, severity, printer, chain_ok, body) "
      "VALUES(?,?,?,?,?,?,?,?)",
      agent, log, seq, c.wall_ms(), severity,
      printer.empty() ? std::nullopt : std::optional(printer), chain_ok,
      event.dump(-1, ' ', false, json::error_handler_t::replace));
}

Result<void> take_event(WriteContext& c, const std::string& agent, const std::string& log,
                        const json& event, LogState& state, BatchCount& count) {
  const auto at = event.find("seq");
  if (at == event.end() || !at->is_number_integer() || at->get<std::int64_t>() < 1)
    return fail(ErrorCode::bad_input, "an event has no sequence number");
  const auto seq = at->get<std::uint64_t>();
  if (seq <= state.stored) {
    auto same = same_as_stored(c.database, agent, log, seq, event);
    if (!same) return fail(same.error());
    if (!*same) {
      count.conflict = true;
      count.conflict_seq = seq;
    }
    return {};
  }
  const bool follows = seq == state.stored + 1;
  const bool fits = follows && fits_chain(event, state.last_hash);
  if (!follows) count.gap = true;
  if (auto stored = insert_event(c, agent, log, seq, event, fits); !stored) return stored;
  if (count.added++ == 0) count.first = seq;
  state.stored = seq;
  const std::string hash = text_of(event, "hash");
  state.last_hash = bytes_from_hex<32>(hash) ? hash : "none";
  state.chain_ok = state.chain_ok && fits;
  return {};
}

/// The record of what was new, or of a conflict; nothing when all was there already.
Result<void> record_batch(WriteContext& c, const std::string& agent, const std::string& log,
                          LogState& state, const BatchCount& count) {
  if (count.conflict) {
    auto r = c.record(
        {"agent:" + agent, "events.conflict", agent, {{"log", log}, {"seq", count.conflict_seq}}});
    if (!r) return fail(r.error());
    log::error("store: {} sent another event {} of log {} than before; the first one is kept",
               agent, count.conflict_seq, log);
  }
  if (count.added == 0) return {};
  auto r = c.record({"agent:" + agent,
                     "events.store",
                     agent,
                     {{"log", log},
                      {"first", count.first},
                      {"last", state.stored},
                      {"count", count.added},
                      {"gap", count.gap},
                      {"chain_ok", state.chain_ok},
                      {"hash", state.last_hash}}});
  if (!r) return fail(r.error());
  state.audit_index = r->index;
  c.stored_events = true;
  return c.database.run(
      "INSERT INTO event_log(agent, log, stored_seq, last_hash, chain_ok, audit_index) "
      "VALUES(?,?,?,?,?,?) ON CONFLICT(agent, log) DO UPDATE SET stored_seq = "
      "excluded.stored_seq, last_hash = excluded.last_hash, chain_ok = excluded.chain_ok, "
      "audit_index = excluded.audit_index",
      agent, log, state.stored, state.last_hash, state.chain_ok, state.audit_index);
}

}  // namespace

Result<std::vector<LogPosition>> SqliteStore::positions(std::string_view agent) {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  auto found =
      (**loan).prepare("SELECT log, stored_seq FROM event_log WHERE agent = ? ORDER BY rowid");
  if (!found) return fail(found.error());
  found->bind(agent);
  return rows::all<LogPosition>(*found, [this](const storage::Statement& r) {
    const auto stored = static_cast<std::uint64_t>(r.integer(1));
    return LogPosition{std::string(r.text(0)), stored, durable(stored)};
  });
}

Result<Receipt> SqliteStore::append_events(std::string_view agent, std::string_view log,
                                           const json& events) {
  auto shared = std::make_shared<const json>(events);
  const std::string name(agent);
  const std::string log_id(log);
  return writer_->run<Receipt>([this, shared, name, log_id](WriteContext& c) -> Result<Receipt> {
    auto state = load_log(c.database, name, log_id);
    if (!state) return fail(state.error());
    BatchCount count;
    for (const json& event : *shared)
      if (auto taken = take_event(c, name, log_id, event, *state, count); !taken)
        return fail(taken.error());
    if (auto recorded = record_batch(c, name, log_id, *state, count); !recorded)
      return fail(recorded.error());
    return Receipt{{log_id, state->stored, durable(state->stored)},
                   state->audit_index,
                   to_hex(c.audit.head())};
  });
}

}  // namespace firebreak::coordinator
