// The kernel's side of a port, on ptys.
#include "agent/guard/links/tty_port.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "agent/guard/links/port_holder.h"

namespace firebreak::guard {
namespace {

class TtyPortTest : public testing::Test {
 protected:
  TtyPortTest() {
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    grantpt(master);
    unlockpt(master);
    path = ptsname(master);
  }
  ~TtyPortTest() override {
    if (master >= 0) close(master);
  }
  std::string read_master() {
    char room[256];
    const auto count = read(master, room, sizeof room);
    return count > 0 ? std::string(room, static_cast<std::size_t>(count)) : "";
  }

  int master = -1;
  std::string path;
  ManualClock clock;
};

TEST_F(TtyPortTest, opens_raw_non_blocking_and_exclusive) {
  TtyPort port(path, 250000, clock);
  ASSERT_TRUE(port.open());
  EXPECT_NE(fcntl(port.fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(port.fd(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(tty_line(port.fd()).baud, 250000);
  ASSERT_EQ(port.write("a\r\n\x03\x04").bytes, 5U);  // No translation, no signals.
  EXPECT_EQ(read_master(), "a\r\n\x03\x04");
  char room[8];
  EXPECT_EQ(port.read(room).bytes, 0U);
  const int second = open(path.c_str(), O_RDWR | O_NOCTTY);
  EXPECT_TRUE(second < 0 || flock(second, LOCK_EX | LOCK_NB) != 0);
  if (second >= 0) close(second);
}

TEST_F(TtyPortTest, names_the_process_that_holds_it) {
  int ready[2], done[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(master);
    const int held = open(path.c_str(), O_RDWR | O_NOCTTY);
    char byte = held >= 0 ? 'y' : 'n';
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    close(done[1]);
    if (read(done[0], &byte, 1) < 0) _exit(1);
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const std::string who = "(pid " + std::to_string(child) + ")";
  EXPECT_NE(find_port_holder(path).find(who), std::string::npos);
  TtyPort port(path, 115200, clock);
  const auto opened = port.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::refused);
  EXPECT_NE(opened.error().message.find(who), std::string::npos) << opened.error().message;
  for (const int fd : {ready[0], ready[1], done[0], done[1]}) close(fd);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(find_port_holder(path), "");
  EXPECT_TRUE(port.open());
}

/// In a container of its own: holds the pty whose number is that of `path`, as another one.
bool hold_the_same_number_elsewhere(const std::string& path, const std::string& folder) {
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  if (mount("devpts", folder.c_str(), "devpts", 0, "newinstance,ptmxmode=0666") != 0) return false;
  const std::string wanted = folder + path.substr(path.rfind('/'));
  std::vector<int> masters;
  while (access(wanted.c_str(), F_OK) != 0) {
    masters.push_back(open((folder + "/ptmx").c_str(), O_RDWR | O_NOCTTY));
    if (masters.back() < 0 || unlockpt(masters.back()) != 0) return false;
  }
  const int held = open(wanted.c_str(), O_RDWR | O_NOCTTY);
  if (held < 0 || fork() != 0) return held >= 0;
  for (const int master : masters) close(master);  // Now this process is no maker of ptys.
  pause();
  _exit(0);
}

TEST_F(TtyPortTest, the_same_number_in_a_container_is_another_port) {
  std::string folder = testing::TempDir() + "pts-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(master);
    setpgid(0, 0);
    const char byte = hold_the_same_number_elsewhere(path, folder) ? 'y' : 'n';
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char byte = 0;
  EXPECT_EQ(read(ready[0], &byte, 1), 1);
  const std::string holder = find_port_holder(path);
  kill(-child, SIGKILL);
  waitpid(child, nullptr, 0);
  for (const int fd : ready) close(fd);
  rmdir(folder.c_str());
  if (byte != 'y') GTEST_SKIP() << "no right to make a pty file system";
  EXPECT_EQ(holder, "");
}

TEST_F(TtyPortTest, says_that_a_port_is_not_there) {
  TtyPort port("/dev/firebreak-no-such-port", 115200, clock);
  const auto opened = port.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
}

TEST_F(TtyPortTest, refuses_a_file_that_is_no_terminal) {
  TtyPort port("/dev/null", 115200, clock);
  EXPECT_FALSE(port.open());
}

TEST_F(TtyPortTest, notices_the_other_end_going) {
  TtyPort port(path, 115200, clock);
  ASSERT_TRUE(port.open());
  close(master);
  master = -1;
  char room[8];
  EXPECT_TRUE(port.read(room).lost);
}

TEST_F(TtyPortTest, goes_on_with_a_kept_descriptor_as_it_was) {
  int kept = -1;
  {
    TtyPort port(path, 250000, clock);
    ASSERT_TRUE(port.open());
    kept = dup(port.fd());
  }
  TtyPort port(path, 115200, clock);
  ASSERT_TRUE(port.adopt(kept));
  EXPECT_EQ(tty_line(port.fd()).baud, 250000);
  ASSERT_EQ(port.write("M105\n").bytes, 5U);
  EXPECT_EQ(read_master(), "M105\n");
}

TEST_F(TtyPortTest, does_not_adopt_a_dead_descriptor) {
  const int slave = open(path.c_str(), O_RDWR | O_NOCTTY);
  close(master);
  master = -1;
  TtyPort port(path, 115200, clock);
  EXPECT_FALSE(port.adopt(slave));
  EXPECT_EQ(port.fd(), -1);
}

TEST_F(TtyPortTest, paces_a_pty_like_a_line_of_its_baud_rate) {
  TtyPort port(path, 115200, clock);
  ASSERT_TRUE(port.open());
  ASSERT_EQ(port.write(std::string(64, 'x')).bytes, 64U);
  EXPECT_EQ(port.queued(), 64U);
  clock.advance(std::chrono::milliseconds{3});
  EXPECT_NEAR(static_cast<double>(port.queued()), 29, 2);
  clock.advance(std::chrono::milliseconds{3});
  EXPECT_EQ(port.queued(), 0U);
}

TEST_F(TtyPortTest, follows_baud_and_stop_bits_and_no_flow_control) {
  TtyPort port(path, 115200, clock);
  ASSERT_TRUE(port.open());
  EXPECT_TRUE(port.set_line({2000000, true}));
  EXPECT_EQ(tty_line(port.fd()), (LineSettings{2000000, true}));
  EXPECT_EQ(port.line(), (LineSettings{2000000, true}));
  termios settings{};
  tcgetattr(port.fd(), &settings);
  EXPECT_EQ(settings.c_cflag & CRTSCTS, 0U);
  EXPECT_TRUE(port.set_line({115200}));
  EXPECT_EQ(tty_line(port.fd()), (LineSettings{115200}));
  EXPECT_FALSE(port.set_line({0}));
}

TEST_F(TtyPortTest, keeps_a_closed_descriptors_number_for_a_while) {
  // A stop thread that has just loaded it must not write into another file.
  TtyPort port(path, 115200, clock);
  ASSERT_TRUE(port.open());
  const int number = port.fd();
  port.close();
  port.collect();
  EXPECT_GE(fcntl(number, F_GETFD), 0);
  clock.advance(std::chrono::seconds{3});
  port.collect();
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

TEST_F(TtyPortTest, tells_a_ptys_maker_of_dtr_by_speed_0) {
  TtyPort port(path, 115200, clock);
  ASSERT_TRUE(port.open());
  EXPECT_TRUE(port.set_dtr(false));
  termios settings{};
  tcgetattr(master, &settings);
  EXPECT_EQ(cfgetospeed(&settings), static_cast<speed_t>(B0));
  EXPECT_TRUE(port.set_dtr(true));
  EXPECT_EQ(tty_line(port.fd()).baud, 115200);
}

}  // namespace
}  // namespace firebreak::guard
