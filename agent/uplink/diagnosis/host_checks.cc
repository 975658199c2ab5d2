#include "agent/uplink/diagnosis/host_checks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <deque>
#include <optional>

#include "common/base/escape.h"
#include "common/base/system_reason.h"

namespace firebreak::uplink {
namespace {

using Time = std::chrono::steady_clock;

constexpr std::size_t output_bytes_max = 4096;
constexpr std::size_t kernel_records_max = 20'000;
constexpr std::chrono::seconds question_time{5};
constexpr std::chrono::seconds restart_time{20};

/// A descriptor that closes itself.
struct Descriptor {
  int fd;
  explicit Descriptor(int given) : fd(given) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

int left_ms(Time::time_point until) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Time::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

struct Finished {
  int status = -1;  ///< Exit status; -1: it could not be run, or had to be ended.
  std::string output;
};

/// Reads what the child writes until it ends or the time is over; the rest is thrown away.
std::string read_output(int fd, Time::time_point until) {
  std::string output;
  std::array<char, 1024> chunk{};
  for (;;) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, left_ms(until)) <= 0) return output;
    const auto bytes = ::read(fd, chunk.data(), chunk.size());
    if (bytes <= 0) return output;
    const auto room = output_bytes_max - output.size();
    output.append(chunk.data(), std::min(static_cast<std::size_t>(bytes), room));
  }
}

int wait_for_end(pid_t child, Time::time_point until) {
  for (int status = 0;;) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (ended < 0) return -1;
    if (Time::now() >= until) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return -1;
    }
    ::poll(nullptr, 0, 20);
  }
}

Finished run_systemctl(std::vector<std::string> arguments, std::chrono::seconds time) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  const Descriptor in(ends[0]);
  std::optional<Descriptor> out(std::in_place, ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  std::string program = "systemctl";
  std::vector<char*> argv{program.data()};
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  // A fixed environment: nothing of ours changes what is run or how it speaks.
  std::string path = "PATH=/usr/bin:/bin", language = "LC_ALL=C";
  std::array<char*, 3> environment{path.data(), language.data(), nullptr};
  pid_t child = -1;
  const int failed = ::posix_spawn(&child, "/usr/bin/systemctl", &actions, nullptr, argv.data(),
                                   environment.data());
  posix_spawn_file_actions_destroy(&actions);
  out.reset();
  if (failed != 0) return {};
  const auto until = Time::now() + time;
  Finished finished;
  finished.output = read_output(in.fd, until);
  finished.status = wait_for_end(child, until);
  return finished;
}

/// The text of one record of /dev/kmsg: "6,1234,5678,-;text\n KEY=value…".
std::string_view text_of_record(std::string_view record) {
  const auto begin = record.find(';');
  if (begin == std::string_view::npos) return {};
  return record.substr(begin + 1, record.find('\n') - begin - 1);
}

}  // namespace

Result<void> connect_to(const std::string& address, int port, std::chrono::milliseconds time) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.fd < 0 || ::inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1)
    return fail(ErrorCode::bad_input, address + " is no address");
  if (::connect(socket.fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return {};
  if (errno != EINPROGRESS) return fail(ErrorCode::unavailable, system_reason(errno));
  pollfd waiting{socket.fd, POLLOUT, 0};
  if (::poll(&waiting, 1, static_cast<int>(time.count())) <= 0)
    return fail(ErrorCode::unavailable, "no answer");
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(ErrorCode::unavailable, system_reason(error));
  return {};
}

bool is_this_host(const std::string& address) {
  if (address.starts_with("127.")) return true;
  in_addr wanted{};
  ifaddrs* list = nullptr;
  if (::inet_pton(AF_INET, address.c_str(), &wanted) != 1 || ::getifaddrs(&list) != 0) return false;
  bool own = false;
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET) continue;
    const auto* own_address = reinterpret_cast<const sockaddr_in*>(at->ifa_addr);
    own = own || own_address->sin_addr.s_addr == wanted.s_addr;
  }
  ::freeifaddrs(list);
  return own;
}

Result<std::vector<std::string>> kernel_messages(const std::vector<std::string>& words,
                                                 std::size_t most) {
  const Descriptor log(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (log.fd < 0) {
    return fail(ErrorCode::not_allowed, "the kernel's messages may not be read by this program (" +
                                            system_reason(errno) +
                                            "): sudo dmesg | grep -i -e usb -e tty");
  }
  std::deque<std::string> kept;
  std::array<char, 8192> record{};  // One read gives one record.
  for (std::size_t i = 0; i < kernel_records_max; ++i) {
    const auto bytes = ::read(log.fd, record.data(), record.size());
    if (bytes < 0 && errno == EPIPE) continue;  // Overwritten while it was read.
    if (bytes <= 0) break;
    const auto text = text_of_record({record.data(), static_cast<std::size_t>(bytes)});
    const bool wanted = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
      return text.find(word) != std::string_view::npos;
    });
    if (!wanted) continue;
    kept.push_back(escape_untrusted(text, 120));
    if (kept.size() > most) kept.pop_front();
  }
  return std::vector<std::string>(kept.begin(), kept.end());
}

ServiceState service_state(const std::string& service) {
  const auto told = run_systemctl(
      {"show", "--property=LoadState,ActiveState", service + ".service"}, question_time);
  const auto says = [&](const char* text) { return told.output.find(text) != std::string::npos; };
  if (told.status != 0) return ServiceState::unknown;
  if (says("LoadState=not-found")) return ServiceState::not_here;
  if (says("ActiveState=active")) return ServiceState::active;
  if (says("ActiveState=failed")) return ServiceState::failed;
  if (says("ActiveState=inactive")) return ServiceState::stopped;
  return ServiceState::unknown;
}

Result<void> restart_service(const std::string& service) {
  const auto told =
      run_systemctl({"--no-ask-password", "restart", service + ".service"}, restart_time);
  if (told.status == 0) return {};
  std::string line = escape_untrusted(told.output.substr(0, told.output.find('\n')), 160);
  if (line.empty()) line = "systemctl did not finish";
  // polkit's words for a user without the right.
  const bool no_right = line.find("authentication") != std::string::npos ||
                        line.find("ccess denied") != std::string::npos ||
                        line.find("ermission denied") != std::string::npos;
  return fail(no_right ? ErrorCode::not_allowed : ErrorCode::unavailable, line);
}

}  // namespace firebreak::uplink
