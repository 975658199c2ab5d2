#include "tests/simulator/kinds/gcode_host.h"

namespace firebreak::sim {

void GcodeHost::send(std::string line, Done done) {
  queue_.push_back({std::move(line), std::move(done)});
  pump();
}

void GcodeHost::send_now(const std::string& bytes) {
  printer_->receive(bytes);
  pump();
}

void GcodeHost::pump() {
  if (pumping_) return;
  pumping_ = true;
  for (bool progress = true; progress;) {
    progress = false;
    input_ += printer_->take_output();
    for (std::size_t end; (end = input_.find('\n')) != std::string::npos;) {
      const std::string line = input_.substr(0, end);
      input_.erase(0, end + 1);
      progress = true;
      take(line);
    }
    const bool running = printer_->firmware().state() == FirmwareState::running;
    if (sent_ || queue_.empty() || !running) continue;
    const std::string line = queue_.front().line + "\n";
    if (printer_->input_room() < line.size()) continue;
    sent_ = progress = true;
    printer_->receive(line);
  }
  pumping_ = false;
}

void GcodeHost::feed(PrintJob* job) {
  while (idle()) {
    const auto line = job->next_line();
    if (!line) break;
    send(*line);
  }
  const bool printing = job->state() == PrintJob::State::printing;
  if (printing && job->at_end() && idle() && !printer_->firmware().moving()) {
    job->complete(printer_->now());
  }
}

void GcodeHost::take(const std::string& line) {
  if (line_) line_(line);
  const bool ok = line == "ok" || line.starts_with("ok ");
  if (!ok || !sent_ || queue_.empty()) return;
  const Done done = std::move(queue_.front().done);
  queue_.pop_front();
  sent_ = false;
  if (done) done();
}

}  // namespace firebreak::sim
