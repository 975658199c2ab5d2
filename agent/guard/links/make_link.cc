#include "agent/guard/config/guard_config.h"
#include "agent/guard/links/klipper_link.h"
#include "agent/guard/links/marlin_link.h"
#include "agent/guard/links/printer_link.h"
#include "agent/guard/links/uplink_link.h"

namespace firebreak::guard {

std::unique_ptr<PrinterLink> make_link(const LinkParts& parts) {
  switch (parts.config.link) {
    case LinkKind::klipper: return std::make_unique<KlipperLink>(parts);
    case LinkKind::network: return std::make_unique<UplinkLink>(parts);
    case LinkKind::serial: break;
  }
  return std::make_unique<MarlinLink>(parts);
}

}  // namespace firebreak::guard
