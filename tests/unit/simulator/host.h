// A host's side of one simulated printer, for tests that read as a story.
#pragma once

#include <string>
#include <vector>

#include "tests/simulator/printer.h"

namespace firebreak::sim::test {

class Host {
 public:
  explicit Host(const PrinterConfig& config = {}) : printer(config) {
    wait(std::chrono::seconds(2));  // the boot loader, the banner
    text.clear();
  }

  void wait(Nanos time) {
    printer.advance(time);
    text += printer.take_output();
  }
  void send(const std::string& bytes) { printer.receive(bytes); }
  // Sends a line and gives what comes within `time`.
  std::string ask(const std::string& line, Nanos time = std::chrono::milliseconds(100)) {
    text.clear();
    send(line + "\n");
    wait(time);
    return text;
  }
  bool said(const std::string& part) const { return text.find(part) != std::string::npos; }
  HeaterTruth hotend() const { return printer.truth(HeaterId::hotend); }
  HeaterTruth bed() const { return printer.truth(HeaterId::bed); }

  Printer printer;
  std::string text;
};

inline PrinterConfig without_emergency_parser() {
  PrinterConfig config;
  config.dialect.emergency_parser = false;
  return config;
}

}  // namespace firebreak::sim::test
