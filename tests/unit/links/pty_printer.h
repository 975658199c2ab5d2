#pragma once

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace firebreak::guard {

/// A printer behind a pty for tests with the real kernel: a thread answers each line by a function.
class PtyPrinter {
 public:
  explicit PtyPrinter(std::function<std::string(const std::string&)> answer)
      : answer_(std::move(answer)) {
    master_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    grantpt(master_);
    unlockpt(master_);
    path_ = ptsname(master_);
    termios settings{};
    slave_ = open(path_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    tcgetattr(slave_, &settings);
    cfmakeraw(&settings);
    tcsetattr(slave_, TCSANOW, &settings);
    thread_ = std::thread([this] { run(); });
  }
  ~PtyPrinter() { unplug(); }

  /// Ends the device: the other side gets a hang-up.
  void unplug() {
    if (!thread_.joinable()) return;
    stop_ = true;
    thread_.join();
    close(master_);
    close(slave_);
  }
  const std::string& path() const { return path_; }
  std::string received() {
    std::lock_guard lock(mutex_);
    return received_;
  }
  void say(const std::string& text) {
    [[maybe_unused]] auto n = write(master_, text.data(), text.size());
  }

 private:
  void run() {
    std::string line;
    while (!stop_) {
      pollfd polled{master_, POLLIN, 0};
      if (poll(&polled, 1, 5) <= 0) continue;
      char room[256];
      const auto count = read(master_, room, sizeof room);
      for (ssize_t i = 0; i < count; ++i) take(room[i], line);
    }
  }
  void take(char byte, std::string& line) {
    {
      std::lock_guard lock(mutex_);
      received_ += byte;
    }
    if (byte != '\n') {
      line += byte;
      return;
    }
    if (!line.empty()) say(answer_(line));
    line.clear();
  }

  std::function<std::string(const std::string&)> answer_;
  std::string path_;
  int master_ = -1, slave_ = -1;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::string received_;
  std::thread thread_;
};

}  // namespace firebreak::guard
