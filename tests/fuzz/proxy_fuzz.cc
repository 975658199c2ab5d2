// A host's bytes through the gate, plain, packed and as packets, and a printer's through the stream
// to the host: whatever comes, without a policy nothing changes, and under one nothing passes that
// may not.
// links: fb_ports fb_proxy
// seeds: tests/data/corpus/marlin tests/data/gcode/cube.gcode

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "agent/guard/proxy/host_gate.h"
#include "agent/guard/proxy/host_stream.h"

namespace {

using namespace firebreak;
using namespace firebreak::guard;

void demand(bool good) {
  if (!good) std::abort();
}

struct Nobody final : HostLineObserver {
  void on_host_line(const HostLine&, std::string_view, bool) noexcept override {}
};

std::string through_gate(std::string_view bytes, const GatePolicy& policy, bool binary) {
  Nobody nobody;
  HostGate gate("p1", nobody);
  gate.know_packing();
  gate.set_binary(binary);
  std::string passed;
  for (std::size_t at = 0; at < bytes.size(); at += 61) {
    gate.take(bytes.substr(at, 61), policy, MonotonicTime{});
    demand(!binary || !gate.between_lines());
    passed += gate.to_port.view();
    gate.to_port.clear();
    gate.replies.clear();
  }
  return passed;
}

template <class Check>
void check_each_line(const std::string& text, Check check) {
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find_first_of("\r\n", at), text.size());
    check(parse_host_line(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
}

void check_host(std::string_view bytes) {
  demand(through_gate(bytes, {}, false) == bytes);
  demand(through_gate(bytes, {}, true) == bytes);
  GatePolicy latched;
  latched.allowlist_only = true;
  demand(through_gate(bytes, latched, true).empty());
  check_each_line(through_gate(bytes, latched, false),
                  [](const HostLine& line) { demand(line.allowed || !line.answered); });
  GatePolicy cold;
  cold.no_new_heat = true;
  check_each_line(through_gate(bytes, cold, false),
                  [](const HostLine& line) { demand(!line.heats); });
}

void check_printer(std::string_view bytes) {
  HostStream stream;
  std::string got;
  bool swallowed = false;
  for (const char byte : bytes) {
    stream.take(byte, (byte & 1) != 0);
    if (byte == '\n') {
      swallowed = swallowed || bytes.size() % 3 == 0;
      stream.end_line(bytes.size() % 3 == 0);
    }
    got += stream.to_host.view();
    stream.to_host.clear();
  }
  stream.release();
  got += stream.to_host.view();
  demand(swallowed || got == bytes);
  demand(stream.dropped_bytes == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_host(bytes);
  check_printer(bytes);
  return 0;
}
