// A datagram that poses as a Bambu printer's announcement: whatever comes, either nothing or a
// finding whose every text is short and harmless.
// links: fb_discovery
// seeds: tests/data/ssdp

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "agent/uplink/discovery/ssdp.h"

namespace {

void demand(bool good) {
  if (!good) std::abort();
}

void demand_harmless(const std::string& text) {
  demand(text.size() <= firebreak::uplink::shown_bytes_max);
  for (const char c : text) demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto found = firebreak::uplink::parse_bambu_announcement(bytes);
  if (!found) return 0;
  demand(size <= firebreak::uplink::ssdp_bytes_max);
  demand(found->kind == "bambu" && !found->identity.empty() && !found->address.empty());
  demand(found->sureness == firebreak::uplink::Sureness::announced);
  demand_harmless(found->identity);
  demand_harmless(found->address);
  demand_harmless(found->name);
  demand_harmless(found->claims);
  return 0;
}
