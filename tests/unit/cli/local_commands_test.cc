#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "coordinator/cli/run.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A guard of the test's own behind a real socket: answers with what `answer` says.
class FakeGuard {
 public:
  explicit FakeGuard(const std::filesystem::path& path) {
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeGuard() {
    shutdown(listener_, SHUT_RDWR);
    close(listener_);
    thread_.join();
  }
  FakeGuard(const FakeGuard&) = delete;

  std::vector<json> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  std::function<std::string(const json&)> answer = [](const json&) { return R"({"ok":true})"; };

 private:
  void serve() {
    for (int fd = 0; (fd = accept(listener_, nullptr, nullptr)) >= 0; close(fd)) {
      std::string text;
      char chunk[4096];
      for (ssize_t got = 0; (got = recv(fd, chunk, sizeof(chunk), 0)) > 0;) {
        text.append(chunk, static_cast<std::size_t>(got));
        for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos;) {
          const auto request = json::parse(text.substr(0, end));
          text.erase(0, end + 1);
          {
            const std::lock_guard lock(mutex_);
            requests_.push_back(request);
          }
          const std::string line = answer(request) + "\n";
          (void)!send(fd, line.data(), line.size(), MSG_NOSIGNAL);
        }
      }
    }
  }

  int listener_ = -1;
  std::mutex mutex_;
  std::vector<json> requests_;
  std::thread thread_;
};

json printer(const std::string& name, const std::string& state, const std::string& outcome) {
  return {{"name", name}, {"state", state}, {"outcome", outcome}, {"causes", json::array()}};
}

class LocalTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "localXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    socket_ = folder_ / "control.sock";
  }
  void TearDown() override {
    guard_.reset();
    std::filesystem::remove_all(folder_);
  }
  FakeGuard& guard() {
    if (!guard_) guard_ = std::make_unique<FakeGuard>(socket_);
    return *guard_;
  }
  // A guard whose printers become `after` at the first stop.
  void guard_with(const std::vector<json>& before, const std::vector<json>& after) {
    guard().answer = [this, before, after](const json& request) -> std::string {
      if (request.at("do") == "stop") stopped_ = true;
      if (request.at("do") != "status") return R"({"ok":true,"pass":1})";
      return json{{"ok", true}, {"agent", "garage"}, {"printers", stopped_ ? after : before}}
          .dump();
    };
  }
  int type(const std::vector<std::string>& words) {
    out_.str("");
    err_.str("");
    std::istringstream in;
    const auto environment = [this](const char* name) -> std::optional<std::string> {
      if (std::string(name) == "FIREBREAK_SOCKET") return socket_.string();
      if (std::string(name) == "FIREBREAK_CONFIG") return folder_.string();
      if (std::string(name) == "USER") return "ana";
      return std::nullopt;
    };
    return run(words, in, out_, err_, environment, {});
  }

  std::filesystem::path folder_;
  std::filesystem::path socket_;
  std::unique_ptr<FakeGuard> guard_;
  std::atomic<bool> stopped_{false};
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(LocalTest, StopStopsEverythingAndWaitsUntilItIsProven) {
  guard_with({printer("p1", "armed", "none")}, {printer("p1", "tripped", "proven")});
  EXPECT_EQ(type({"local", "stop"}), 0);
  EXPECT_EQ(out_.str(), "p1\t-\tstopped and proven\t-\n");
  EXPECT_EQ(
      guard().requests().at(0),
      (json{{"do", "stop"}, {"all", true}, {"cause", "person"}, {"who", "ana by firebreak"}}));
}

TEST_F(LocalTest, StopOfNamedPrintersTellsOnlyOfThose) {
  guard_with({printer("p1", "armed", "none"), printer("p2", "armed", "none")},
             {printer("p1", "tripped", "sent"), printer("p2", "armed", "none")});
  EXPECT_EQ(type({"local", "stop", "p1"}), 7);
  EXPECT_THAT(out_.str(), HasSubstr("p1\t-\tsent, not proven — pull the power"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("p2")));
}

TEST_F(LocalTest, ARelayThatDidNotOpenIsSaidAtOnce) {
  guard_with({printer("p1", "armed", "none")}, {printer("p1", "not_cut", "sent")});
  EXPECT_EQ(type({"local", "stop"}), 7);
  EXPECT_THAT(out_.str(), HasSubstr("the relay did not open"));
}

TEST_F(LocalTest, AnUnprovenStopIsShownAsItStandsWhenTheWaitEnds) {
  guard_with({printer("p1", "armed", "none")}, {printer("p1", "stopping", "none")});
  EXPECT_EQ(type({"local", "stop", "--wait", "0"}), 7);
  EXPECT_THAT(out_.str(), HasSubstr("pull the power"));
}

