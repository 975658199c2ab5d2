#include "tests/simulator/process/board_server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "tests/simulator/process/journal.h"

namespace firebreak::sim {
namespace {

constexpr std::size_t kPacketBytes = 128;

bool is_level(const std::string& word) { return word == "0" || word == "1"; }

}  // namespace

BoardServer::BoardServer(Board* board, Note note) : board_(board), note_(std::move(note)) {}

BoardServer::~BoardServer() {
  for (const auto& [fd, peer] : peers_) ::close(fd);
  if (listener_ >= 0) {
    ::close(listener_);
    ::unlink(path_.c_str());
  }
}

std::string BoardServer::listen(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return path + ": too long for a socket";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  listener_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ::unlink(path.c_str());
  if (listener_ < 0 ||
      ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 8) != 0) {
    return path + ": " + std::strerror(errno);
  }
  path_ = path;
  return {};
}

int BoardServer::accept() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return -1;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) peer.pid = 0;
  peers_[fd] = {peer.pid};
  return fd;
}

bool BoardServer::serve(int fd) {
  char packet[kPacketBytes + 1];
  while (true) {
    const ssize_t count = ::recv(fd, packet, sizeof packet, 0);
    if (count > 0) {
      const bool too_long = static_cast<std::size_t>(count) > kPacketBytes;
      const std::string reply =
          too_long ? "error packet over 128 bytes"
                   : answer(fd, std::string(packet, static_cast<std::size_t>(count)));
      if (!reply.empty()) send(fd, reply);
      continue;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    break;
  }
  std::erase_if(holders_, [fd](const auto& entry) { return entry.second == fd; });
  note_("owner_gone", "", peers_[fd].pid);
  peers_.erase(fd);
  ::close(fd);
  return false;
}

std::string BoardServer::answer(int fd, const std::string& request) {
  std::istringstream stream(request);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.size() >= 3 && words[0] == "claim") return claim(fd, words);
  if (words.size() == 3 && words[0] == "set") {
    set(fd, words);
    return {};
  }
  return "error request not understood";
}

std::string BoardServer::claim(int fd, const std::vector<std::string>& words) {
  const std::string& line = words[1];
  if (!board_->has_line(line)) return "error line " + line + " does not exist";
  const auto holder = holders_.find(line);
  if (holder != holders_.end() && holder->second != fd) {
    return "error line " + line + " is held by pid " + std::to_string(peers_[holder->second].pid);
  }
  const bool out = words[2] == "out";
  if (out && (words.size() != 4 || !is_level(words[3]))) return "error level is missing";
  if (!out && words[2] != "in") return "error direction must be in or out";
  if (out && board_->is_input(line)) return "error line " + line + " is an input";
  holders_[line] = fd;
  note_(out ? "claim_out" : "claim_in", line, peers_[fd].pid);
  if (out) board_->set_output(line, words[3] == "1", false, Nanos{monotonic_ns()});
  return "ok " + line + " " + std::to_string(index(line)) + " " + (board_->level(line) ? "1" : "0");
}

int BoardServer::index(const std::string& line) const {
  auto& lines = const_cast<BoardServer*>(this)->lines_;
  const auto found = std::find(lines.begin(), lines.end(), line);
  if (found != lines.end()) return static_cast<int>(found - lines.begin());
  lines.push_back(line);
  return static_cast<int>(lines.size()) - 1;
}

void BoardServer::set(int fd, const std::vector<std::string>& words) {
  const int at = std::atoi(words[1].c_str());
  if (at < 0 || at >= static_cast<int>(lines_.size()) || !is_level(words[2])) return;
  const std::string& line = lines_[static_cast<std::size_t>(at)];
  const auto holder = holders_.find(line);
  if (holder == holders_.end() || holder->second != fd || board_->is_input(line)) return;
  board_->set_output(line, words[2] == "1", true, Nanos{monotonic_ns()});
}

void BoardServer::send(int fd, const std::string& text) {
  // A guard that does not read loses messages, as a kernel's event queue would.
  (void)::send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void BoardServer::send_edge(const std::string& line, bool level, std::int64_t ns) {
  const auto holder = holders_.find(line);
  if (holder == holders_.end() || !board_->is_input(line)) return;
  char text[kPacketBytes];
  std::snprintf(text, sizeof text, "edge %d %d %lld", index(line), level ? 1 : 0,
                static_cast<long long>(ns));
  send(holder->second, text);
}

void BoardServer::send_value(const std::string& line, const char* kind, double value) {
  const auto holder = holders_.find(line);
  if (holder == holders_.end()) return;
  char text[kPacketBytes];
  std::snprintf(text, sizeof text, "%s %d %.2f", kind, index(line), value);
  send(holder->second, text);
}

}  // namespace firebreak::sim
