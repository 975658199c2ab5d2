// Recorded dialogues with real firmware, and their replay against the simulator.
#pragma once

#include <string>
#include <vector>

#include "tests/simulator/printer.h"

namespace firebreak::sim::test {

// One line of a recording.
struct RecordedLine {
  enum class Kind { host, printer, comment };
  double seconds;
  Kind kind;
  std::string text;  // of the host: the bytes, escapes resolved, with the line's end if it had one
};

std::vector<RecordedLine> load_recording(const std::string& name);
std::vector<std::string> recording_names();

// Reports and "busy" lines come by the clock, not by a command: their number and their place
// between other lines depend on milliseconds, so they are kept apart.
enum class LineClass { answer, report, wait_report, busy };
LineClass class_of(const std::string& line);

// Measured values become "#"; what the firmware decides (targets, texts) stays.
std::string without_measurements(const std::string& line);

// How many lines by the clock came between two answers.
struct ByClock {
  int reports = 0;
  int wait_reports = 0;
  int busy = 0;
};

struct Dialogue {
  std::vector<std::string> answers;  // without measurements, in order
  std::vector<ByClock> before;       // before answer i; one more for the end
  std::string countdown;             // the W: values of waits, repeats left out
  int reports = 0;
  int wait_reports = 0;
  int busy = 0;
  std::vector<std::string> malformed;  // reports whose shape is not the known one
};

Dialogue recorded_dialogue(const std::vector<RecordedLine>& lines);
// Sends what the recorder sent, when as much had been answered as then, and the same time later.
Dialogue replay(const std::string& name, const std::vector<RecordedLine>& lines);

// The printer behind the recordings: build, plant, and the dialect that the name tells.
PrinterConfig recorded_printer(const std::string& name);

}  // namespace firebreak::sim::test
