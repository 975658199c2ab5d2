#include "common/base/hex.h"
#include "coordinator/store/rows.h"
#include "coordinator/store/sqlite_store.h"

namespace firebreak::coordinator {

using nlohmann::json;

namespace {

std::span<const std::uint8_t> blob(const identity::Fingerprint& fingerprint) { return fingerprint; }

/// Adds a certificate as the agent's newest.
Result<void> insert_certificate(WriteContext& c, const std::string& agent,
                                const identity::CertificateInfo& certificate) {
  return c.database.run(
      "INSERT INTO certificate(fingerprint, agent, serial, not_after_ms, added_ms) VALUES(?1, ?2, "
      "(SELECT coalesce(max(serial), 0) + 1 FROM certificate WHERE agent = ?2), ?3, ?4)",
      blob(certificate.fingerprint), agent, certificate.not_after.time_since_epoch().count(),
      c.wall_ms());
}

/// The open enrolment with this hash for this agent; not_allowed says why there is none.
Result<std::string> open_enrollment(WriteContext& c, const std::string& agent,
                                    const chain::Digest& secret_hash) {
  auto found = c.database.prepare(
      "SELECT id, agent, created_ms, expires_ms, used_ms FROM enrollment WHERE secret_hash = ?");
  if (!found) return fail(found.error());
  auto row = found->bind(std::span<const std::uint8_t>(secret_hash)).step();
  if (!row) return fail(row.error());
  if (!*row) return fail(ErrorCode::not_allowed, "the enrolment token is unknown");
  if (found->text(1) != agent)
    return fail(ErrorCode::not_allowed, "the enrolment token was made for another agent");
  if (!found->is_null(4))
    return fail(ErrorCode::not_allowed, "the enrolment token was used before");
  // A clock that went back by more than a token's life closes it too: its age is not known then.
  const std::int64_t now = c.wall_ms();
  if (now >= found->integer(3) || now < found->integer(2) - 60'000)
    return fail(ErrorCode::not_allowed, "the enrolment token has expired");
  return std::string(found->text(0));
}

}  // namespace

Result<identity::CertificateInfo> SqliteStore::enroll(std::string_view agent,
                                                      std::span<const std::uint8_t, 32> secret_hash,
                                                      const Sign& sign) {
  chain::Digest hash{};
  std::copy(secret_hash.begin(), secret_hash.end(), hash.begin());
  const std::string name(agent);
  using Info = identity::CertificateInfo;
  // Waits without a limit: `sign` belongs to the caller, who must still be there.
  return writer_->run<Info>(
      [name, hash, sign](WriteContext& c) -> Result<Info> {
        auto id = open_enrollment(c, name, hash);
        if (!id) return fail(id.error());
        auto certificate = sign();
        if (!certificate) return fail(certificate.error());
        const std::int64_t now = c.wall_ms();
        if (auto done = c.database.run(
                "INSERT INTO agent(name, enrolled_ms) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE "
                "SET enrolled_ms = excluded.enrolled_ms, revoked_ms = NULL",
                name, now);
            !done)
          return fail(done.error());
        if (auto done = c.database.run("UPDATE certificate SET superseded_ms = ? WHERE agent = ? "
                                       "AND superseded_ms IS NULL",
                                       now, name);
            !done)
          return fail(done.error());
        if (auto done = insert_certificate(c, name, *certificate); !done) return fail(done.error());
        if (auto done = c.database.run("UPDATE enrollment SET used_ms = ? WHERE id = ?", now, *id);
            !done)
          return fail(done.error());
        auto recorded =
            c.record({"agent:" + name,
                      "agent.enroll",
                      name,
                      {{"enrollment", *id}, {"certificate", to_hex(certificate->fingerprint)}}});
        if (!recorded) return fail(recorded.error());
        return *certificate;
      },
      std::chrono::hours{1});
}

Result<Standing> SqliteStore::standing(std::string_view agent,
                                       const identity::Fingerprint& certificate) {
  auto loan = readers_.borrow();
  if (!loan) return fail(loan.error());
  auto found = (**loan).prepare(
      "SELECT a.revoked_ms, c.superseded_ms FROM certificate c JOIN agent a ON a.name = c.agent "
      "WHERE c.fingerprint = ? AND c.agent = ?");
  if (!found) return fail(found.error());
  auto row = found->bind(blob(certificate), agent).step();
  if (!row) return fail(row.error());
  if (!*row) return Standing::unknown;
  if (!found->is_null(0)) return Standing::revoked;
  return found->is_null(1) ? Standing::good : Standing::superseded;
}

Result<void> SqliteStore::add_certificate(std::string_view agent,
                                          const identity::CertificateInfo& certificate) {
  const std::string name(agent);
  auto done = writer_->run<bool>([name, certificate](WriteContext& c) -> Result<bool> {
    if (auto added = insert_certificate(c, name, certificate); !added) return fail(added.error());
    auto recorded = c.record(
        {"agent:" + name, "agent.renew", name, {{"certificate", to_hex(certificate.fingerprint)}}});
    if (!recorded) return fail(recorded.error());
    return true;
  });
  if (!done) return fail(done.error());
  return {};
}

Result<void> SqliteStore::certificate_used(std::string_view agent,
                                           const identity::Fingerprint& certificate) {
  const std::string name(agent);
  auto done = writer_->run<bool>([name, certificate](WriteContext& c) -> Result<bool> {
    auto& db = c.database;
    if (auto set = db.run("UPDATE certificate SET used_ms = coalesce(used_ms, ?) "
                          "WHERE fingerprint = ? AND agent = ?",
                          c.wall_ms(), blob(certificate), name);
        !set)
      return fail(set.error());
    if (auto set = db.run(
            "UPDATE certificate SET superseded_ms = ?1 WHERE agent = ?2 AND superseded_ms IS NULL "
            "AND serial < (SELECT serial FROM certificate WHERE fingerprint = ?3)",
            c.wall_ms(), name, blob(certificate));
        !set)
      return fail(set.error());
    if (db.changes() == 0) return true;
    auto recorded =
        c.record({"agent:" + name, "certificate.supersede", name, {{"by", to_hex(certificate)}}});
    if (!recorded) return fail(recorded.error());
    return true;
  });
  if (!done) return fail(done.error());
  return {};
}

Result<std::int64_t> SqliteStore::revoke_agent(const std::string& name, const std::string& who) {
  return writer_->run<std::int64_t>([name, who](WriteContext& c) -> Result<std::int64_t> {
    auto known = c.database.integer("SELECT count(*) FROM agent WHERE name = ?", name);
    if (!known) return fail(known.error());
    if (known->value_or(0) == 0) return fail(ErrorCode::not_found, "there is no agent " + name);
    auto before = c.database.integer("SELECT revoked_ms FROM agent WHERE name = ?", name);
    if (!before) return fail(before.error());
    if (*before) return **before;
    if (auto set =
            c.database.run("UPDATE agent SET revoked_ms = ? WHERE name = ?", c.wall_ms(), name);
        !set)
      return fail(set.error());
    if (auto r = c.record({who, "agent.revoke", name, json::object()}); !r) return fail(r.error());
    return c.wall_ms();
  });
}

}  // namespace firebreak::coordinator
