#include <sodium.h>

#include <cstring>
#include <string>

#include "common/identity/private_file.h"
#include "coordinator/audit/audit_log.h"

namespace firebreak::coordinator {

Result<chain::Digest> load_or_create_audit_key(const std::filesystem::path& file) {
  chain::Digest key{};
  auto bytes = identity::read_private_file(file.string(), key.size());
  if (bytes) {
    if (identity::open_to_others(file.string()))
      return fail(ErrorCode::not_allowed, file.string() +
                                              ": others may read the audit key; its MACs prove "
                                              "nothing. Set mode 0600 and find out who did");
    if (bytes->size() != key.size())
      return fail(ErrorCode::corrupt, file.string() + ": not a key of 32 bytes");
    std::memcpy(key.data(), bytes->data(), key.size());
    sodium_memzero(bytes->data(), bytes->size());
    return key;
  }
  if (bytes.error().code != ErrorCode::not_found) return fail(bytes.error().within("audit key"));
  randombytes_buf(key.data(), key.size());
  const std::string_view text(reinterpret_cast<const char*>(key.data()), key.size());
  if (auto made = identity::write_private_file(file.string(), text); !made)
    return fail(made.error().within("audit key"));
  return key;
}

}  // namespace firebreak::coordinator
