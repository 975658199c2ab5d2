#pragma once

#include <algorithm>
#include <functional>
#include <random>
#include <string>

#include "agent/guard/stop/stop_bytes.h"
#include "tests/simulator/printer.h"
#include "tests/unit/links/link_bench.h"
#include "tests/unit/proxy/stream_host.h"

namespace firebreak::guard {

/// The real link between a host and the simulator's firmware, all on one simulated clock. Bytes
/// leave the port at `baud`.
class SimulatedLink {
 public:
  explicit SimulatedLink(const sim::PrinterConfig& machine = {}, int baud = 115200)
      : printer(at_once(machine)),
        config(identity_of(machine)),
        baud_(baud),
        link(config, shared, port, host, keeper, notes) {
    shared.link_mode = LinkMode::pass;
    port.settings = host.settings = {baud};
    host.open = true;
    printer.advance(std::chrono::seconds{3});  // Its boot.
    printer.take_output();
    link.start(clock.now(), false);
    run(std::chrono::seconds{3});
  }

  /// Time goes on in steps of `step`.
  void run(std::chrono::nanoseconds time) {
    for (std::chrono::nanoseconds passed{0}; passed < time; passed += step) {
      clock.advance(step);
      elapsed += step;
      wire();
      if (streamer) host.to_printer += streamer->talk(take_heard(), elapsed);
      if (!port.incoming.empty()) link.port_readable(clock.now());
      while (!host.to_printer.empty() && link.wants_host(clock.now())) {
        const auto before = host.to_printer.size();
        link.host_readable(clock.now());
        host_bytes += before - host.to_printer.size();
        if (on_host_bytes) on_host_bytes();
        if (before == host.to_printer.size()) break;
      }
      link.tick(clock.now());
    }
  }

  /// What the stop thread does in its pass: the mode first, then the bytes, straight to the port.
  void stop() {
    shared.link_mode = LinkMode::latched;
    const auto bytes = make_stop_bytes(config.profile);
    port.in_queue += bytes.view();
    shared.stop_bytes_taken += static_cast<std::uint32_t>(bytes.view().size());
  }

  [[nodiscard]] bool halted() const {
    return printer.firmware().state() == sim::FirmwareState::halted;
  }

  static constexpr std::chrono::nanoseconds step = std::chrono::milliseconds{1};
  sim::Printer printer;
  PrinterConfig config;
  PrinterShared shared;
  FakePort port;
  FakeHost host;
  FakeKeeper keeper;
  NoteList notes;
  ManualClock clock;
  StreamHost* streamer = nullptr;
  std::function<void()> on_host_bytes;      ///< After each read from the host.
  std::function<void(std::string&)> noise;  ///< May damage what goes to the printer.
  std::string to_printer, from_printer;     ///< All bytes, while `keeps` is set.
  std::size_t host_bytes = 0;               ///< Taken from the host so far.
  bool keeps = true;
  std::chrono::nanoseconds elapsed{0};

 private:
  /// The fake port is the wire: the simulated one would be a second.
  static sim::PrinterConfig at_once(sim::PrinterConfig machine) {
    machine.dialect.baud = 0;
    return machine;
  }
  static PrinterConfig identity_of(const sim::PrinterConfig& machine) {
    PrinterConfig config = one_tool_printer();
    config.expected_uuid = machine.dialect.uuid;
    config.expected_machine = machine.dialect.machine_type;
    return config;
  }

  void wire() {
    owed_ += static_cast<double>(baud_) / 10 * std::chrono::duration<double>(step).count();
    owed_ = std::min(owed_, 1e6);
    const auto whole = static_cast<std::size_t>(owed_);
    auto bytes = port.drain(std::min(whole, printer.input_room()));
    owed_ = port.in_queue.empty() ? 0 : owed_ - static_cast<double>(bytes.size());
    if (keeps) to_printer += bytes;
    if (noise) noise(bytes);
    if (!bytes.empty()) printer.receive(bytes);
    printer.advance(step);
    const auto said = printer.take_output();
    if (keeps) from_printer += said;
    port.incoming += said;
  }
  std::string take_heard() { return std::exchange(host.got, {}); }

  const int baud_;
  double owed_ = 0;

 public:
  LinkCore link;
};

}  // namespace firebreak::guard
