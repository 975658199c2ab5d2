#include "agent/uplink/discovery/finding.h"

#include <nlohmann/json.hpp>

namespace firebreak::uplink {

std::string_view word(Sureness sureness) noexcept {
  switch (sureness) {
    case Sureness::announced: return "announced";
    case Sureness::plugged: return "plugged";
    case Sureness::answered: return "answered";
  }
  return "announced";
}

std::string_view word(Standing standing) noexcept {
  switch (standing) {
    case Standing::fresh: return "new";
    case Standing::moved: return "moved";
    case Standing::known: return "known";
    case Standing::missing: return "missing";
  }
  return "new";
}

nlohmann::json to_json(const Finding& finding) {
  return {{"kind", finding.kind},
          {"address", finding.address},
          {"device", finding.device},
          {"name", finding.name},
          {"claims", finding.claims},
          {"identity", finding.identity},
          {"sure", finding.standing == Standing::missing ? "" : word(finding.sureness)},
          {"standing", word(finding.standing)},
          {"printer", finding.printer},
          {"note", finding.note}};
}

}  // namespace firebreak::uplink
