// A host, the link and a printer in one process with the kernel's ptys between them: how late a
// line comes through, and whether a long stream both ways comes through unchanged.
//
//   bench_proxy BAUD DELAY_LINES BULK_BYTES      one JSON object on stdout
//
// Delays are from the write of a whole line on one side to the read of its last byte on the other.
// A pty has no wire time, but it has the kernel's: the same is measured without the proxy.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "agent/guard/core/shared.h"
#include "agent/guard/links/marlin_link.h"
#include "common/base/clock.h"
#include "tests/unit/links/link_fixture.h"

namespace {

using namespace firebreak;
using namespace firebreak::guard;
using Clock_ = std::chrono::steady_clock;

constexpr std::string_view report = " T:25.00 /0.00 B:25.00 /0.00 @:0 B@:0\n";

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench_proxy: %s\n", why.c_str());
  std::exit(2);
}

/// As the guard's link and the printer's interrupts have it, where we may.
void real_time(int priority) {
  const sched_param wanted{priority};
  (void)sched_setscheduler(0, SCHED_FIFO, &wanted);
}

int make_raw(int fd) {
  termios settings{};
  tcgetattr(fd, &settings);
  cfmakeraw(&settings);
  tcsetattr(fd, TCSANOW, &settings);
  return fd;
}

/// The same endless text on both ends: lines of all lengths and of all printable bytes. `report_at`
/// above 0: a printer's, with a temperature report each so many bytes.
class Text {
 public:
  Text(std::uint64_t seed, std::size_t report_at) : state_(seed), report_at_(report_at) {}

  char next() {
    if (from_ == line_.size()) make_line();
    return line_[from_++];
  }
  std::string take(std::size_t count) {
    std::string bytes(count, '\0');
    for (auto& byte : bytes) byte = next();
    return bytes;
  }

 private:
  std::uint64_t random() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  void make_line() {
    line_.clear();
    from_ = 0;
    if (report_at_ > 0 && made_ >= report_at_) {
      made_ = 0;
      line_ = report;
      return;
    }
    line_ = report_at_ > 0 ? "echo:" : "M117 ";
    for (auto left = 1 + random() % 90; left > 0; --left) {
      line_ += static_cast<char>(' ' + random() % 95);
    }
    line_ += '\n';
    made_ += line_.size();
  }

  std::uint64_t state_;
  const std::size_t report_at_;
  std::size_t made_ = 0, from_ = 0;
  std::string line_;
};

