#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/guard/control/server.h"
#include "tests/unit/control/fake_service.h"

namespace firebreak::guard {

using namespace std::chrono_literals;
using nlohmann::json;

/// A person's or the uplink's end of a connection: real socket, never blocks the test.
class Caller {
 public:
  explicit Caller(const std::filesystem::path& path) {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Caller() { close(fd_); }
  Caller(const Caller&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  void say(const std::string& text) { (void)!send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  void ask(const json& request) { say(request.dump() + "\n"); }
  void hang_up_sending() { shutdown(fd_, SHUT_WR); }

  // The answers that have arrived, each as JSON; sets `ended` at the end of the stream.
  std::vector<json> hear() {
    char chunk[4096];
    ssize_t got = 0;
    while ((got = recv(fd_, chunk, sizeof(chunk), 0)) > 0) text_.append(chunk, std::size_t(got));
    // Closing on unread bytes reaches the other end as a reset.
    ended = got == 0 || errno == ECONNRESET;
    std::vector<json> answers;
    for (std::size_t end = 0; (end = text_.find('\n')) != std::string::npos;) {
      answers.push_back(json::parse(text_.substr(0, end)));
      text_.erase(0, end + 1);
    }
    return answers;
  }

  bool ended = false;

 private:
  int fd_ = -1;
  bool connected_ = false;
  std::string text_;
};

class ControlServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "controlXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    paths_ = {folder_ / "control.sock", folder_ / "uplink.sock"};
    rights_.own_uid = geteuid();
    rights_.uplink_uid = geteuid();
    rights_.own_may_reset = true;
    start();
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }
  void start() {
    auto server = ControlServer::create(paths_, rights_, service_, clock_);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  void rounds(int count = 4) {
    for (int i = 0; i < count; ++i) server_->step(0ms);
  }
  json answer_to(Caller& caller, const json& request) {
    caller.ask(request);
    rounds();
    const auto answers = caller.hear();
    return answers.size() == 1 ? answers[0] : json(answers);
  }
  json operator_answer(const json& request) {
    Caller caller(paths_.operator_socket);
    return answer_to(caller, request);
  }

  std::filesystem::path folder_;
  ControlPaths paths_;
  ControlRights rights_;
  FakeService service_;
  ManualClock clock_;
  std::unique_ptr<ControlServer> server_;
};

}  // namespace firebreak::guard
