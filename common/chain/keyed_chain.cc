#include "common/chain/keyed_chain.h"

#include <sodium/crypto_auth_hmacsha256.h>
#include <sodium/utils.h>

namespace firebreak::chain {

Digest hmac_sha256(const Digest& key, Bytes a, Bytes b) noexcept {
  Digest out;
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key.data(), key.size());
  for (const Bytes part : {a, b}) {
    if (!part.empty()) crypto_auth_hmacsha256_update(&state, part.data(), part.size());
  }
  crypto_auth_hmacsha256_final(&state, out.data());
  sodium_memzero(&state, sizeof state);
  return out;
}

bool equal_constant_time(const Digest& a, const Digest& b) noexcept {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

KeyedChain::KeyedChain(const Digest& key, const Digest& last_mac) noexcept
    : key_(key), last_(last_mac) {}

KeyedChain::~KeyedChain() { sodium_memzero(key_.data(), key_.size()); }

Digest KeyedChain::mac_of(Bytes canonical) const noexcept {
  return hmac_sha256(key_, last_, canonical);
}

Digest KeyedChain::append(Bytes canonical) noexcept { return last_ = mac_of(canonical); }

bool KeyedChain::verify_next(Bytes canonical, const Digest& mac) noexcept {
  if (!equal_constant_time(mac_of(canonical), mac)) return false;
  last_ = mac;
  return true;
}

}  // namespace firebreak::chain
