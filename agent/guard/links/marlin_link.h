#pragma once

#include <memory>

#include "agent/guard/links/printer_link.h"

namespace firebreak::guard {

/// The serial link of one printer with Marlin-family firmware, and the pass-through for its host:
/// the port, the pty, and the loop of the printer's one link thread.
class MarlinLink final : public PrinterLink {
 public:
  /// Nothing is opened yet. The host's pty is `parts.config.pty` below `parts.run_dir`.
  explicit MarlinLink(const LinkParts& parts);
  ~MarlinLink() override;
  MarlinLink(const MarlinLink&) = delete;
  MarlinLink& operator=(const MarlinLink&) = delete;

  Result<void> prepare() override;
  void run(std::stop_token stop) override;
  void wake() noexcept override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firebreak::guard
