#include "coordinator/audit/audit_log.h"

#include <algorithm>
#include <cstring>

#include "common/base/hex.h"
#include "common/chain/event_chain.h"
#include "coordinator/store/wall_text.h"

namespace firebreak::coordinator {
namespace {

using chain::Digest;

// The version of the canonical form. A later form gets a new number; old records keep theirs.
constexpr int record_version = 1;

Digest digest_of(std::span<const std::uint8_t> blob) {
  Digest out{};
  if (blob.size() == out.size()) std::memcpy(out.data(), blob.data(), out.size());
  return out;
}

/// What the saved head's MAC covers: a label, the number of records, the last MAC and the root.
Digest head_mac(const Digest& key, const AuditLog::Snapshot& at) {
  std::vector<std::uint8_t> bytes;
  for (const char c : std::string_view("firebreak-audit-head-v1"))
    bytes.push_back(static_cast<std::uint8_t>(c));
  bytes.push_back(0);
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<std::uint8_t>(at.tree.size() >> shift));
  bytes.insert(bytes.end(), at.last_hash.begin(), at.last_hash.end());
  bytes.insert(bytes.end(), at.last_mac.begin(), at.last_mac.end());
  const Digest root = at.tree.root();
  return chain::hmac_sha256(key, bytes, root);
}

}  // namespace

AuditLog::AuditLog(const Digest& key, const Snapshot& start)
    : key_(key),
      chain_(std::make_unique<chain::KeyedChain>(key, start.last_mac)),
      tree_(start.tree),
      last_hash_(start.last_hash) {}

Result<AuditLog> AuditLog::load(storage::Database& database, const Digest& key) {
  Snapshot start;
  auto head = database.prepare("SELECT size, peaks, last_hash, last_mac, mac FROM audit_head");
  if (!head) return fail(head.error());
  auto row = head->step();
  if (!row) return fail(row.error());
  if (!*row) return AuditLog(key, start);
  std::vector<Digest> peaks;
  const auto blob = head->blob(1);
  for (std::size_t at = 0; at + 32 <= blob.size(); at += 32)
    peaks.push_back(digest_of(blob.subspan(at, 32)));
  auto tree = chain::TreeHead::restore(static_cast<std::uint64_t>(head->integer(0)), peaks);
  if (!tree) return fail(ErrorCode::corrupt, "audit log: the saved tree does not fit its size");
  start.tree = std::move(*tree);
  start.last_hash = digest_of(head->blob(2));
  start.last_mac = digest_of(head->blob(3));
  if (!chain::equal_constant_time(head_mac(key, start), digest_of(head->blob(4))))
    return fail(ErrorCode::corrupt,
                "audit log: the saved head does not verify with audit.key; the database or the "
                "key was replaced. Restore both from the same backup");
  head->reset();
  auto last = database.integer("SELECT max(idx) FROM audit_record");
  if (!last) return fail(last.error());
  if (static_cast<std::uint64_t>(last->value_or(0)) != start.tree.size())
    return fail(ErrorCode::corrupt, "audit log: records at its end are missing or added");
  return AuditLog(key, start);
}

void AuditLog::restore(const Snapshot& snapshot) {
  tree_ = snapshot.tree;
  last_hash_ = snapshot.last_hash;
  chain_->set_last(snapshot.last_mac);
}

Result<AuditPosition> AuditLog::append(storage::Database& database, const AuditDraft& draft,
                                       std::uint64_t epoch, WallTime wall) {
  const std::uint64_t index = tree_.size() + 1;
  const nlohmann::json record{{"v", record_version},
                              {"index", index},
                              {"wall_ms", wall.time_since_epoch().count()},
                              {"epoch", epoch},
                              {"who", draft.who},
                              {"action", draft.action},
                              {"subject", draft.subject},
                              {"detail", draft.detail},
                              {"previous", to_hex(last_hash_)}};
  auto canonical = chain::canonical_bytes(record);
  if (!canonical) return fail(canonical.error().within("audit record"));
  const Digest leaf = chain::leaf_hash(*canonical);
  const Digest mac = chain_->mac_of(*canonical);
  auto stored =
      database.run("INSERT INTO audit_record(idx, canonical, leaf, mac) VALUES(?,?,?,?)", index,
                   std::span<const std::uint8_t>(*canonical), std::span<const std::uint8_t>(leaf),
                   std::span<const std::uint8_t>(mac));
  if (!stored) return fail(stored.error().within("audit record"));
  chain_->append(*canonical);
  tree_.append(leaf);
  last_hash_ = leaf;
  if (auto saved = save_head(database); !saved) return fail(saved.error());
  return AuditPosition{index, leaf};
}

Result<void> AuditLog::save_head(storage::Database& database) {
  std::vector<std::uint8_t> peaks;
  for (const Digest& peak : tree_.peaks()) peaks.insert(peaks.end(), peak.begin(), peak.end());
  const Digest mac = head_mac(key_, snapshot());
  return database.run(
      "INSERT INTO audit_head(id, size, peaks, last_hash, last_mac, mac) VALUES(1,?,?,?,?,?) "
      "ON CONFLICT(id) DO UPDATE SET size=excluded.size, peaks=excluded.peaks, "
      "last_hash=excluded.last_hash, last_mac=excluded.last_mac, mac=excluded.mac",
      tree_.size(), std::span<const std::uint8_t>(peaks), std::span<const std::uint8_t>(last_hash_),
      std::span<const std::uint8_t>(chain_->last()), std::span<const std::uint8_t>(mac));
}

Result<std::vector<AuditRecord>> read_audit(storage::Database& reader, std::uint64_t after,
                                            std::uint64_t limit) {
  auto rows = reader.prepare(
      "SELECT idx, canonical, leaf, mac FROM audit_record WHERE idx > ? ORDER BY idx LIMIT ?");
  if (!rows) return fail(rows.error());
  rows->bind(after, limit);
  std::vector<AuditRecord> out;
  while (true) {
    auto row = rows->step();
    if (!row) return fail(row.error());
    if (!*row) return out;
    const auto bytes = rows->blob(1);
    out.push_back({static_cast<std::uint64_t>(rows->integer(0)),
                   {bytes.begin(), bytes.end()},
                   digest_of(rows->blob(2)),
                   digest_of(rows->blob(3))});
  }
}

Result<nlohmann::json> audit_record_json(const AuditRecord& record) {
  const auto body = nlohmann::json::from_cbor(record.canonical, true, false);
  if (!body.is_object())
    return fail(ErrorCode::corrupt,
                "audit record " + std::to_string(record.index) + " does not decode");
  const auto text = [&](const char* key) {
    return body.contains(key) && body[key].is_string() ? body[key].get<std::string>()
                                                       : std::string();
  };
  const auto number = [&](const char* key) -> std::int64_t {
    return body.contains(key) && body[key].is_number_integer() ? body[key].get<std::int64_t>() : 0;
  };
  const std::string subject = text("subject");
  return nlohmann::json{{"index", record.index},
                        {"wall", wall_text(number("wall_ms"))},
                        {"epoch", number("epoch")},
                        {"who", text("who")},
                        {"action", text("action")},
                        {"subject", subject.empty() ? nlohmann::json() : nlohmann::json(subject)},
                        {"detail", body.value("detail", nlohmann::json::object())},
                        {"previous", text("previous")},
                        {"hash", to_hex(record.hash)},
                        {"mac", to_hex(record.mac)},
                        {"canonical", to_hex(record.canonical)}};
}

}  // namespace firebreak::coordinator
