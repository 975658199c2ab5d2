#include "coordinator/cli/sse.h"

namespace firebreak::cli {

bool SseParser::feed(std::string_view bytes) {
  for (const char c : bytes) {
    if (broken_) return false;
    if (c == '\n' && after_cr_) {
      after_cr_ = false;  // The second half of a CRLF.
      continue;
    }
    after_cr_ = c == '\r';
    if (c == '\n' || c == '\r') {
      end_line();
      continue;
    }
    line_ += c;
    if (line_.size() + event_.data.size() > event_bytes_max) broken_ = true;
  }
  return !broken_;
}

void SseParser::end_line() {
  const std::string line = std::move(line_);
  line_.clear();
  if (!line.empty()) {
    if (line.front() == ':') return;
    const auto colon = line.find(':');
    std::string_view value;
    if (colon != std::string::npos) {
      value = std::string_view(line).substr(colon + 1);
      if (value.starts_with(' ')) value.remove_prefix(1);
    }
    return field(std::string_view(line).substr(0, colon), value);
  }
  last_id_ = pending_id_;
  if (has_data_) {
    event_.id = last_id_;
    if (event_.type.empty()) event_.type = "message";
    on_event_(event_);
  }
  event_ = SseEvent{"", "", ""};
  has_data_ = false;
}

void SseParser::field(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  } else if (name == "event") {
    event_.type = value;
  } else if (name == "id" && value.find('\0') == std::string_view::npos) {
    pending_id_ = value;
  }
}

}  // namespace firebreak::cli
