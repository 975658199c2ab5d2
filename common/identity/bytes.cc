#include "common/identity/bytes.h"

#include <sodium.h>

namespace firebreak::identity {
namespace {

/// libsodium chooses its implementations once; every entry to this file passes here first.
void ready() {
  static const int result = sodium_init();
  (void)result;
}

constexpr int url_variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

}  // namespace

std::string base64url(std::span<const std::uint8_t> bytes) {
  std::string out(sodium_base64_ENCODED_LEN(bytes.size(), url_variant), '\0');
  sodium_bin2base64(out.data(), out.size(), bytes.data(), bytes.size(), url_variant);
  out.pop_back();  // the terminator that libsodium counts
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string out(text.size() / 4 * 3 + 3, '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                        text.size(), nullptr, &size, &end, url_variant) != 0 ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  out.resize(size);
  return out;
}

std::array<std::uint8_t, 32> sha256(std::span<const std::uint8_t> bytes) {
  ready();
  std::array<std::uint8_t, 32> out;
  crypto_hash_sha256(out.data(), bytes.data(), bytes.size());
  return out;
}

std::array<std::uint8_t, 32> sha256(std::string_view bytes) { return sha256(as_u8(bytes)); }

void fill_random(std::span<std::uint8_t> out) {
  ready();
  randombytes_buf(out.data(), out.size());
}

int random_for_mbedtls(void* /*unused*/, unsigned char* out, std::size_t size) {
  fill_random({out, size});
  return 0;
}

}  // namespace firebreak::identity
