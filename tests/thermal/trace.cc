#include "tests/thermal/trace.h"

#include <fmt/format.h>

#include <cmath>
#include <ostream>

namespace firebreak::thermal_bench {

namespace {

std::string field(float value, int places) {
  return std::isnan(value) ? "" : fmt::format("{:.{}f}", value, places);
}

}  // namespace

const char* name_of(HeaterKind kind) noexcept {
  switch (kind) {
    case HeaterKind::hotend: return "hotend";
    case HeaterKind::bed: return "bed";
    case HeaterKind::chamber: return "chamber";
  }
  return "hotend";
}

void write_csv(std::ostream& out, const std::vector<Report>& reports) {
  out << "t,heater,temp,target,duty,fan,flow\n";
  for (const auto& r : reports) {
    out << fmt::format("{:.3f},{},{},{},{},{},{}\n", r.t_s, name_of(r.heater), field(r.celsius, 2),
                       field(r.target_celsius, 2), field(r.duty, 3), field(r.fan, 3),
                       field(r.flow_mm3_s, 2));
  }
}

}  // namespace firebreak::thermal_bench