TEST_F(LocalTest, AnUnknownNameDoesNotKeepTheOthersFromStopping) {
  guard().answer = [](const json& request) -> std::string {
    if (request.at("do") == "status") {
      return json{{"ok", true}, {"printers", json::array({printer("p1", "tripped", "proven")})}}
          .dump();
    }
    if (request.at("printers").size() == 1 && request.at("printers")[0] == "p1") {
      return R"({"ok":true})";
    }
    return R"({"ok":false,"code":"not_found","message":"no printer p9"})";
  };
  EXPECT_EQ(type({"local", "stop", "p1", "p9"}), 3);
  EXPECT_THAT(out_.str(), HasSubstr("p1\t-\tstopped and proven"));
  EXPECT_THAT(err_.str(), HasSubstr("'p9'"));
}

TEST_F(LocalTest, WithoutAGuardAStopIsNotSentAndSaysPullThePower) {
  EXPECT_EQ(type({"local", "stop", "p1"}), 1);
  EXPECT_THAT(out_.str(), HasSubstr("not sent — pull the power"));
  EXPECT_THAT(err_.str(), HasSubstr("NOT SENT: pull the power"));
  EXPECT_THAT(err_.str(), HasSubstr("next: "));
}

TEST_F(LocalTest, StopWithoutACoordinatorStopsThisHostAndSaysPullThePowerForTheRest) {
  guard_with({printer("p1", "armed", "none")}, {printer("p1", "tripped", "proven")});
  EXPECT_EQ(type({"stop", "--all"}), 3);
  EXPECT_THAT(out_.str(), HasSubstr("p1\t-\tstopped and proven"));
  EXPECT_THAT(err_.str(), HasSubstr("every other printer: NOT SENT. Pull the power"));
}

