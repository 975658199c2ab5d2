#include "coordinator/app/secrets.h"

#include <sodium.h>

#include <cstring>

#include "common/base/hex.h"
#include "common/identity/certificate.h"
#include "common/identity/key.h"
#include "common/identity/private_file.h"
#include "common/log/log.h"

namespace firebreak::coordinator {
namespace {

constexpr std::size_t pem_bytes_max = 64 * 1024;
/// Longest life that common clients accept of a server's certificate.
constexpr std::chrono::days server_lifetime{825};
constexpr std::chrono::days server_renewal{90};

/// A file's text; nothing when it is not there; not_allowed when a secret is open to others.
Result<std::optional<std::string>> read_file(const std::filesystem::path& file, bool secret) {
  auto text = identity::read_private_file(file.string(), pem_bytes_max);
  if (text) {
    if (secret && identity::open_to_others(file.string()))
      return fail(ErrorCode::not_allowed, file.string() +
                                              ": others may read this key, so it is no secret; "
                                              "set mode 0600 and decide whether to replace it");
    return std::optional(std::move(*text));
  }
  if (text.error().code == ErrorCode::not_found) return std::optional<std::string>{};
  return fail(text.error());
}

Result<void> write_pair(const std::filesystem::path& stem, const std::string& certificate,
                        const std::string& key) {
  // The key first: a certificate without its key would be worse than none.
  if (auto done = identity::write_private_file(stem.string() + ".key", key); !done) return done;
  return identity::write_private_file(stem.string() + ".pem", certificate);
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += name + "\n";
  return out;
}

}  // namespace

Result<identity::Authority> load_or_create_authority(const std::filesystem::path& state_dir,
                                                     WallTime now) {
  const auto stem = state_dir / "ca";
  auto certificate = read_file(stem.string() + ".pem", false);
  if (!certificate) return fail(certificate.error());
  auto key = read_file(stem.string() + ".key", true);
  if (!key) return fail(key.error());
  if (*certificate && *key) {
    auto loaded = identity::Authority::load(**certificate, **key);
    if (!loaded) return fail(loaded.error().within(stem.string() + ".pem"));
    return loaded;
  }
  if (*certificate)
    return fail(ErrorCode::corrupt, stem.string() +
                                        ".pem has no ca.key beside it; restore both from the same "
                                        "backup, or every agent must be enrolled anew");
  auto made = identity::Authority::create(now);
  if (!made) return fail(made.error());
  if (auto kept = write_pair(stem, made->certificate_pem(), made->key_pem()); !kept)
    return fail(kept.error());
  log::info("a new certificate authority was made: {}.pem", stem.string());
  return made;
}

Result<tls::Credentials> load_or_issue_server(const std::filesystem::path& state_dir,
                                              const std::string& name,
                                              const identity::Authority& authority,
                                              const std::vector<std::string>& names, WallTime now) {
  const auto stem = state_dir / name;
  const std::string names_file = stem.string() + ".names";
  auto certificate = read_file(stem.string() + ".pem", false);
  if (!certificate) return fail(certificate.error());
  auto key = read_file(stem.string() + ".key", true);
  if (!key) return fail(key.error());
  auto kept_names = read_file(names_file, false);
  if (!kept_names) return fail(kept_names.error());
  const bool of_present_root =
      *certificate && (**certificate).find(authority.certificate_pem()) != std::string::npos;
  if (*key && of_present_root && *kept_names == joined(names)) {
    const auto info = identity::read_certificate(**certificate);
    if (info && info->not_after - now > server_renewal &&
        identity::key_fits_certificate(**key, **certificate))
      return tls::Credentials{**certificate, **key};
  }
  auto issued = authority.issue_server(names, now, server_lifetime);
  if (!issued) return fail(issued.error());
  if (auto kept = write_pair(stem, issued->certificate_chain_pem, issued->key_pem); !kept)
    return fail(kept.error());
  if (auto kept = identity::write_private_file(names_file, joined(names)); !kept)
    return fail(kept.error());
  log::info("a server certificate was issued: {}.pem", stem.string());
  return tls::Credentials{issued->certificate_chain_pem, issued->key_pem};
}

Result<ResetKey> ResetKey::load_or_create(const std::filesystem::path& state_dir) {
  const auto file = state_dir / "reset.key";
  ResetKey out;
  std::array<std::uint8_t, crypto_sign_SEEDBYTES> seed{};
  auto text = read_file(file, true);
  if (!text) return fail(text.error());
  if (*text) {
    const auto kept =
        bytes_from_hex<crypto_sign_SEEDBYTES>(std::string_view(**text).substr(0, 2 * seed.size()));
    if (!kept) return fail(ErrorCode::corrupt, file.string() + ": not 64 hex digits");
    seed = *kept;
    sodium_memzero((*text)->data(), (*text)->size());
  } else {
    randombytes_buf(seed.data(), seed.size());
    if (auto done = identity::write_private_file(file.string(), to_hex(seed) + "\n"); !done)
      return fail(done.error());
  }
  crypto_sign_seed_keypair(out.public_.data(), out.secret_.data(), seed.data());
  sodium_memzero(seed.data(), seed.size());
  const auto public_file = (state_dir / "reset.pub").string();
  if (auto done = identity::write_private_file(public_file, to_hex(out.public_) + "\n"); !done)
    log::warning("{}", done.error().message);
  return out;
}

ResetKey::ResetKey(ResetKey&& other) noexcept : public_(other.public_), secret_(other.secret_) {
  sodium_memzero(other.secret_.data(), other.secret_.size());
}

ResetKey::~ResetKey() { sodium_memzero(secret_.data(), secret_.size()); }

Result<std::array<std::uint8_t, 64>> ResetKey::sign(std::span<const std::uint8_t> message) const {
  std::array<std::uint8_t, 64> signature{};
  if (crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(),
                           secret_.data()) != 0)
    return fail(ErrorCode::internal, "the grant could not be signed");
  return signature;
}

}  // namespace firebreak::coordinator
