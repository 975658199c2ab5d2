#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/identity/authority.h"
#include "common/tls/tls_context.h"

namespace firebreak::coordinator {

/// The coordinator's certificate authority, made on first use as ca.pem (public) and ca.key.
Result<identity::Authority> load_or_create_authority(const std::filesystem::path& state_dir,
                                                     WallTime now);

/// A server certificate of that authority with its key, kept as `name`.pem and `name`.key; issued
/// anew when there is none, when `names` or the authority are others, or when less than 90 of its
/// 825 days are left.
Result<tls::Credentials> load_or_issue_server(const std::filesystem::path& state_dir,
                                              const std::string& name,
                                              const identity::Authority& authority,
                                              const std::vector<std::string>& names, WallTime now);

/// Signs grants: Ed25519, kept as reset.key (the seed) and reset.pub (64 hex, for
/// `firebreak local enroll`), made on first use. The secret half is wiped at the end.
class ResetKey {
 public:
  static Result<ResetKey> load_or_create(const std::filesystem::path& state_dir);
  ResetKey(ResetKey&& other) noexcept;
  ResetKey& operator=(ResetKey&&) = delete;
  ~ResetKey();

  [[nodiscard]] Result<std::array<std::uint8_t, 64>> sign(
      std::span<const std::uint8_t> message) const;
  [[nodiscard]] const std::array<std::uint8_t, 32>& public_key() const { return public_; }

 private:
  ResetKey() = default;
  std::array<std::uint8_t, 32> public_{};
  std::array<std::uint8_t, 64> secret_{};
};

}  // namespace firebreak::coordinator
