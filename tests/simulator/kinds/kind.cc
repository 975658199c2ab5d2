#include "tests/simulator/kinds/kind.h"

#include <algorithm>

#include "tests/simulator/kinds/bambu.h"
#include "tests/simulator/kinds/klipper.h"
#include "tests/simulator/kinds/moonraker.h"
#include "tests/simulator/kinds/octoprint.h"
#include "tests/simulator/kinds/prusalink.h"
#include "tests/simulator/kinds/reprapfirmware.h"

namespace firebreak::sim {
namespace {

constexpr std::size_t kBigBodyBytes = 10 * 1024 * 1024;
constexpr double kFullDuty = 127;

HeaterReading reading(const Printer& printer, HeaterId id) {
  const HeaterTruth truth = printer.truth(id);
  return {truth.reading_celsius, truth.target_celsius, truth.duty / kFullDuty};
}

template <typename K>
std::unique_ptr<Kind> make(KindContext context) {
  return std::make_unique<K>(std::move(context));
}

struct KindEntry {
  const char* name;
  std::unique_ptr<Kind> (*make)(KindContext);
};

constexpr KindEntry kKinds[] = {
    {"bambu", make<Bambu>},         {"klipper", make<Klipper>},
    {"moonraker", make<Moonraker>}, {"octoprint", make<OctoPrint>},
    {"prusalink", make<PrusaLink>}, {"reprapfirmware", make<RepRapFirmware>},
};

}  // namespace

Readings read(const Printer& printer) {
  return {reading(printer, HeaterId::hotend), reading(printer, HeaterId::bed),
          printer.firmware().fan()};
}

std::string WireFaults::spoil(const std::string& json_text) const {
  if (has("wrong_shape")) return R"([42,"result",{"temperature":[null]}])";
  std::string text = json_text;
  if (has("invalid_utf8")) {
    const std::size_t quote = text.find('"');
    text.insert(quote == std::string::npos ? text.size() : quote + 1, "\xff\xfe\xc0");
  }
  if (has("big_body")) text.insert(text.size() - 1, kBigBodyBytes, ' ');
  return text;
}

bool Kind::set_fault(const std::string& name, bool on, double value) {
  const auto known = own_faults();
  if (std::none_of(known.begin(), known.end(), [&](const char* own) { return name == own; })) {
    return false;
  }
  faults_.set(name, on, value);
  if (name == "frozen_values") frozen_ = on ? std::optional(read(printer())) : std::nullopt;
  on_fault(name, on);
  return true;
}

nlohmann::json Kind::state() const {
  nlohmann::json state = own_state();
  state["kind"] = setup().kind;
  state["address"] = address();
  state["stops_read"] = stops_;
  state["requests"] = requests_.all;
  state["open_requests"] = requests_.open;
  state["most_open_requests"] = requests_.most_open;
  return state;
}

void Kind::stop_read(const std::string& how) {
  ++stops_;
  context_.note("stop_read", {{"kind", setup().kind}, {"how", how}, {"seen", stops_}});
}

Readings Kind::readings() const { return frozen_ ? *frozen_ : read(printer()); }

std::unique_ptr<Kind> make_kind(KindContext context) {
  for (const KindEntry& entry : kKinds) {
    if (context.setup.kind == entry.name) return entry.make(std::move(context));
  }
  return nullptr;
}

bool kind_exists(const std::string& kind) {
  return kind == "marlin" || std::any_of(std::begin(kKinds), std::end(kKinds),
                                         [&](const auto& entry) { return kind == entry.name; });
}

void adapt_dialect(const KindSetup& setup, Dialect* dialect) {
  if (setup.kind == "marlin" || setup.kind == "octoprint") return;
  dialect->baud = 0;
  dialect->ring_bytes = 4096;
  dialect->line_bytes = 512;
  if (setup.kind == "prusalink" || setup.kind == "bambu") return;
  // Klipper and RepRapFirmware have checks of their own. A build of the board's engine that checks
  // nothing heats to what it is told.
  dialect->thermal_protection = false;
  dialect->hotend_sensor = SensorKind::ad595;
  dialect->boot_time = std::chrono::milliseconds(100);
}

}  // namespace firebreak::sim
