// Stream sockets on the reactor: one that listens, and its connections.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tests/simulator/kinds/reactor.h"

namespace firebreak::sim {

// One connection. Lives as long as somebody holds it; closing is final.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  using Bytes = std::function<void(std::string_view)>;
  using Ended = std::function<void()>;  // by the other side, or by an error

  Stream(Reactor* reactor, int fd) : reactor_(reactor), fd_(fd) {}
  ~Stream() { close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void start(Bytes bytes, Ended ended);
  void write(std::string_view bytes);
  // Closes once everything is written, and then calls `Ended`.
  void finish();
  // Closes at once; `Ended` is not called.
  void close();
  bool open() const { return fd_ >= 0; }
  std::size_t unwritten() const { return output_.size(); }

 private:
  void ready(std::uint32_t events);
  void read();
  void flush();

  Reactor* reactor_;
  int fd_;
  bool finishing_ = false;
  bool wants_write_ = false;
  std::string output_;
  Bytes bytes_;
  Ended ended_;
};

// Takes connections at a unix socket or at a TCP address of this machine.
class Listener {
 public:
  using Accepted = std::function<void(std::shared_ptr<Stream>)>;

  Listener(Reactor* reactor, Accepted accepted)
      : reactor_(reactor), accepted_(std::move(accepted)) {}
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Both return an error text, or nothing.
  std::string listen_unix(const std::string& path);
  // "127.0.0.1:PORT"; port 0 takes any the first time, and the same one ever after.
  std::string listen_tcp(const std::string& address);
  // Stops taking connections. A unix socket's name stays: connections are refused, as when a
  // service has died.
  void close();
  bool listening() const { return fd_ >= 0; }
  // "127.0.0.1:PORT", or the path.
  const std::string& address() const { return address_; }

 private:
  std::string start(int fd, const void* address, unsigned size);
  void accept();

  Reactor* reactor_;
  Accepted accepted_;
  int fd_ = -1;
  std::string address_;
  bool is_path_ = false;
};

}  // namespace firebreak::sim
