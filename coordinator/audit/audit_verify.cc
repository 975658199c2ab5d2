#include <algorithm>
#include <cstring>

#include "common/base/hex.h"
#include "common/chain/event_chain.h"
#include "coordinator/audit/audit_log.h"

namespace firebreak::coordinator {
namespace {

using chain::Digest;

// One read transaction covers so many records: long enough to be fast, short enough that the
// writer's checkpoint is not held up.
constexpr std::uint64_t piece = 2000;

/// Walks the log and counts. A record is judged by itself and by its link to the one before it; so
/// one changed record makes itself (and, by its MAC, the next one) invalid, not all that follow.
class Walk {
 public:
  explicit Walk(const Digest& key) : chain_(key) {}

  void take(const AuditRecord& record) {
    ++verdict.total;
    const std::string problem = judge(record);
    if (problem.empty()) {
      ++verdict.valid;
    } else {
      ++verdict.invalid;
      note(record.index, problem);
    }
    previous_ = record.hash;
    next_index_ = record.index + 1;
    verdict.head = record.hash;
    tree_.append(chain::leaf_hash(record.canonical));
    chain_.set_last(record.mac);
  }

  void note(std::uint64_t index, const std::string& problem) {
    if (verdict.first_invalid) return;
    verdict.first_invalid = index;
    verdict.detail = "record " + std::to_string(index) + ": " + problem;
  }

  [[nodiscard]] Digest root() const { return tree_.root(); }

  AuditVerdict verdict;

 private:
  std::string judge(const AuditRecord& record) {
    if (record.index != next_index_) return "records before it are missing";
    if (chain::leaf_hash(record.canonical) != record.hash) return "its hash does not fit";
    if (!chain_.verify_next(record.canonical, record.mac)) return "its MAC does not verify";
    const auto body = nlohmann::json::from_cbor(record.canonical, true, false);
    if (!body.is_object()) return "its bytes do not decode";
    const auto again = chain::canonical_bytes(body);
    if (!again || *again != record.canonical) return "its bytes are not in canonical form";
    if (body.value("index", nlohmann::json()) != record.index) return "its index does not fit";
    if (body.value("previous", nlohmann::json()) != to_hex(previous_))
      return "it does not follow the record before it";
    return {};
  }

  chain::KeyedChain chain_;
  chain::TreeHead tree_;
  Digest previous_{};
  std::uint64_t next_index_ = 1;
};

/// Checks the saved head against what was walked: a cut tail leaves records that all verify.
Result<void> check_head(storage::Database& reader, Walk& walk, std::uint64_t walked) {
  auto head = reader.prepare("SELECT size, last_hash FROM audit_head");
  if (!head) return fail(head.error());
  auto row = head->step();
  if (!row) return fail(row.error());
  const std::uint64_t size = *row ? static_cast<std::uint64_t>(head->integer(0)) : 0;
  // Records that were added since the walk ended are not missing.
  if (size > walked) {
    auto last = reader.integer("SELECT max(idx) FROM audit_record");
    if (!last) return fail(last.error());
    if (static_cast<std::uint64_t>(last->value_or(0)) >= size) return {};
    walk.verdict.invalid += size - walked;
    walk.note(walked + 1, "records at the end of the log are missing");
  } else if (size < walked) {
    walk.note(size + 1, "the saved head does not know this record");
  }
  return {};
}

}  // namespace

Result<AuditVerdict> verify_audit(storage::Database& reader, const Digest& key) {
  // A head that does not verify is reported as a finding, not as a failure to verify.
  Walk walk(key);
  std::uint64_t after = 0;
  while (true) {
    auto records = read_audit(reader, after, piece);
    if (!records) return fail(records.error());
    for (const AuditRecord& record : *records) walk.take(record);
    if (!records->empty()) after = records->back().index;
    if (records->size() < piece) break;
  }
  if (auto checked = check_head(reader, walk, after); !checked) return fail(checked.error());
  if (auto loaded = AuditLog::load(reader, key);
      !loaded && loaded.error().code == ErrorCode::corrupt && !walk.verdict.first_invalid)
    walk.note(walk.verdict.total + 1, loaded.error().message);
  walk.verdict.root = walk.root();
  return walk.verdict;
}

}  // namespace firebreak::coordinator
