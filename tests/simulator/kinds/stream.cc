#include "tests/simulator/kinds/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace firebreak::sim {

void Stream::start(Bytes bytes, Ended ended) {
  bytes_ = std::move(bytes);
  ended_ = std::move(ended);
  reactor_->watch(fd_, EPOLLIN, [this](std::uint32_t events) { ready(events); });
}

void Stream::ready(std::uint32_t events) {
  const auto self = shared_from_this();
  if ((events & EPOLLOUT) != 0) flush();
  if (open() && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void Stream::read() {
  char buffer[16384];
  while (open()) {
    const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
    if (count > 0) {
      bytes_(std::string_view(buffer, static_cast<std::size_t>(count)));
      continue;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    close();
    const Ended ended = ended_;
    if (ended) ended();
    return;
  }
}

void Stream::write(std::string_view bytes) {
  if (!open() || finishing_) return;
  output_.append(bytes);
  flush();
}

void Stream::flush() {
  std::size_t sent = 0;
  while (sent < output_.size()) {
    const ssize_t count =
        ::send(fd_, output_.data() + sent, output_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count <= 0) break;
    sent += static_cast<std::size_t>(count);
  }
  output_.erase(0, sent);
  if (output_.empty() && finishing_) {
    close();
    if (ended_) ended_();
    return;
  }
  if (wants_write_ == !output_.empty()) return;
  wants_write_ = !output_.empty();
  reactor_->change(fd_, wants_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void Stream::finish() {
  finishing_ = true;
  if (open()) flush();
}

void Stream::close() {
  if (!open()) return;
  reactor_->unwatch(fd_);
  ::close(fd_);
  fd_ = -1;
}

Listener::~Listener() {
  close();
  if (is_path_) ::unlink(address_.c_str());
}

std::string Listener::start(int fd, const void* address, unsigned size) {
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (fd < 0 || ::bind(fd, static_cast<const sockaddr*>(address), size) != 0 ||
      ::listen(fd, 64) != 0) {
    const std::string problem = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    return problem;
  }
  fd_ = fd;
  reactor_->watch(fd_, EPOLLIN, [this](std::uint32_t) { accept(); });
  return {};
}

std::string Listener::listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return path + ": too long for a socket";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ::unlink(path.c_str());
  const std::string problem = start(
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), &address, sizeof address);
  if (!problem.empty()) return path + ": " + problem;
  address_ = path;
  is_path_ = true;
  return {};
}

std::string Listener::listen_tcp(const std::string& wanted) {
  const std::size_t colon = wanted.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (colon == std::string::npos ||
      ::inet_pton(AF_INET, wanted.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    return wanted + ": is not ADDRESS:PORT";
  }
  const std::string& source = address_.empty() ? wanted : address_;
  address.sin_port =
      htons(static_cast<std::uint16_t>(std::atoi(source.c_str() + source.rfind(':') + 1)));
  const std::string problem = start(
      ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), &address, sizeof address);
  if (!problem.empty()) return wanted + ": " + problem;
  socklen_t size = sizeof address;
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  address_ = wanted.substr(0, colon) + ":" + std::to_string(ntohs(address.sin_port));
  return {};
}

void Listener::close() {
  if (fd_ < 0) return;
  reactor_->unwatch(fd_);
  ::close(fd_);
  fd_ = -1;
}

void Listener::accept() {
  while (fd_ >= 0) {
    const int peer = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer < 0) return;
    const int yes = 1;
    ::setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    accepted_(std::make_shared<Stream>(reactor_, peer));
  }
}

}  // namespace firebreak::sim
