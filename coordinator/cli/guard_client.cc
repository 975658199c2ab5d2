#include "coordinator/cli/guard_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/system_reason.h"

namespace firebreak::cli {
namespace {

using Time = std::chrono::steady_clock;

// A status of a hundred printers is about 150 KiB.
constexpr std::size_t answer_bytes_max = 4 * 1024 * 1024;

// A guard that restarts is back within 0.8 s (docs/safety.md); a busy one has a full backlog.
constexpr int connect_tries = 15;
constexpr int connect_pause_ms = 100;

constexpr const char* look_at_guard = "systemctl status firebreak-guard";

Failure cannot_connect(const std::filesystem::path& socket, int error) {
  const std::string at = socket.string();
  if (error == EACCES || error == EPERM) {
    return {ExitStatus::not_allowed,
            at + ": you may not talk to the guard (not in its operator group)",
            "sudo adduser $USER firebreak, log in again, and repeat; or use sudo"};
  }
  if (error == ENOENT) {
    return {ExitStatus::failed, at + ": there is no guard's socket; no guard runs here",
            std::string(look_at_guard) + " (or name its socket: --socket PATH)"};
  }
  return {ExitStatus::failed, at + ": the guard does not answer (" + system_reason(error) + ")",
          look_at_guard};
}

int left_ms(Time::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Time::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 600'000));
}

}  // namespace

Outcome<GuardClient> GuardClient::connect(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return give_up(ExitStatus::usage, "'" + path + "' cannot be a socket: 1 to 107 bytes",
                   std::string("firebreak --socket ") + default_guard_socket + " local status");
  }
  path.copy(address.sun_path, path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return give_up(cannot_connect(socket, errno));
  std::error_code ignored;
  const bool guard_lives_here = std::filesystem::is_directory(socket.parent_path(), ignored);
  int error = 0;
  for (int tries = 0; tries < connect_tries; ++tries) {
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
      return GuardClient(fd, socket);
    }
    error = errno;
    const bool restarts = guard_lives_here && (error == ECONNREFUSED || error == ENOENT);
    if (error != EAGAIN && error != EINTR && !restarts) break;
    poll(nullptr, 0, connect_pause_ms);
  }
  close(fd);
  return give_up(cannot_connect(socket, error));
}

GuardClient::GuardClient(GuardClient&& other) noexcept { *this = std::move(other); }
GuardClient& GuardClient::operator=(GuardClient&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(socket_, other.socket_);
  std::swap(buffer_, other.buffer_);
  return *this;
}
GuardClient::~GuardClient() {
  if (fd_ >= 0) close(fd_);
}

Failure GuardClient::lost(const std::string& what) const {
  return {ExitStatus::outcome_unknown, socket_.string() + ": " + what, "firebreak local status"};
}

Outcome<void> GuardClient::send_line(std::string line, Time::time_point until) {
  line += '\n';
  std::size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t put = send(fd_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (put > 0) {
      sent += static_cast<std::size_t>(put);
      continue;
    }
    if (put < 0 && errno == EINTR) continue;
    // A refusal (no slot, no right) may be waiting to be read though the other end has closed.
    if (put < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};
    if (put < 0 && errno != EAGAIN) return give_up(lost("the connection broke"));
    pollfd wait{fd_, POLLOUT, 0};
    if (poll(&wait, 1, left_ms(until)) == 0) return give_up(lost("the guard does not read"));
  }
  return {};
}

Outcome<std::string> GuardClient::read_line(Time::time_point until) {
  for (;;) {
    const auto end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > answer_bytes_max) return give_up(lost("the answer is too long"));
    char chunk[16384];
    const ssize_t got = recv(fd_, chunk, sizeof(chunk), 0);
    if (got > 0) {
      buffer_.append(chunk, static_cast<std::size_t>(got));
      continue;
    }
    if (got == 0) return give_up(lost("the guard closed the connection without an answer"));
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return give_up(lost("the connection broke before an answer came"));
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, left_ms(until)) == 0) {
      return give_up(lost("no answer within the time limit"));
    }
  }
}

Outcome<nlohmann::json> GuardClient::ask(const nlohmann::json& request,
                                         std::chrono::milliseconds limit) {
  const auto until = Time::now() + limit;
  if (auto sent = send_line(request.dump(), until); !sent) return give_up(sent.error());
  auto line = read_line(until);
  if (!line) return give_up(line.error());
  auto answer = nlohmann::json::parse(*line, nullptr, false);
  if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean()) {
    return give_up(lost("the answer is not one of a guard"));
  }
  if (answer["ok"].get<bool>()) return answer;
  const auto text = [&](const char* name) {
    const auto found = answer.find(name);
    return found != answer.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  return give_up(status_of_guard_code(text("code")), text("message"), "firebreak local status");
}

}  // namespace firebreak::cli
