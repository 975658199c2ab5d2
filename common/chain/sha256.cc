#include "common/chain/sha256.h"

#include <sodium/crypto_hash_sha256.h>

namespace firebreak::chain {

Digest sha256(Bytes a, Bytes b, Bytes c) noexcept {
  Digest out;
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for (const Bytes part : {a, b, c}) {
    if (!part.empty()) crypto_hash_sha256_update(&state, part.data(), part.size());
  }
  crypto_hash_sha256_final(&state, out.data());
  return out;
}

}  // namespace firebreak::chain
