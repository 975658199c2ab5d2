// sim.yaml: what the simulator process holds. The keys are described in ../README.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/simulator/board.h"
#include "tests/simulator/dialect.h"
#include "tests/simulator/kinds/kind.h"

namespace firebreak::sim {

struct PrinterSetup {
  PrinterConfig printer;
  KindSetup kind;      // how hosts reach it
  std::string port;    // symlink to the pty, of kind marlin
  std::string record;  // file that gets every byte that the port reads; empty: none
  std::string board;
  std::string relay;          // empty: powered for ever
  bool covers_hotend = true;  // the relay cuts this heater
  bool covers_bed = true;
  bool board_powered_by_relay = false;
  bool dtr_resets = true;    // speed 0 and back, what a pty has for a DTR pulse
  bool open_resets = false;  // an opening of the port resets the board, as on an AVR
};

struct SimConfig {
  std::string control;
  std::string journal;
  bool journal_pulses = false;  // also each change of a heartbeat's pulse line
  std::vector<BoardConfig> boards;
  std::vector<PrinterSetup> printers;
};

// Reads and checks the file; paths in it are relative to its folder. On failure `error` says
// file, line and what is wrong, and the result is empty.
std::optional<SimConfig> load_config(const std::string& path, std::string* error);

}  // namespace firebreak::sim
