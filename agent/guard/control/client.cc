#include "agent/guard/control/client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "agent/guard/control/json_gate.h"

namespace firebreak::guard {

Client::~Client() {
  if (fd_ >= 0) close(fd_);
}

int Client::release() noexcept {
  closed_ = true;
  return std::exchange(fd_, -1);
}

void Client::receive(MonotonicTime now) {
  std::array<char, 4096> chunk;
  // One line's worth a round, so that a client that never stops sending cannot hold the others up.
  std::size_t budget = control_line_bytes_max;
  while (wants_input() && budget > 0) {
    const ssize_t got = recv(fd_, chunk.data(), std::min(chunk.size(), budget), MSG_DONTWAIT);
    if (got > 0) {
      budget -= static_cast<std::size_t>(got);
      active_ = now;
      in_.append(chunk.data(), static_cast<std::size_t>(got));
      cut_lines(now);
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    no_more_input_ = true;  // End of stream or an error; finish what was asked, then close.
    if (got < 0) closed_ = true;
    return;
  }
}

void Client::cut_lines(MonotonicTime now) {
  std::size_t start = 0;
  while (queue_.size() < control_queue_max) {
    const auto end = in_.find('\n', start);
    if (end == std::string::npos) break;
    std::string_view line(in_.data() + start, end - start);
    start = end + 1;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    if (line.size() > control_line_bytes_max) {
      finish_with(problem_answer("bad_request", "a line is at most 65536 bytes; closing"));
      break;
    }
    queue_.push_back(parse_request(line));
  }
  in_.erase(0, start);
  const bool whole_line_left = in_.find('\n') != std::string::npos;
  if (in_.empty() || whole_line_left) {
    line_started_ = MonotonicTime::max();
  } else if (line_started_ == MonotonicTime::max() || start > 0) {
    line_started_ = now;
  }
  if (!whole_line_left && in_.size() > control_line_bytes_max) {
    finish_with(problem_answer("bad_request", "a line is at most 65536 bytes; closing"));
  }
  if (in_.empty() && in_.capacity() > 4096) in_.shrink_to_fit();
}

Request* Client::next() {
  for (auto& request : queue_) {
    if (!request.done) return &request;
  }
  return nullptr;
}

void Client::finish_with(std::string answer) {
  no_more_input_ = true;
  line_started_ = MonotonicTime::max();
  in_.clear();
  Request last;
  last.answer = std::move(answer);
  last.done = true;
  queue_.push_back(std::move(last));
}

void Client::take_answers(MonotonicTime now) {
  while (out_.empty() && !queue_.empty() && queue_.front().done) {
    out_ = std::move(queue_.front().answer);
    out_ += '\n';
    serves_ = std::move(queue_.front().serves);
    queue_.pop_front();
    output_started_ = now;
    // Room again for lines that arrived while the queue was full.
    if (!no_more_input_) cut_lines(now);
  }
}

void Client::send(MonotonicTime now) {
  for (take_answers(now); !out_.empty(); take_answers(now)) {
    const ssize_t put = ::send(fd_, out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) closed_ = true;
      return;
    }
    active_ = now;
    out_.erase(0, static_cast<std::size_t>(put));
  }
  output_started_ = MonotonicTime::max();
}

MonotonicTime Client::deadline() const noexcept {
  const auto since = std::min(line_started_, output_started_);
  return since == MonotonicTime::max() ? since : since + control_patience;
}

void Client::expire(MonotonicTime now) {
  if (output_started_ != MonotonicTime::max() && now >= output_started_ + control_patience) {
    closed_ = true;
  } else if (line_started_ != MonotonicTime::max() && now >= line_started_ + control_patience) {
    finish_with(problem_answer("bad_request", "the line was not finished within 5 s; closing"));
    send(now);
  }
  if (no_more_input_ && queue_.empty() && out_.empty()) closed_ = true;
}

}  // namespace firebreak::guard
