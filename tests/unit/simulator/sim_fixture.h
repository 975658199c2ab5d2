// A simulator process in a thread, with a control connection and a journal to read.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/simulator/process/world.h"

namespace firebreak::sim::test {

class SimFixture : public testing::Test {
 protected:
  using json = nlohmann::json;

  // Only a hang reaches it.
  static constexpr int kPatienceMs = 60'000;

  explicit SimFixture(std::string configuration) : configuration_(std::move(configuration)) {}

  void SetUp() override {
    char name[] = "/tmp/sim-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    std::ofstream(folder_ + "/sim.yaml") << configuration_;
    std::string error;
    const auto config = load_config(folder_ + "/sim.yaml", &error);
    ASSERT_TRUE(config) << error;
    ASSERT_EQ(world_.open(*config), "");
    thread_ = std::thread([this] { world_.run(); });
    control_ = connect("sim.sock", SOCK_STREAM);
  }
  void TearDown() override {
    if (thread_.joinable()) {
      ask({{"do", "quit"}});
      thread_.join();
    }
    for (const int fd : open_) ::close(fd);
    std::filesystem::remove_all(folder_);
  }

  int connect(const std::string& name, int type) {
    const int fd = ::socket(AF_UNIX, type, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, (folder_ + "/" + name).c_str());
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    open_.push_back(fd);
    return fd;
  }
  int open_port(const std::string& name) {
    const int fd = ::open((folder_ + "/ports/" + name).c_str(), O_RDWR | O_NOCTTY);
    EXPECT_GE(fd, 0) << std::strerror(errno);
    open_.push_back(fd);
    return fd;
  }
  void close_now(int fd) {
    ::close(fd);
    std::erase(open_, fd);
  }

  // Reads until the text is in what came; the text of a failure is all that came.
  std::string read_until(int fd, const std::string& part) {
    std::string all;
    while (all.find(part) == std::string::npos) {
      pollfd wait{fd, POLLIN, 0};
      char buffer[4096];
      if (::poll(&wait, 1, kPatienceMs) <= 0) return "nothing after: " + all;
      const ssize_t count = ::read(fd, buffer, sizeof buffer);
      if (count <= 0) return "end after: " + all;
      all.append(buffer, static_cast<std::size_t>(count));
    }
    return all;
  }
  json ask(const json& request) {
    const std::string line = request.dump() + "\n";
    EXPECT_EQ(::write(control_, line.data(), line.size()), static_cast<ssize_t>(line.size()));
    return json::parse(read_until(control_, "\n"));
  }
  // A packet to the board and its answer.
  std::string board(int fd, const std::string& packet) {
    EXPECT_GT(::send(fd, packet.data(), packet.size(), 0), 0);
    return read_until(fd, " ");
  }
  void set(int fd, const std::string& packet) { ::send(fd, packet.data(), packet.size(), 0); }
  void write(int fd, const std::string& bytes) {
    EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  // Waits until the journal has a record with these fields, and gives it.
  json journal(const json& wanted) {
    for (int i = 0; i < kPatienceMs / 5; ++i) {
      std::ifstream file(folder_ + "/journal.jsonl");
      for (std::string line; std::getline(file, line);) {
        const json record = json::parse(line, nullptr, false);
        if (!record.is_object()) continue;  // the last line, half read
        const bool fits =
            std::all_of(wanted.items().begin(), wanted.items().end(), [&record](const auto& item) {
              return record.contains(item.key()) && record[item.key()] == item.value();
            });
        if (fits) return record;
      }
      ::poll(nullptr, 0, 5);
    }
    ADD_FAILURE() << "no record " << wanted;
    return {{"ns", 0}};
  }

  std::string configuration_;
  std::string folder_;
  World world_;
  std::thread thread_;
  int control_ = -1;
  std::vector<int> open_;
};

}  // namespace firebreak::sim::test
