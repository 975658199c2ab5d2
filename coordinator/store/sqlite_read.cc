#include <algorithm>

#include "common/base/hex.h"
#include "coordinator/store/rows.h"
#include "coordinator/store/sqlite_store.h"

namespace firebreak::coordinator {

using nlohmann::json;
using storage::Statement;

Result<std::vector<TokenRow>> SqliteStore::tokens() {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  auto found = (**loan).prepare(std::string(rows::token_select) + " ORDER BY created_ms, id");
  if (!found) return fail(found.error());
  return rows::all<TokenRow>(*found, rows::token);
}

Result<std::vector<AgentRow>> SqliteStore::agents() {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  auto found = (**loan).prepare(
      "SELECT a.name, a.enrolled_ms, a.revoked_ms, a.last_seen_ms, a.software, c.fingerprint, "
      "c.not_after_ms FROM agent a LEFT JOIN certificate c ON c.agent = a.name AND c.serial = "
      "(SELECT max(serial) FROM certificate WHERE agent = a.name) ORDER BY a.name");
  if (!found) return fail(found.error());
  return rows::all<AgentRow>(*found, [](const Statement& r) {
    return AgentRow{std::string(r.text(0)),
                    r.integer(1),
                    rows::optional_integer(r, 2),
                    rows::optional_integer(r, 3),
                    std::string(r.text(4)),
                    to_hex(r.blob(5)),
                    r.integer(6)};
  });
}

Result<std::vector<PrinterRow>> SqliteStore::printers() {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  auto found = (**loan).prepare("SELECT agent, name FROM printer ORDER BY name, agent");
  if (!found) return fail(found.error());
  return rows::all<PrinterRow>(*found, [](const Statement& r) {
    return PrinterRow{std::string(r.text(0)), std::string(r.text(1))};
  });
}

Result<std::vector<LogRow>> SqliteStore::logs() {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  auto found = (**loan).prepare(
      "SELECT agent, log, stored_seq, chain_ok FROM event_log ORDER BY agent, log");
  if (!found) return fail(found.error());
  return rows::all<LogRow>(*found, [](const Statement& r) {
    return LogRow{std::string(r.text(0)), std::string(r.text(1)),
                  static_cast<std::uint64_t>(r.integer(2)), r.integer(3) != 0};
  });
}

Result<std::vector<EnrollmentRow>> SqliteStore::enrollments() {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  auto found = (**loan).prepare(
      "SELECT id, agent, secret_hash, created_ms, expires_ms, used_ms FROM enrollment "
      "ORDER BY rowid DESC LIMIT 500");
  if (!found) return fail(found.error());
  return rows::all<EnrollmentRow>(*found, [](const Statement& r) {
    return EnrollmentRow{std::string(r.text(0)), std::string(r.text(1)),
                         rows::digest(r, 2),     r.integer(3),
                         r.integer(4),           rows::optional_integer(r, 5)};
  });
}

namespace {

std::string event_sql(const EventQuery& query) {
  std::string sql =
      "SELECT id, agent, received_ms, chain_ok, body FROM event WHERE id > ?1 "
      "AND (?2 = '' OR agent = ?2) AND (?3 = '' OR printer = ?3) AND (?4 = '' OR severity = ?4) ";
  // The literal conditions let SQLite take the fitting index.
  if (!query.printer.empty()) sql += "AND printer = ?3 ";
  if (!query.agent.empty()) sql += "AND agent = ?2 ";
  sql += query.newest ? "ORDER BY id DESC LIMIT ?5" : "ORDER BY id LIMIT ?5";
  return sql;
}

}  // namespace

Result<std::vector<EventRow>> SqliteStore::events(const EventQuery& query) {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  auto found = (**loan).prepare(event_sql(query));
  if (!found) return fail(found.error());
  found->bind(query.after, query.agent, query.printer, query.severity, query.limit);
  auto page = rows::all<EventRow>(*found, [](const Statement& r) {
    return EventRow{r.integer(0), std::string(r.text(1)), r.integer(2), r.integer(3) != 0,
                    json::parse(r.text(4), nullptr, false)};
  });
  if (page && query.newest) std::reverse(page->begin(), page->end());
  return page;
}

Result<std::int64_t> SqliteStore::last_event_id() { return writer_->newest_event(); }

namespace {

constexpr const char* operation_select =
    "SELECT id, kind, created_ms, waiting, body, revision FROM operation ";

OperationRow operation_row(const Statement& r) {
  return {std::string(r.text(0)),
          std::string(r.text(1)),
          r.integer(2),
          r.integer(3) != 0,
          json::parse(r.text(4), nullptr, false),
          static_cast<std::uint64_t>(r.integer(5))};
}

}  // namespace

Result<std::optional<OperationRow>> SqliteStore::operation(const std::string& id) {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  auto found = (**loan).prepare(std::string(operation_select) + "WHERE id = ?");
  if (!found) return fail(found.error());
  auto row = found->bind(id).step();
  if (!row) return fail(row.error());
  if (!*row) return std::optional<OperationRow>{};
  return std::optional(operation_row(*found));
}

Result<std::vector<OperationRow>> SqliteStore::waiting_operations() {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  auto found = (**loan).prepare(std::string(operation_select) +
                                "WHERE waiting = 1 ORDER BY created_ms LIMIT 10000");
  if (!found) return fail(found.error());
  return rows::all<OperationRow>(*found, operation_row);
}

Result<std::vector<AuditRecord>> SqliteStore::audit_records(std::uint64_t after,
                                                            std::uint64_t limit) {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  return read_audit(**loan, after, limit);
}

Result<AuditVerdict> SqliteStore::verify_audit() {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  return coordinator::verify_audit(**loan, options_.audit_key);
}

}  // namespace firebreak::coordinator
