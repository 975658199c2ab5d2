#include "coordinator/app/roll_authority.h"

#include <optional>

#include "common/identity/key.h"
#include "common/identity/private_file.h"
#include "coordinator/app/state_lock.h"

namespace firebreak::coordinator {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t root_bytes_max = 64 * 1024;

/// A file's text; nothing when it is not there.
Result<std::optional<std::string>> read_optional(const fs::path& file) {
  auto text = identity::read_private_file(file.string(), root_bytes_max);
  if (text) return std::optional(std::move(*text));
  if (text.error().code == ErrorCode::not_found) return std::optional<std::string>{};
  return fail(text.error());
}

Result<void> rename_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (!error) return {};
  return fail(ErrorCode::unavailable,
              from.string() + " cannot become " + to.string() + ": " + error.message());
}

std::string fingerprint_of(const std::string& pem) {
  const auto certificate = identity::read_certificate(pem);
  return certificate ? identity::to_text(certificate->fingerprint) : "?";
}

Result<std::string> prepare(const fs::path& dir, WallTime now) {
  auto next = read_optional(dir / "ca-next.pem");
  if (!next) return fail(next.error());
  auto old = read_optional(dir / "ca-old.pem");
  if (!old) return fail(old.error());
  if (*old) return fail(ErrorCode::refused, "the last roll is not ended: --roll-ca forget first");
  if (!*next) {
    auto made = identity::Authority::create(now);
    if (!made) return fail(made.error());
    if (auto kept = identity::write_private_file((dir / "ca-next.key").string(), made->key_pem());
        !kept)
      return fail(kept.error());
    if (auto kept =
            identity::write_private_file((dir / "ca-next.pem").string(), made->certificate_pem());
        !kept)
      return fail(kept.error());
    *next = made->certificate_pem();
  }
  return "the next CA is " + (dir / "ca-next.pem").string() + ", SHA-256 " +
         fingerprint_of(**next) +
         "\nnext: start the coordinator; when `firebreak agents` shows no agent that does not know "
         "the next CA, stop it and: --roll-ca switch";
}

Result<std::string> take_over(const fs::path& dir) {
  auto present = read_optional(dir / "ca.pem");
  if (!present) return fail(present.error());
  auto next = read_optional(dir / "ca-next.pem");
  if (!next) return fail(next.error());
  auto next_key = read_optional(dir / "ca-next.key");
  if (!next_key) return fail(next_key.error());
  auto old = read_optional(dir / "ca-old.pem");
  if (!old) return fail(old.error());
  if (!*present || !*next)
    return fail(ErrorCode::refused, "no next CA was prepared: --roll-ca prepare first");
  // Begun before and not ended, the key is in its place already.
  auto key = *next_key ? next_key : read_optional(dir / "ca.key");
  if (!key) return fail(key.error());
  if (!*key || !identity::key_fits_certificate(**key, **next))
    return fail(ErrorCode::corrupt,
                "ca-next.pem has no key that fits; remove ca-next.* and prepare again");
  if (*old && **old != **present)
    return fail(ErrorCode::refused, "the last roll is not ended: --roll-ca forget first");
  if (auto kept = identity::write_private_file((dir / "ca-old.pem").string(), **present); !kept)
    return fail(kept.error());
  if (*next_key)
    if (auto moved = rename_file(dir / "ca-next.key", dir / "ca.key"); !moved)
      return fail(moved.error());
  if (auto moved = rename_file(dir / "ca-next.pem", dir / "ca.pem"); !moved)
    return fail(moved.error());
  return "the CA is new, SHA-256 " + fingerprint_of(**next) +
         "; the old one's certificates still count\nnext: start the coordinator; people log in "
         "again (firebreak login); when `firebreak agents` shows no certificate of the old CA, "
         "stop "
         "it and: --roll-ca forget";
}

Result<std::string> forget(const fs::path& dir) {
  std::error_code error;
  if (fs::remove(dir / "ca-old.pem", error)) return std::string("the old CA is trusted no more");
  if (error) return fail(ErrorCode::unavailable, "ca-old.pem: " + error.message());
  return fail(ErrorCode::not_found, "there is no old CA to forget");
}

}  // namespace

Result<std::string> trusted_roots(const fs::path& state_dir, const identity::Authority& present) {
  std::string out = present.certificate_pem();
  for (const char* name : {"ca-next.pem", "ca-old.pem"}) {
    auto other = read_optional(state_dir / name);
    if (!other) return fail(other.error());
    if (*other) out += **other;
  }
  return out;
}

Result<std::string> roll_authority(const fs::path& state_dir, std::string_view step, WallTime now) {
  StateLock lock;
  if (auto taken = lock.take(state_dir); !taken)
    return fail(taken.error().code, taken.error().message + "; stop it first");
  if (step == "prepare") return prepare(state_dir, now);
  if (step == "switch") return take_over(state_dir);
  if (step == "forget") return forget(state_dir);
  return fail(ErrorCode::bad_input, "--roll-ca takes prepare, switch or forget");
}

}  // namespace firebreak::coordinator
