#pragma once

#include <memory>

#include "agent/guard/links/printer_link.h"

namespace firebreak::guard {

/// The link of one printer to Klipper's API socket on this host, as a second client beside
/// Moonraker. The stop thread writes `emergency_stop` to the same connection.
class KlipperLink final : public PrinterLink {
 public:
  explicit KlipperLink(const LinkParts& parts);
  ~KlipperLink() override;
  KlipperLink(const KlipperLink&) = delete;
  KlipperLink& operator=(const KlipperLink&) = delete;

  Result<void> prepare() override;
  void run(std::stop_token stop) override;
  void wake() noexcept override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firebreak::guard
