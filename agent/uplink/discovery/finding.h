#pragma once

#include <atomic>
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace firebreak::uplink {

/// Findings of one scan; more are counted and not listed, so that an answer fits into one frame.
inline constexpr std::size_t findings_max = 256;

/// Longest text that a printer says of itself, once escaped.
inline constexpr std::size_t shown_bytes_max = 64;

/// How a finding is known, the weakest first. None of them is an identity check: that is made by
/// the guard when the printer is configured.
enum class Sureness {
  announced,  ///< Somebody on the network says so.
  plugged,    ///< The kernel lists the device; nothing was opened.
  answered,   ///< The device itself answered a question.
};
std::string_view word(Sureness sureness) noexcept;

/// What the comparison with the configuration says.
enum class Standing { fresh, moved, known, missing };
std::string_view word(Standing standing) noexcept;

/// One printer, or what may be one. All texts that others wrote are escaped and short.
struct Finding {
  std::string kind;      ///< serial, moonraker, octoprint, prusalink, reprapfirmware, bambu.
  std::string address;   ///< As the configuration would name it.
  std::string device;    ///< serial: the kernel's name, such as /dev/ttyUSB0.
  std::string name;      ///< What it calls itself.
  std::string claims;    ///< Model, firmware, what it asks for.
  std::string identity;  ///< Serial number or id; empty where it tells none.
  Sureness sureness = Sureness::announced;
  Standing standing = Standing::fresh;
  std::string printer;  ///< The configured printer that it is; empty for a new one.
  std::string note;     ///< One sentence for people; may be empty.
};
nlohmann::json to_json(const Finding& finding);

/// A configured printer, as far as scans and diagnoses need it. No secret.
struct KnownPrinter {
  std::string name;
  std::string kind;     ///< Of a Finding, or klipper.
  std::string address;  ///< URL, host, serial port or socket.
  std::string place;    ///< What the address leads to: a device, a URL without a name; or empty.
  std::vector<std::string> identities;
  std::string link;  ///< The guard's word for its connection; empty: the guard does not answer.
  std::string why;   ///< And its sentence.
  bool printing = false;
};

/// Set from outside when the process ends; whoever works on a thread of its own looks at it at
/// least so often.
using Cancelled = std::atomic<bool>;
inline constexpr int cancelled_look_ms = 250;

}  // namespace firebreak::uplink
