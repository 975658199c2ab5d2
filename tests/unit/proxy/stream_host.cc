#include "tests/unit/proxy/stream_host.h"

#include <utility>

namespace firebreak::guard {

std::string numbered(int number, const std::string& command) {
  const std::string text = "N" + std::to_string(number) + " " + command;
  unsigned sum = 0;
  for (const char c : text) sum ^= static_cast<unsigned char>(c);
  return text + "*" + std::to_string(sum) + "\n";
}

StreamHost::StreamHost(std::vector<std::string> job, bool repeats, bool obeys_cancel, int window)
    : job_(std::move(job)), repeats_(repeats), obeys_cancel_(obeys_cancel), window_(window) {}

std::string StreamHost::line(int number) const {
  if (number == 0) return numbered(0, "M110 N0");
  return numbered(number, job_[static_cast<std::size_t>(number - 1) % job_.size()]);
}

std::string StreamHost::talk(const std::string& text, std::chrono::nanoseconds now) {
  heard_ += text;
  partial_ += text;
  for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
    hear(partial_.substr(0, end));
    partial_.erase(0, end + 1);
    sent_at_ = now;  // Any line is a sign of life (`busy:`, a report).
  }
  return next_line(now);
}

void StreamHost::hear(const std::string& line) {
  if (line == "//action:cancel") {
    cancelled_ = true;
    if (obeys_cancel_) stage_ = Stage::finished;
  }
  if (line.starts_with("Resend:")) {
    again_ = std::stoi(line.substr(7));
    ++resends_;
  }
  if (!line.starts_with("ok")) return;
  if (waiting_ == 0) {
    ++spare_oks_;
    return;
  }
  --waiting_;
  if (again_ >= 0) {
    number_ = std::exchange(again_, -1);
  } else {
    ++lines_done_;
  }
}

std::string StreamHost::next_line(std::chrono::nanoseconds now) {
  if (stage_ == Stage::finished) return "";
  if (waiting_ > 0 && now - sent_at_ > patience) {
    ++stalls_;
    waiting_ = 0;
  }
  std::string lines;
  while (again_ < 0 && waiting_ < window_) {
    if (!repeats_ && number_ > static_cast<int>(job_.size())) {
      if (waiting_ == 0) stage_ = Stage::finished;
      break;
    }
    ++waiting_;
    sent_at_ = now;
    lines += line(number_++);
  }
  return lines;
}

}  // namespace firebreak::guard
