// `local scan --probe`: opens one serial port, which everything else here avoids.

#include <fmt/format.h>
#include <poll.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "agent/guard/links/line_splitter.h"
#include "agent/guard/links/report_parser.h"
#include "agent/guard/links/tty_port.h"
#include "common/base/escape.h"
#include "coordinator/cli/find/scan.h"

namespace firebreak::cli {
namespace {

using Time = std::chrono::steady_clock;

/// A board that the opening has reset boots for up to 10 s before it answers.
constexpr std::chrono::seconds probe_time{15};
constexpr std::chrono::seconds ask_every{3};
constexpr int look_every_ms = 100;
constexpr int usual_bauds[] = {115200, 250000};

struct Identity {
  std::string firmware, machine, uuid;
  int baud = 0;
};

std::optional<Identity> ask_identity(guard::TtyPort& port, Time::time_point until) {
  guard::LineSplitter lines;
  Time::time_point ask_at{};
  while (Time::now() < until) {
    if (Time::now() >= ask_at) {
      (void)port.write("\nM115\n");
      ask_at = Time::now() + ask_every;
    }
    pollfd waiting{port.fd(), POLLIN, 0};
    poll(&waiting, 1, look_every_ms);
    char chunk[512];
    const auto got = port.read(chunk);
    for (std::size_t i = 0; i < got.bytes; ++i) {
      if (!lines.push(chunk[i])) continue;
      const auto line = guard::parse_line(lines.line());
      if (line.firmware_name.empty()) continue;
      return Identity{escape_untrusted(line.firmware_name), escape_untrusted(line.machine_type),
                      escape_untrusted(line.uuid)};
    }
  }
  return std::nullopt;
}

}  // namespace

Done probe_port(Context& context, const std::string& name, bool yes) {
  if (!yes) {
    return give_up(
        ExitStatus::refused,
        "opening " + name + " resets many boards: a print on it ends, and its heaters go off",
        "make sure that nothing prints on it, then: firebreak local scan --probe " + name +
            " --yes");
  }
  const SystemClock clock;
  for (const int baud : usual_bauds) {
    guard::TtyPort port(name, baud, clock);
    if (auto opened = port.open(); !opened)
      return give_up(ExitStatus::failed, opened.error().message,
                     "firebreak local ports; a port that the guard holds is not opened twice");
    context.console.progress(fmt::format("asking at {} baud", baud));
    auto identity = ask_identity(port, Time::now() + probe_time);
    context.console.progress("");
    if (!identity) continue;
    context.console.document({{"port", name},
                              {"baud", baud},
                              {"firmware", identity->firmware},
                              {"machine", identity->machine},
                              {"uuid", identity->uuid}});
    return ExitStatus::done;
  }
  return give_up(ExitStatus::failed, name + ": nothing answered M115 at 115200 or 250000 baud",
                 "is the printer on? Its baud rate may be another");
}

}  // namespace firebreak::cli
