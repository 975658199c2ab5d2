// Bytes from a serial line, from the splitter to the meaning of each line, and the same bytes as a
// host's lines: whatever comes, no impossible temperature, and no line over the limit.
// links: fb_ports fb_proxy
// seeds: tests/data/corpus/marlin

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "agent/guard/links/line_splitter.h"
#include "agent/guard/links/report_parser.h"
#include "agent/guard/proxy/host_gate.h"

namespace {

using namespace firebreak;
using namespace firebreak::guard;

void demand(bool good) {
  if (!good) std::abort();
}

void check_line(std::string_view line) {
  demand(line.size() <= LineSplitter::max_line);
  const ParsedLine parsed = parse_line(line);
  demand(parsed.values().empty() || parsed.kind == LineKind::temperature);
  for (const auto& value : parsed.values()) {
    demand(value.celsius >= lowest_possible_celsius && value.celsius <= highest_possible_celsius);
    demand(std::isnan(value.target_celsius) || (value.target_celsius >= lowest_possible_celsius &&
                                                value.target_celsius <= highest_possible_celsius));
    demand(std::isnan(value.duty) || (value.duty >= 0 && value.duty <= 1000));
  }
  // A damaged byte in a report never leaves a value behind.
  demand(parsed.values().empty() || line.find('\0') == std::string_view::npos);
}

struct Nobody final : HostLineObserver {
  void on_host_line(const HostLine& line, std::string_view, bool passed) noexcept override {
    demand(!passed || !forbidden || line.allowed);
  }
  bool forbidden = false;
};

void check_host(std::string_view bytes, bool latched) {
  Nobody nobody;
  nobody.forbidden = latched;
  HostGate gate("p1", nobody);
  GatePolicy policy;
  policy.allowlist_only = latched;
  std::size_t passed = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 61) {
    const auto part = bytes.substr(at, 61);
    gate.take(part, policy, MonotonicTime{});
    passed += gate.to_port.size();
    gate.to_port.clear();
    gate.replies.clear();
  }
  demand(latched || passed == bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  LineSplitter splitter;
  for (const char byte : bytes) {
    if (splitter.push(byte)) check_line(splitter.line());
  }
  // Recordings have a time and a direction in front: their lines alone count too.
  check_line(bytes.substr(0, LineSplitter::max_line));
  check_host(bytes, false);
  check_host(bytes, true);
  return 0;
}
