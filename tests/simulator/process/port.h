// The pty that stands for one printer's USB port.
#pragma once

#include <string>
#include <string_view>

namespace firebreak::sim {

// Owns both ends of a pty and the symlink by which hosts find it. Holding the host's end open too
// keeps the pty alive while no host has it.
class Port {
 public:
  explicit Port(std::string link) : link_(std::move(link)) {}
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  // Plugs in: a new pty at the same link. Returns an error text, or nothing.
  std::string plug();
  // Pulls the cable: hosts that have it open get a hang-up, the link is gone.
  void unplug();
  bool plugged() const { return master_ >= 0; }
  int fd() const { return master_; }
  const std::string& device() const { return device_; }
  const std::string& link() const { return link_; }

  // Reads what the host has written, at most `limit` bytes; empty when there is nothing.
  std::string_view read(std::size_t limit);
  // Bytes that wait to be read.
  std::size_t unread() const;
  // Throws away what the host has written and nobody has read.
  void discard_unread();
  // Queues and writes; what the host does not read is kept up to a bound, then lost.
  void write(std::string_view bytes);
  void flush();
  bool wants_to_write() const { return !pending_.empty(); }
  // The host has set speed 0, the termios way to take DTR down.
  bool hung_up() const;

 private:
  std::string link_;
  std::string device_;
  int master_ = -1;
  int slave_ = -1;
  std::string pending_;
  char buffer_[4096];
};

}  // namespace firebreak::sim