struct Bench {
  explicit Bench(int baud_in) : baud(baud_in) {
    printer = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (printer < 0 || grantpt(printer) != 0 || unlockpt(printer) != 0) give_up("no pty");
    config.port = ptsname(printer);
    printer_slave = make_raw(open(config.port.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    config.baud = baud;
    char pattern[] = "/tmp/fb-bench-XXXXXX";
    run_dir = mkdtemp(pattern);
    shared.link_mode = LinkMode::pass;
    close(printer_slave);  // The link opens it alone.
    link = std::make_unique<MarlinLink>(LinkParts{config, shared, clock, keeper, notes, run_dir});
    if (!link->prepare()) give_up("the link cannot be prepared");
    thread = std::jthread([this](std::stop_token token) {
      real_time(2);
      link->run(token);
    });
  }
  ~Bench() {
    thread.request_stop();
    link->wake();
    thread.join();
    link.reset();
    close(host);
    close(printer);
    std::filesystem::remove_all(run_dir);
  }

  /// Answers the link's questions until it has no more, then opens the host's side.
  void introduce() {
    std::string line;
    auto asked = Clock_::now();
    const auto until = asked + std::chrono::seconds{20};
    while (shared.link_state != LinkState::ready ||
           Clock_::now() - asked < std::chrono::milliseconds{500}) {
      if (Clock_::now() > until) give_up("the link does not come up");
      for (const char byte : read_some(printer, 50)) {
        if (byte != '\n') {
          line += byte;
          continue;
        }
        if (line == "M115") put(printer, firmware_line + "Cap:AUTOREPORT_TEMP:1\n");
        if (line == "M105") put(printer, "ok" + std::string(report));
        if (line == "M115" || line == "M155 S1") put(printer, "ok\n");
        line.clear();
        asked = Clock_::now();
      }
    }
    host = make_raw(open((run_dir / "p1").c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (host < 0) give_up("the host's pty cannot be opened");
    while (shared.host_attached == 0) usleep(1000);
    put(printer, report);
    while (read_some(host, 100).empty()) continue;
  }

  static std::string read_some(int fd, int wait_ms) {
    pollfd polled{fd, POLLIN, 0};
    if (poll(&polled, 1, wait_ms) <= 0) return "";
    char room[4096];
    const auto count = read(fd, room, sizeof room);
    return count > 0 ? std::string(room, static_cast<std::size_t>(count)) : "";
  }
  static void put(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const auto count = write(fd, bytes.data(), bytes.size());
      if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  const int baud;
  int printer = -1, printer_slave = -1, host = -1;
  PrinterConfig config = one_tool_printer();
  PrinterShared shared;
  SystemClock clock;
  FakeKeeper keeper;
  NoteList notes;
  std::filesystem::path run_dir;
  std::unique_ptr<MarlinLink> link;
  std::jthread thread;
};

double microseconds(Clock_::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

nlohmann::json summary(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(values.size()));
    return std::round(values[std::min(rank, values.size() - 1)] * 10) / 10;
  };
  return {{"p50", at(0.5)}, {"p99", at(0.99)}, {"p999", at(0.999)}, {"max", at(1)}};
}

/// Waits for a whole line on `fd`; own lines of the link are not the host's.
Clock_::time_point read_line(int fd, std::string& line) {
  line.clear();
  for (const auto until = Clock_::now() + std::chrono::seconds{20};;) {
    line += Bench::read_some(fd, 1000);
    const auto now = Clock_::now();
    if (now > until) give_up("a line did not come through");
    for (const std::string_view own : {"M105\n", "M155 S1\n"}) {
      if (line.starts_with(own)) line.erase(0, own.size());
    }
    if (line.ends_with('\n')) return now;
  }
}

/// Line by line as hosts print: each is answered before the next goes.
nlohmann::json measure_delay(int host, int printer, int baud, int lines) {
  std::vector<double> down, up;
  Text text(4711, 0);
  std::string line, got;
  auto reported = Clock_::now();
  for (int i = 0; i < lines; ++i) {
    line = "G1 X" + std::to_string(i) + text.take(static_cast<std::size_t>(i % 40));
    std::replace(line.begin(), line.end(), '\n', ' ');
    line += '\n';
    if (Clock_::now() - reported > std::chrono::seconds{1}) {
      reported = Clock_::now();
      Bench::put(printer, report);
      read_line(host, got);
    }
    const auto sent = Clock_::now();
    Bench::put(host, line);
    down.push_back(microseconds(read_line(printer, got) - sent));
    if (got != line) give_up("a line was changed: " + line + got);
    // The wire's own time for the line; without it the next one would wait behind this one.
    usleep(static_cast<useconds_t>(line.size() * 10'000'000 / static_cast<unsigned>(baud)));
    const auto answered = Clock_::now();
    Bench::put(printer, "ok\n");
    up.push_back(microseconds(read_line(host, got) - answered));
    if (got != "ok\n") give_up("an answer was changed: " + got);
    usleep(static_cast<useconds_t>(i % 7) * 200);  // Every phase of the link's waits.
  }
  return {{"to_printer_us", summary(down)}, {"to_host_us", summary(up)}};
}

/// The same over one pty with nothing in between: what the kernel and this machine add by
/// themselves.
nlohmann::json measure_direct(int baud, int lines) {
  const int printer = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (printer < 0 || grantpt(printer) != 0 || unlockpt(printer) != 0) give_up("no pty");
  const int host = make_raw(open(ptsname(printer), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  auto figures = measure_delay(host, printer, baud, lines);
  close(host);
  close(printer);
  return figures;
}

/// One side of the bulk: writes its own text, and compares what comes with the other's.
struct Side {
  int fd;
  Text out, in;
  std::size_t to_send, to_get;
  double bytes_per_s;  ///< 0: as fast as it is taken.
  std::size_t changed = 0;
  std::size_t own_lines = 0;  ///< Of the link, between two of the host's.
  std::string pending{}, line{};

  void run() {
    real_time(1);
    auto began = Clock_::now();
    std::size_t sent = 0;
    auto heard = began;
    while (to_get > line.size() || to_send > 0) {  // The last line may be cut off.
      const auto now = Clock_::now();
      std::size_t may = to_send;
      if (bytes_per_s > 0) {
        double due = std::chrono::duration<double>(now - began).count() * bytes_per_s -
                     static_cast<double>(sent);
        // A UART has no past to make up for, when this process has stood still for a while.
        if (due > bytes_per_s / 50) {
          began = now;
          sent = 0;
          due = bytes_per_s / 50;
        }
        may = std::min(may, static_cast<std::size_t>(std::max(0.0, due)));
      }
      may = std::min<std::size_t>(may, 1024);
      if (pending.size() < may) pending += out.take(may - pending.size());
      pollfd polled{fd, static_cast<short>(may > 0 && bytes_per_s == 0 ? POLLIN | POLLOUT : POLLIN),
                    0};
      poll(&polled, 1, may > 0 && bytes_per_s > 0 ? 0 : 1);
      if (may > 0) {
        const auto count = write(fd, pending.data(), std::min(may, pending.size()));
        if (count > 0) {
          pending.erase(0, static_cast<std::size_t>(count));
          sent += static_cast<std::size_t>(count);
          to_send -= static_cast<std::size_t>(count);
        }
      }
      char room[8192];
      const auto count = read(fd, room, sizeof room);
      for (ssize_t i = 0; i < count; ++i) compare(room[i]);
      if (count > 0) heard = Clock_::now();
      if (to_get > line.size() && Clock_::now() - heard > std::chrono::seconds{20}) {
        changed += to_get;  // Lost.
        return;
      }
    }
  }

  /// Line by line, so that a question of the link's own between two lines counts for itself.
  void compare(char byte) {
    line += byte;
    if (byte != '\n') return;
    if (line == "M105\n" || line == "M155 S1\n") {
      ++own_lines;
    } else {
      for (const char c : line) changed += c != in.next() ? 1 : 0;
      to_get -= std::min(to_get, line.size());
    }
    line.clear();
  }
};

nlohmann::json measure_bulk(Bench& bench, std::size_t bytes) {
  const std::size_t each = bytes / 2;
  const auto rate = static_cast<std::size_t>(bench.baud / 10);
  Side printer{bench.printer, Text(2, rate), Text(1, 0), each, each, static_cast<double>(rate)};
  Side host{bench.host, Text(1, 0), Text(2, rate), each, each, 0};
  const auto began = Clock_::now();
  std::jthread other([&] { printer.run(); });
  host.run();
  other.join();
  const double took = std::chrono::duration<double>(Clock_::now() - began).count();
  return {{"bytes", 2 * each},
          {"seconds", std::round(took * 10) / 10},
          {"share_of_line_rate",
           std::round(static_cast<double>(each) / took / static_cast<double>(rate) * 1000) / 1000},
          {"own_lines_between", printer.own_lines},
          {"host_did_not_read", bench.notes.count(LinkNote::host_overrun)},
          {"changed_or_lost", host.changed + printer.changed}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) give_up("usage: bench_proxy BAUD DELAY_LINES BULK_BYTES");
  Bench bench(std::atoi(argv[1]));
  bench.introduce();
  real_time(1);
  nlohmann::json figures{{"baud", bench.baud}};
  if (const int lines = std::atoi(argv[2]); lines > 0) {
    figures["direct"] = measure_direct(bench.baud, lines);
    figures["through_proxy"] = measure_delay(bench.host, bench.printer, bench.baud, lines);
  }
  if (std::atoll(argv[3]) > 0) {
    figures["bulk"] = measure_bulk(bench, static_cast<std::size_t>(std::atoll(argv[3])));
  }
  std::printf("%s\n", figures.dump().c_str());
  return 0;
}
