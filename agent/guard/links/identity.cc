#include "agent/guard/links/identity.h"

#include <algorithm>

#include "common/base/escape.h"

namespace firebreak::guard {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_no_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

template <std::size_t size>
void store(std::string_view text, char (&out)[size]) noexcept {
  std::fill_n(out, size, '\0');
  (void)escape_untrusted_into(text, std::span<char>(out, size - 1));
}

}  // namespace

void describe_identity(const ParsedLine& info, PrinterIdentity& out) noexcept {
  describe_identity(IdentityText{info.firmware_name, info.machine_type, info.uuid}, out);
}

bool identity_matches(const ParsedLine& info, const PrinterConfig& config) noexcept {
  return identity_matches(IdentityText{info.firmware_name, info.machine_type, info.uuid}, config);
}

void describe_identity(const IdentityText& text, PrinterIdentity& out) noexcept {
  store(text.firmware, out.firmware);
  store(text.machine, out.machine);
  store(text.uuid, out.uuid);
}

bool identity_matches(const IdentityText& text, const PrinterConfig& config) noexcept {
  if (!config.expected_uuid.empty() && !same_no_case(text.uuid, config.expected_uuid)) return false;
  return config.expected_machine.empty() || text.machine == config.expected_machine;
}

}  // namespace firebreak::guard
