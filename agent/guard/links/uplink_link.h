#pragma once

#include <memory>

#include "agent/guard/links/printer_link.h"

namespace firebreak::guard {

/// The link of a network printer: the uplink talks to the printer, and to the guard on one
/// connection of the uplink's socket, which the stop thread writes to. No connection: the stop
/// finds nobody to ask, and the relay opens at once.
class UplinkLink final : public PrinterLink {
 public:
  explicit UplinkLink(const LinkParts& parts);
  ~UplinkLink() override;
  UplinkLink(const UplinkLink&) = delete;
  UplinkLink& operator=(const UplinkLink&) = delete;

  Result<void> prepare() override { return {}; }
  void run(std::stop_token stop) override;
  void wake() noexcept override;
  /// A newer connection replaces the older one: an uplink that has restarted.
  bool serve(int fd) override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firebreak::guard
