#include "tests/simulator/kinds/hash.h"

#include <openssl/evp.h>

#include <cstdio>

namespace firebreak::sim {
namespace {

std::string digest(const std::string& text, const EVP_MD* kind) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), out, &size, kind, nullptr);
  return std::string(reinterpret_cast<char*>(out), size);
}

}  // namespace

std::string sha1_base64(const std::string& text) {
  const std::string hash = digest(text, EVP_sha1());
  unsigned char out[64];
  const int size = EVP_EncodeBlock(out, reinterpret_cast<const unsigned char*>(hash.data()),
                                   static_cast<int>(hash.size()));
  return std::string(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
}

std::string md5_hex(const std::string& text) {
  std::string hex;
  for (const char c : digest(text, EVP_md5())) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(c));
    hex += two;
  }
  return hex;
}

}  // namespace firebreak::sim