TEST_F(LocalTest, StopWithoutACoordinatorOfAPrinterOfThisHostIsDone) {
  guard_with({printer("p1", "armed", "none")}, {printer("p1", "tripped", "proven")});
  EXPECT_EQ(type({"stop", "p1"}), 0);
  EXPECT_EQ(type({"stop", "p1", "far-away"}), 3);
  EXPECT_THAT(err_.str(), HasSubstr("far-away: NOT SENT. Pull the power"));
  EXPECT_EQ(type({"stop", "far-away"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("far-away: NOT SENT. Pull the power"));
}

TEST_F(LocalTest, StopWithNeitherCoordinatorNorGuardFailsLoudly) {
  EXPECT_EQ(type({"stop", "--all"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("every printer: NOT SENT. Pull the power"));
  EXPECT_THAT(err_.str(), HasSubstr("firebreak local stop"));
}

TEST_F(LocalTest, ResetSendsWhatThePersonTypedAndARefusalIsStatusSix) {
  guard().answer = [](const json&) -> std::string {
    return R"({"ok":false,"code":"refused","message":"the bed has 81 C; wait"})";
  };
  EXPECT_EQ(type({"local", "reset", "p1", "--latch", "12", "--reason", "wire fixed", "--measured",
                  "21.5"}),
            6);
  EXPECT_EQ(guard().requests().at(0), (json{{"do", "reset"},
                                            {"printer", "p1"},
                                            {"latch_number", 12},
                                            {"reason", "wire fixed"},
                                            {"measured_celsius", 21.5}}));
  EXPECT_THAT(err_.str(), StartsWith("firebreak: the bed has 81 C; wait\nnext: "));
}

TEST_F(LocalTest, EveryPlainVerbSendsItsWord) {
  guard();
  EXPECT_EQ(type({"local", "release", "p1"}), 0);
  EXPECT_EQ(type({"local", "confirm", "p1"}), 0);
  EXPECT_EQ(type({"local", "arm", "--printer", "p1"}), 0);
  EXPECT_EQ(type({"local", "watch", "p1", "--hours", "48"}), 0);
  EXPECT_EQ(type({"local", "commission", "p1"}), 8) << "nothing says that it is complete";
  EXPECT_EQ(type({"local", "models"}), 0);
  EXPECT_EQ(type({"local", "approve-model", "p1", "--heater", "bed"}), 0);
  EXPECT_EQ(type({"local", "restart"}), 0);
  EXPECT_EQ(type({"local", "silence"}), 0);
  EXPECT_EQ(type({"local", "unpark"}), 0);
  EXPECT_EQ(type({"local", "forget-restarts"}), 0);
  std::vector<std::string> sent;
  for (const auto& request : guard().requests()) sent.push_back(request.dump());
  EXPECT_THAT(
      sent,
      ElementsAre(R"({"do":"release","printer":"p1"})", R"({"do":"confirm","printer":"p1"})",
                  R"({"do":"arm","printer":"p1"})", R"({"do":"watch","hours":48,"printer":"p1"})",
                  R"({"do":"commission","printer":"p1"})", R"({"do":"models"})",
                  R"({"do":"approve_model","heater":"bed","printer":"p1"})", R"({"do":"restart"})",
                  R"({"do":"silence"})", R"({"do":"unpark"})", R"({"do":"forget_restarts"})"));
}

TEST_F(LocalTest, WithoutATerminalCommissioningTellsTheChecksAndAsksForNoHeat) {
  guard().answer = [](const json&) -> std::string {
    return json{
        {"ok", true},
        {"printer", "p1"},
        {"complete", false},
        {"ready", true},
        {"items", json::array({{{"name", "press test"}, {"state", "done"}, {"detail", "seen"}}})}}
        .dump();
  };
  EXPECT_EQ(type({"local", "commission", "p1"}), 8);
  EXPECT_THAT(out_.str(), HasSubstr("press test\tdone\tseen"));
  EXPECT_THAT(err_.str(), HasSubstr("needs a person at a terminal"));
  EXPECT_EQ(guard().requests().size(), 1U);
}

TEST_F(LocalTest, ModelsAreShownWithWhatWaitsForApproval) {
  guard().answer = [](const json&) -> std::string {
    const json stored = {{"by", "prints"}, {"residual", 0.012}, {"rise_kelvin_per_s", 3.5}};
    return json{{"ok", true},
                {"models", json::array({{{"printer", "p1"},
                                         {"heater", "bed"},
                                         {"in_use", false},
                                         {"model", nullptr},
                                         {"proposal", stored}}})}}
        .dump();
  };
  EXPECT_EQ(type({"local", "models", "p1"}), 0);
  EXPECT_EQ(out_.str(), "p1\tbed\twide limits\t-\t3.50 K/s, residual 1.2 %, by prints\t-\n");
}

TEST_F(LocalTest, FlagsAreUnderstoodWhereverTheyStand) {
  guard_with({printer("p1", "armed", "none")}, {});
  EXPECT_EQ(type({"--json", "local", "status"}), 0);
  const auto first = out_.str();
  EXPECT_EQ(type({"local", "--socket", socket_, "status", "--json"}), 0);
  EXPECT_EQ(out_.str(), first);
  EXPECT_EQ(json::parse(first).at("agent"), "garage");
}

TEST_F(LocalTest, StatusOfAnUnknownPrinterIsStatusFive) {
  guard_with({printer("p1", "armed", "none")}, {});
  EXPECT_EQ(type({"local", "status", "p7"}), 5);
  EXPECT_THAT(err_.str(), HasSubstr("it has: p1"));
}

TEST_F(LocalTest, EventsArePrintedFromWhereTheyWereAskedFor) {
  guard().answer = [](const json& request) -> std::string {
    auto events = json::array();
    for (int i = request.at("after").get<int>() + 1; i <= 3; ++i) {
      events.push_back({{"seq", i},
                        {"mono_ms", i * 1000},
                        {"severity", "info"},
                        {"kind", "state"},
                        {"printer", "p1"},
                        {"text", "e" + std::to_string(i)}});
    }
    return json{{"ok", true}, {"log", "0123456789abcdef"}, {"events", events}}.dump();
  };
  EXPECT_EQ(type({"local", "events", "--after", "1"}), 0);
  EXPECT_EQ(out_.str(), "up 2.000 s\tinfo\tp1\tstate\te2\nup 3.000 s\tinfo\tp1\tstate\te3\n");
}

TEST_F(LocalTest, AWrongCommandLineIsStatusTwoWithWhatWasMeant) {
  EXPECT_EQ(type({"sttaus"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean 'status'?"));
  EXPECT_EQ(type({"local", "--socket", "/x", "stpo"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("next: firebreak local stop"));
  EXPECT_EQ(type({"local", "status", "--jsno"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("did you mean '--json'?"));
  EXPECT_EQ(type({}), 2);
  EXPECT_EQ(type({"stop"}), 2) << "a stop for nobody is a mistake, not a stop for all";
  EXPECT_EQ(type({"stop", "p1", "--all"}), 2);
  EXPECT_EQ(type({"local", "watch", "p1", "--hours", "169"}), 2);
  EXPECT_EQ(type({"local", "reset"}), 2);
}

TEST_F(LocalTest, HelpIsDataAndVersionNeedsNobody) {
  EXPECT_EQ(type({"local", "stop", "--help"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("firebreak local stop"));
  EXPECT_EQ(type({"--version"}), 0);
  EXPECT_THAT(out_.str(), Not(HasSubstr(" ")));
  EXPECT_EQ(type({"version"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("firebreak\t"));
}

TEST_F(LocalTest, CompletesCommandsOptionsAndPrinters) {
  guard_with({printer("prusa", "armed", "none"), printer("ender", "armed", "none")}, {});
  const auto complete = [this](std::vector<std::string> words) {
    words.insert(words.begin(), {"__complete", "--"});
    EXPECT_EQ(type(words), 0);
    return out_.str();
  };
  EXPECT_THAT(complete({"sta"}), "status\n");
  EXPECT_THAT(complete({"local", "re"}), "release\nreset\nrestart\n");
  EXPECT_THAT(complete({"local", "stop", "p"}), "prusa\n");
  EXPECT_THAT(complete({"local", "stop", "--printer", ""}), "ender\nprusa\n");
  EXPECT_THAT(complete({"stop", "--rea"}), "--reason\n");
  EXPECT_THAT(complete({"stop", "--a"}), "--agent\n--all\n");
  EXPECT_THAT(complete({""}), Not(HasSubstr("__complete")));
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_EQ(type({"completion", shell}), 0);
    EXPECT_THAT(out_.str(), HasSubstr("firebreak __complete"));
  }
}

}  // namespace
}  // namespace firebreak::cli
