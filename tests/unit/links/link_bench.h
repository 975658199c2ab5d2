#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/guard/core/shared.h"
#include "agent/guard/links/link_core.h"
#include "tests/unit/links/link_fixture.h"

namespace firebreak::guard {

/// A port in memory. What the link writes waits in a queue that drains at a baud rate, as a UART
/// does; the printer's answers are put into `incoming`.
class FakePort final : public SerialPort {
 public:
  Result<void> open() override {
    ++opens;
    if (!error.message.empty()) return fail(error);
    number = 100 + opens;
    lost = false;
    return {};
  }
  bool adopt(int fd) override {
    if (!adoptable) return false;
    number = fd;
    return true;
  }
  void close() noexcept override {
    number = -1;
    in_queue.clear();
    incoming.clear();
  }
  void collect() noexcept override {}
  int fd() const noexcept override { return number; }
  IoResult read(std::span<char> into) noexcept override {
    if (lost) return {0, true};
    const auto count = std::min(into.size(), incoming.size());
    std::copy_n(incoming.begin(), count, into.begin());
    incoming.erase(0, count);
    return {count, false};
  }
  IoResult write(std::string_view bytes) noexcept override {
    if (lost) return {0, true};
    in_queue.append(bytes);
    deepest = std::max(deepest, in_queue.size());
    return {bytes.size(), false};
  }
  std::size_t queued() noexcept override { return in_queue.size(); }
  void drop_output() noexcept override { in_queue.clear(); }
  bool set_dtr(bool high) noexcept override {
    if (has_dtr) dtr.push_back(high);
    return has_dtr;
  }
  bool set_line(const LineSettings& wanted) noexcept override {
    set.push_back(wanted);
    settings = wanted;
    return true;
  }
  LineSettings line() const noexcept override { return settings; }

  /// Lets `count` bytes leave for the printer; returns them.
  std::string drain(std::size_t count) {
    const std::string out = in_queue.substr(0, count);
    in_queue.erase(0, out.size());
    return out;
  }

  std::string incoming, in_queue;
  std::size_t deepest = 0;
  int opens = 0, number = -1;
  bool lost = false, has_dtr = true, adoptable = false;
  std::vector<bool> dtr;
  std::vector<LineSettings> set;
  LineSettings settings{115200};
  Error error;
};

/// The host program's side of the pty, in memory.
class FakeHost final : public HostPort {
 public:
  IoResult read(std::span<char> into) noexcept override {
    const auto count = std::min({into.size(), to_printer.size(), chunk});
    std::copy_n(to_printer.begin(), count, into.begin());
    to_printer.erase(0, count);
    return {count, false};
  }
  IoResult write(std::string_view bytes) noexcept override {
    if (!reads) return {};
    got.append(bytes);
    return {bytes.size(), false};
  }
  bool attached() noexcept override { return open; }
  LineSettings line() noexcept override { return settings; }
  void hang_up() noexcept override {
    ++hang_ups;
    open = false;
  }

  std::string to_printer, got;
  std::size_t chunk = 1000;
  LineSettings settings{115200};
  int hang_ups = 0;
  bool open = false, reads = true;
};

/// One link with a fake port, a fake host, a scripted printer and a clock of its own.
class LinkBench {
 public:
  explicit LinkBench(PrinterConfig printer = one_tool_printer())
      : config(std::move(printer)), link(config, shared, port, host, keeper, notes) {
    shared.link_mode = LinkMode::pass;
    answer = [this](const std::string& line) { return marlin(line); };
  }

  void start() { link.start(clock.now(), false); }

  /// Time goes on in steps of 5 ms; the printer reads at 115200 baud and answers at once.
  void run(std::chrono::milliseconds time) {
    for (auto passed = std::chrono::milliseconds{0}; passed < time; passed += step) {
      clock.advance(step);
      elapsed += step;
      feed_printer();
      if (on_step) on_step();
      if (!port.incoming.empty() || port.lost) link.port_readable(clock.now());
      if (!host.to_printer.empty() && link.wants_host(clock.now())) link.host_readable(clock.now());
      link.tick(clock.now());
    }
  }
  /// Starts, and runs until the printer is identified.
  void run_to_ready() {
    start();
    run(std::chrono::milliseconds{2500});
    sent.clear();
  }
  void say(const std::string& text) { port.incoming += text; }

  std::string marlin(const std::string& line) {
    const auto command = line.substr(0, line.find('*'));
    if (command.ends_with("M115")) {
      return firmware_line + "Cap:AUTOREPORT_TEMP:" + (autoreport ? "1" : "0") +
             "\nCap:EMERGENCY_PARSER:1\nok\n";
    }
    if (command.ends_with("M105")) return "ok " + report + "\n";
    return "ok\n";
  }
  PrinterReadings readings() {
    PrinterReadings now;
    shared.readings.load(now);
    return now;
  }
  std::uint32_t take_events() { return shared.events.exchange(0); }
  /// How often a line stands in what the printer got.
  int sent_count(const std::string& line) const {
    int count = 0;
    for (const auto& one : sent) count += one == line ? 1 : 0;
    return count;
  }

  static constexpr std::chrono::milliseconds step{5};
  PrinterConfig config;
  PrinterShared shared;
  FakePort port;
  FakeHost host;
  FakeKeeper keeper;
  NoteList notes;
  ManualClock clock;
  LinkCore link;
  std::function<std::string(const std::string&)> answer;
  std::function<void()> on_step;
  std::vector<std::string> sent;  ///< Whole lines that the printer got.
  std::string raw;                ///< All bytes that it got.
  std::string report = "T:24.99 /0.00 B:24.93 /0.00 @:0 B@:0";
  std::chrono::milliseconds elapsed{0};
  bool autoreport = false;
  bool silent = false;
  std::size_t bytes_per_step = 57;  ///< 115200 baud in 5 ms.

 private:
  void feed_printer() {
    for (const char byte : port.drain(bytes_per_step)) {
      raw += byte;
      if (byte != '\n') {
        line_ += byte;
        continue;
      }
      sent.push_back(line_);
      if (!silent && !line_.empty() && line_[0] != ';') port.incoming += answer(line_);
      line_.clear();
    }
  }
  std::string line_;
};

}  // namespace firebreak::guard
