// The host's end of the line to the printer's own board: lines one after the other, `ok` for each.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "tests/simulator/kinds/print_job.h"
#include "tests/simulator/printer.h"

namespace firebreak::sim {

// Takes all that the printer says: nobody else may call Printer::take_output(). Not thread-safe.
class GcodeHost {
 public:
  using Done = std::function<void()>;
  using Line = std::function<void(const std::string&)>;

  explicit GcodeHost(Printer* printer, Line line = nullptr)
      : printer_(printer), line_(std::move(line)) {}

  // Queues a line; `done` is called when the printer has said `ok` to it.
  void send(std::string line, Done done = nullptr);
  // Gives bytes without waiting for anything, as an impatient host does.
  void send_now(const std::string& bytes);
  // Reads what the printer said and sends what can go; to be called whenever it has moved on.
  void pump();
  // Gives the next lines of a job while nothing else waits, and completes it after its last move.
  void feed(PrintJob* job);
  bool idle() const { return queue_.empty(); }
  std::size_t waiting() const { return queue_.size(); }
  // Forgets all lines; their `done` is never called.
  void clear() {
    queue_.clear();
    sent_ = false;
  }

 private:
  struct Entry {
    std::string line;
    Done done;
  };
  void take(const std::string& line);

  Printer* printer_;
  Line line_;
  std::deque<Entry> queue_;
  bool sent_ = false;  // the front is on its way
  bool pumping_ = false;
  std::string input_;
};

}  // namespace firebreak::sim
