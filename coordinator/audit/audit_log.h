#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/chain/keyed_chain.h"
#include "common/chain/merkle.h"
#include "common/storage/database.h"

namespace firebreak::coordinator {

/// What a change says about itself. `detail` is a small JSON object without floats and secrets.
struct AuditDraft {
  std::string who;      ///< "token:<id> <name>", "agent:<name>" or "coordinator".
  std::string action;   ///< "stop", "token.create", … (docs/audit.md lists them).
  std::string subject;  ///< What was changed; empty: nothing in particular.
  nlohmann::json detail = nlohmann::json::object();
};

/// Where a record ended up.
struct AuditPosition {
  std::uint64_t index = 0;  ///< From 1, without gaps.
  chain::Digest hash{};     ///< The record's RFC 6962 leaf hash.
};

/// A record as it is stored. The canonical bytes are the record; all else is derived from them.
struct AuditRecord {
  std::uint64_t index = 0;
  std::vector<std::uint8_t> canonical;
  chain::Digest hash{};
  chain::Digest mac{};
};

/// The verdict over the whole log.
struct AuditVerdict {
  std::uint64_t total = 0;
  std::uint64_t valid = 0;
  std::uint64_t invalid = 0;
  /// The first record that does not verify; total + 1 when records at the end are missing.
  std::optional<std::uint64_t> first_invalid;
  chain::Digest head{};  ///< Hash of the last record; zeros when there is none.
  chain::Digest root{};  ///< RFC 6962 root over the leaves as they were recomputed.
  std::string detail;    ///< Why the first invalid record is invalid; empty when all is well.
};

/// Appends to the audit log inside the caller's transaction. Belongs to the store's one writer
/// thread; not thread-safe.
class AuditLog {
 public:
  /// Continues the log of `database`. Errors: corrupt (the saved head does not fit the last
  /// record: do not continue such a log, run a verification), unavailable.
  static Result<AuditLog> load(storage::Database& database, const chain::Digest& key);

  /// Adds one record. Nothing counts before the transaction commits; after a rollback the caller
  /// restores the snapshot that it took before.
  Result<AuditPosition> append(storage::Database& database, const AuditDraft& draft,
                               std::uint64_t epoch, WallTime wall);

  struct Snapshot {
    chain::TreeHead tree;
    chain::Digest last_hash{};
    chain::Digest last_mac{};
  };
  [[nodiscard]] Snapshot snapshot() const { return {tree_, last_hash_, chain_->last()}; }
  void restore(const Snapshot& snapshot);

  [[nodiscard]] std::uint64_t size() const { return tree_.size(); }
  [[nodiscard]] const chain::Digest& head() const { return last_hash_; }

 private:
  AuditLog(const chain::Digest& key, const Snapshot& start);
  Result<void> save_head(storage::Database& database);

  chain::Digest key_;
  std::unique_ptr<chain::KeyedChain> chain_;
  chain::TreeHead tree_;
  chain::Digest last_hash_{};
};

/// Recomputes every record: canonical form, index, previous hash, leaf hash, MAC, and the saved
/// head that betrays a cut tail. Reads in pieces, so that it holds no read lock for long.
Result<AuditVerdict> verify_audit(storage::Database& reader, const chain::Digest& key);

/// Records after `after`, oldest first, at most `limit`.
Result<std::vector<AuditRecord>> read_audit(storage::Database& reader, std::uint64_t after,
                                            std::uint64_t limit);

/// A record in the shape of openapi.json's AuditRecord. corrupt: its bytes do not decode.
Result<nlohmann::json> audit_record_json(const AuditRecord& record);

/// The MAC key of `file` (32 bytes, mode 0600), made on first use. Errors: not_allowed (others may
/// read the file), corrupt (wrong size), unavailable.
Result<chain::Digest> load_or_create_audit_key(const std::filesystem::path& file);

}  // namespace firebreak::coordinator
