#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/chain/sha256.h"

namespace firebreak::chain {

/// What stands before the first event of a log: 32 zero bytes.
inline constexpr Digest chain_start{};

/// The canonical bytes of an event or audit record: CBOR of the object without its key "hash",
/// keys sorted by their bytes, integers and lengths in their shortest form, floats as the shortest
/// of single and double that keeps the value. The same for a value that went through JSON text or
/// CBOR on the way. bad_input: not an object, a text that is not UTF-8, or a number that is not
/// finite.
[[nodiscard]] Result<std::vector<std::uint8_t>> canonical_bytes(const nlohmann::json& record);

/// The hash of an event: SHA-256(previous hash || canonical bytes).
[[nodiscard]] Digest next_hash(const Digest& previous, Bytes canonical) noexcept;

/// Recomputes the chain over events in the JSON shape of the protocol. Not thread-safe.
class EventVerifier {
 public:
  /// `previous` and `seq`: the last event that was already verified.
  explicit EventVerifier(Digest previous = chain_start, std::int64_t seq = 0)
      : head_(previous), seq_(seq) {}

  /// Takes the next event. corrupt: its "seq" does not follow or its "hash" does not fit; the
  /// verifier then stays where it was. bad_input: it is not an event.
  [[nodiscard]] Result<void> take(const nlohmann::json& event);

  [[nodiscard]] const Digest& head() const noexcept { return head_; }
  [[nodiscard]] std::int64_t seq() const noexcept { return seq_; }

 private:
  Digest head_;
  std::int64_t seq_;
};

}  // namespace firebreak::chain
