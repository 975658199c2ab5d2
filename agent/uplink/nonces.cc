#include "agent/uplink/nonces.h"

#include "common/identity/bytes.h"

namespace firebreak::uplink {

wire::Nonce Nonces::issue(MonotonicTime now) {
  Issued& slot = ring_[next_];
  next_ = (next_ + 1) % remembered;
  slot = {identity::random_bytes<16>(), now, true};
  return slot.nonce;
}

std::optional<MonotonicTime> Nonces::issued(const wire::Nonce& nonce) const {
  for (const Issued& slot : ring_) {
    if (slot.used && slot.nonce == nonce) return slot.at;
  }
  return std::nullopt;
}

}  // namespace firebreak::uplink
