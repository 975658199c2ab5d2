#pragma once

#include "common/chain/sha256.h"

namespace firebreak::chain {

/// HMAC-SHA256 (RFC 2104) of the parts under a key of 32 bytes.
[[nodiscard]] Digest hmac_sha256(const Digest& key, Bytes a, Bytes b = {}) noexcept;

/// True when both are equal, in a time that does not depend on where they differ.
[[nodiscard]] bool equal_constant_time(const Digest& a, const Digest& b) noexcept;

/// The keyed chain of the audit log: mac(n) = HMAC(key, mac(n-1) || canonical bytes). Who does not
/// hold the key cannot extend, cut in the middle or edit it. Not thread-safe; the key is wiped at
/// the end of its life.
class KeyedChain {
 public:
  explicit KeyedChain(const Digest& key, const Digest& last_mac = Digest{}) noexcept;
  KeyedChain(const KeyedChain&) = delete;
  KeyedChain& operator=(const KeyedChain&) = delete;
  ~KeyedChain();

  /// The MAC that a record with these bytes would get; changes nothing.
  [[nodiscard]] Digest mac_of(Bytes canonical) const noexcept;
  /// The MAC of the next record; the chain moves on to it.
  Digest append(Bytes canonical) noexcept;
  /// True (and moves on) when `mac` is the next record's.
  [[nodiscard]] bool verify_next(Bytes canonical, const Digest& mac) noexcept;
  /// Goes to another place of the chain, for example after a transaction was rolled back.
  void set_last(const Digest& mac) noexcept { last_ = mac; }
  [[nodiscard]] const Digest& last() const noexcept { return last_; }

 private:
  Digest key_;
  Digest last_;
};

}  // namespace firebreak::chain
