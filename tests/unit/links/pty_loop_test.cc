// The link with the real kernel between it, its printer and its host. Every wait here ends at the
// thing waited for; only a hang reaches the limit.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "agent/guard/core/shared.h"
#include "agent/guard/links/marlin_link.h"
#include "common/base/clock.h"
#include "tests/unit/links/link_fixture.h"
#include "tests/unit/links/pty_printer.h"

namespace firebreak::guard {
namespace {

template <class Condition>
bool wait_for(Condition condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return false;
}

std::string marlin(const std::string& line) {
  if (line == "M115") return firmware_line + "Cap:AUTOREPORT_TEMP:0\nok\n";
  if (line.ends_with("M105")) return "ok T:24.99 /0.00 B:24.93 /0.00 @:0 B@:0\n";
  return "ok\n";
}

class PtyLoop : public testing::Test {
 protected:
  PtyLoop() : printer(marlin) {
    char pattern[] = "/tmp/firebreak-links-XXXXXX";
    run_dir = mkdtemp(pattern);
    config.port = printer.path();
    shared.link_mode = LinkMode::pass;
  }
  ~PtyLoop() override {
    stop();
    std::filesystem::remove_all(run_dir);
  }
  void start() {
    link = std::make_unique<MarlinLink>(LinkParts{config, shared, clock, keeper, notes, run_dir});
    thread = std::jthread([this](std::stop_token token) { link->run(token); });
  }
  void stop() {
    thread.request_stop();
    if (link) link->wake();
    if (thread.joinable()) thread.join();
    link.reset();
  }
  bool ready() {
    return wait_for([this] {
      PrinterReadings readings;
      shared.readings.load(readings);
      return shared.link_state == LinkState::ready && readings.heaters[1].reports > 0;
    });
  }
  int open_host() { return open((run_dir / "p1").c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK); }

  PtyPrinter printer;
  std::filesystem::path run_dir;
  PrinterConfig config = one_tool_printer();
  PrinterShared shared;
  SystemClock clock;
  FakeKeeper keeper;
  NoteList notes;
  std::unique_ptr<MarlinLink> link;
  std::jthread thread;
};

std::string read_until(int fd, const std::string& wanted) {
  std::string got;
  wait_for([&] {
    char room[512];
    const auto count = read(fd, room, sizeof room);
    if (count > 0) got.append(room, static_cast<std::size_t>(count));
    return got.find(wanted) != std::string::npos;
  });
  return got;
}

TEST_F(PtyLoop, identifies_the_printer_and_publishes_its_temperatures) {
  start();
  ASSERT_TRUE(ready());
  PrinterReadings readings;
  shared.readings.load(readings);
  EXPECT_FLOAT_EQ(readings.heaters[0].celsius, 24.99F);
  EXPECT_FLOAT_EQ(readings.heaters[1].celsius, 24.93F);
  EXPECT_FLOAT_EQ(readings.heaters[1].target_celsius, 0);
  EXPECT_TRUE(shared.events & link_event::identity_verified);
}

TEST_F(PtyLoop, passes_a_hosts_lines_and_their_answers) {
  start();
  ASSERT_TRUE(ready());
  const int host = open_host();
  ASSERT_GE(host, 0);
  ASSERT_EQ(write(host, "G28 X\n", 6), 6);
  EXPECT_EQ(read_until(host, "ok\n"), "ok\n");
  EXPECT_TRUE(wait_for([&] { return shared.host_attached == 1; }));
  close(host);
  EXPECT_TRUE(wait_for([&] { return shared.host_attached == 0; }));
  EXPECT_NE(printer.received().find("G28 X\n"), std::string::npos);
}

TEST_F(PtyLoop, goes_on_after_a_restart_without_opening_the_port_again) {
  start();
  ASSERT_TRUE(ready());
  const int host = open_host();
  stop();
  shared.readings.store({});
  start();
  ASSERT_TRUE(ready());
  EXPECT_EQ(notes.count(LinkNote::port_adopted), 1);
  EXPECT_EQ(notes.count(LinkNote::port_opened), 1);
  ASSERT_EQ(write(host, "M105\n", 5), 5);
  EXPECT_NE(read_until(host, "ok T:").find("ok T:"), std::string::npos);
  close(host);
}

TEST_F(PtyLoop, brings_a_host_the_answer_that_came_while_the_guard_was_away) {
  start();
  ASSERT_TRUE(ready());
  const int host = open_host();  // Of another user, as it were: /proc does not show it.
  ASSERT_TRUE(wait_for([&] { return shared.host_attached == 1; }));
  stop();
  printer.say("ok of its last line\n");
  shared.readings.store({});
  start();
  ASSERT_TRUE(ready());
  EXPECT_EQ(shared.host_attached, 1U);
  EXPECT_NE(read_until(host, "last line\n").find("ok of its last line\n"), std::string::npos);
  close(host);
  EXPECT_TRUE(wait_for([&] { return shared.host_attached == 0; }));
}

TEST_F(PtyLoop, finds_out_that_no_host_was_there_when_nobody_reads) {
  start();
  ASSERT_TRUE(ready());
  stop();
  start();
  ASSERT_TRUE(ready());
  ASSERT_TRUE(wait_for([&] { return shared.host_attached == 1; }));  // For all that it knows.
  printer.say("echo:xxx\n");
  EXPECT_TRUE(wait_for([&] { return shared.host_attached == 0; }));
  const int host = open_host();
  ASSERT_TRUE(wait_for([&] { return shared.host_attached == 1; }));
  printer.say("ok fresh\n");
  EXPECT_EQ(read_until(host, "fresh\n").find("xxx"), std::string::npos);
  close(host);
}

TEST_F(PtyLoop, notices_an_unplugged_port_and_hangs_the_host_up) {
  start();
  ASSERT_TRUE(ready());
  const int host = open_host();
  ASSERT_TRUE(wait_for([&] { return shared.host_attached == 1; }));
  printer.unplug();
  EXPECT_TRUE(wait_for([&] { return shared.link_state == LinkState::absent; }));
  EXPECT_EQ(shared.port_fd, -1);
  EXPECT_TRUE(wait_for([&] {
    pollfd polled{host, POLLIN, 0};
    return poll(&polled, 1, 0) > 0 && (polled.revents & POLLHUP);
  }));
  close(host);
}

}  // namespace
}  // namespace firebreak::guard
