#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>

#include "agent/guard/links/link_events.h"
#include "common/base/result.h"

namespace firebreak {
class Clock;
}

namespace firebreak::guard {

class DescriptorKeeper;
struct PrinterConfig;
struct PrinterShared;

/// What every link is given. All of it must outlive the link.
struct LinkParts {
  const PrinterConfig& config;
  PrinterShared& shared;
  const Clock& clock;
  DescriptorKeeper& keeper;
  LinkEvents& events;
  std::filesystem::path run_dir;  ///< Holds the symlink to a serial printer's pty.
};

/// The link of one printer: reads what it says into PrinterShared, and has a descriptor there to
/// which the stop thread writes the printer's stop bytes. One thread runs it.
class PrinterLink {
 public:
  virtual ~PrinterLink() = default;

  /// Opens or adopts what can be, so that the stop thread has a descriptor before the first pass.
  /// A printer that is not there is no error. Before run(), on any thread.
  virtual Result<void> prepare() = 0;

  /// The link thread's loop; ends soon after `stop` is requested and wake() called. Descriptors
  /// stay open until the link is destroyed.
  virtual void run(std::stop_token stop) = 0;

  /// Makes the loop look at PrinterShared at once. Any thread, also the stop thread: one write to
  /// an eventfd.
  virtual void wake() noexcept = 0;

  /// A network printer's line: the uplink has connected and serves this printer on `fd`, which the
  /// link owns from here on. False, and `fd` untouched, by links that have no uplink. Any thread.
  virtual bool serve(int fd) {
    (void)fd;
    return false;
  }
};

/// The link that `parts.config` asks for. Nothing is opened yet.
std::unique_ptr<PrinterLink> make_link(const LinkParts& parts);

}  // namespace firebreak::guard
