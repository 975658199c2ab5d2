#include "agent/guard/hardware/sim_board.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "common/base/system_reason.h"

namespace firebreak::guard {
namespace {

constexpr int answer_limit_ms = 2000;
constexpr std::size_t packet_bytes = 160;

std::int64_t monotonic_ns() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

// One packet as text; empty if none came in time or the peer is gone.
std::string receive(int fd, int limit_ms) {
  pollfd waiting{fd, POLLIN, 0};
  if (poll(&waiting, 1, limit_ms) <= 0) return {};
  char packet[packet_bytes];
  const ssize_t size = recv(fd, packet, sizeof(packet), 0);
  return size > 0 ? std::string(packet, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace

Result<std::unique_ptr<SimBoard>> SimBoard::connect(const std::filesystem::path& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = socket_path.string();
  if (text.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::bad_input, text + ": the board's socket path is too long (107 bytes)");
  }
  text.copy(address.sun_path, text.size());
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return fail(ErrorCode::unavailable,
                fmt::format("{}: the simulated board does not answer ({}); start firebreak-sim "
                            "with a configuration that names this socket",
                            text, system_reason(error)));
  }
  return std::unique_ptr<SimBoard>(new SimBoard(fd));
}

SimBoard::~SimBoard() { close(fd_); }

Result<std::size_t> SimBoard::claim(const std::string& line, const std::string& how) {
  if (count_ == max_lines) {
    return fail(ErrorCode::bad_input,
                fmt::format("board line {}: more than {} lines", line, max_lines));
  }
  const std::string request = fmt::format("claim {} {}", line, how);
  if (send(fd_, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return fail(ErrorCode::unavailable, "the simulated board is gone; start firebreak-sim again");
  }
  // Changes of lines that are already claimed may come before the answer.
  for (int packets = 0; packets < 256; ++packets) {
    const std::string answer = receive(fd_, answer_limit_ms);
    InputEdge edge;
    if (answer.starts_with("edge") || answer.starts_with("celsius") || answer.starts_with("amps")) {
      take(answer.c_str(), edge);
      continue;
    }
    int index = -1;
    int level = 0;
    if (!answer.starts_with("ok ") ||
        std::sscanf(answer.c_str(), "ok %*s %d %d", &index, &level) != 2) {
      return fail(ErrorCode::unavailable,
                  fmt::format("board line {}: {}", line,
                              answer.empty() ? "the simulated board does not answer" : answer));
    }
    Line& slot = lines_[count_];
    slot.index = index;
    slot.level.store(level != 0, std::memory_order_relaxed);
    for (int value = 0; value < 2; ++value) {
      auto& message = slot.messages[static_cast<std::size_t>(value)];
      const auto end = fmt::format_to_n(message.data(), message.size(), "set {} {}", index, value);
      slot.message_size = end.size;
    }
    return count_++;
  }
  return fail(ErrorCode::unavailable,
              fmt::format("board line {}: the simulated board does not answer", line));
}

Result<std::size_t> SimBoard::claim_input(const std::string& line) { return claim(line, "in"); }

Result<std::size_t> SimBoard::claim_output(const std::string& line, bool initial) {
  return claim(line, initial ? "out 1" : "out 0");
}

bool SimBoard::level(std::size_t line) const noexcept {
  return lines_[line].level.load(std::memory_order_acquire);
}

bool SimBoard::set(std::size_t line, bool level) noexcept {
  Line& slot = lines_[line];
  const auto& message = slot.messages[level ? 1 : 0];
  const ssize_t sent = send(fd_, message.data(), slot.message_size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return false;
  slot.level.store(level, std::memory_order_release);
  return true;
}

SimBoard::Line* SimBoard::by_index(int index, std::size_t& position) noexcept {
  for (position = 0; position < count_; ++position) {
    if (lines_[position].index == index) return &lines_[position];
  }
  return nullptr;
}

bool SimBoard::take(const char* packet, InputEdge& edge) noexcept {
  int index = -1;
  int level = 0;
  std::int64_t at_ns = 0;
  float value = 0;
  std::size_t position = 0;
  if (std::sscanf(packet, "edge %d %d %" SCNd64, &index, &level, &at_ns) == 3) {
    Line* line = by_index(index, position);
    if (line == nullptr) return false;
    line->level.store(level != 0, std::memory_order_release);
    edge = {position, level != 0, at_ns};
    return true;
  }
  if (std::sscanf(packet, "celsius %d %f", &index, &value) == 2 ||
      std::sscanf(packet, "amps %d %f", &index, &value) == 2) {
    Line* line = by_index(index, position);
    if (line == nullptr) return false;
    line->value.store(value, std::memory_order_relaxed);
    line->value_at_ns.store(monotonic_ns(), std::memory_order_release);
  }
  return false;
}

std::size_t SimBoard::read_changes(std::span<InputEdge> edges, bool& lost) noexcept {
  std::size_t count = 0;
  char packet[packet_bytes];
  while (count < edges.size()) {
    const ssize_t size = recv(fd_, packet, sizeof(packet) - 1, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
      lost = true;
      return count;
    }
    if (size < 0) return count;
    packet[size] = '\0';
    if (take(packet, edges[count])) ++count;
  }
  return count;
}

bool SimBoard::own_reading(std::size_t line, float& value, std::int64_t& at_ns) const noexcept {
  at_ns = lines_[line].value_at_ns.load(std::memory_order_acquire);
  value = lines_[line].value.load(std::memory_order_relaxed);
  return at_ns != 0;
}

}  // namespace firebreak::guard
