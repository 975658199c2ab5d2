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

/// The serial link of one printer with Marlin-family firmware, and the pass-through for its host:
/// the port, the pty, and the loop of the printer's one link thread.
class MarlinLink {
 public:
  /// Everything referenced must outlive the link. `run_dir` holds the symlink to the pty
  /// (`config.pty`). Nothing is opened yet.
  MarlinLink(const PrinterConfig& config, PrinterShared& shared, const Clock& clock,
             DescriptorKeeper& keeper, LinkEvents& events, const std::filesystem::path& run_dir);
  ~MarlinLink();
  MarlinLink(const MarlinLink&) = delete;
  MarlinLink& operator=(const MarlinLink&) = delete;

  /// Makes or adopts the pty and adopts or opens the port, so that the stop thread has a
  /// descriptor before the first pass. A missing port is no error. Before run(), on any thread.
  Result<void> prepare();

  /// The link thread's loop (with prepare() if that has not been called); ends soon after `stop`
  /// is requested and wake() called. Descriptors stay open until the link is destroyed.
  void run(std::stop_token stop);

  /// Makes the loop look at PrinterShared at once. Any thread, also the stop thread: one write to
  /// an eventfd.
  void wake() noexcept;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firebreak::guard
