#include "agent/uplink/printers/prusalink.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace firebreak::uplink {
namespace {

using nlohmann::json;

/// Fan speeds come in revolutions a minute; Prusa's part fan turns at about this when it is full.
constexpr double full_fan_rpm = 5000;

}  // namespace

void PrusaLink::ask_round() {
  if (machine_.empty()) return ask_identity();
  ask_status();
}

void PrusaLink::ask_identity() {
  ask({.path = "/api/version"}, [this](Result<json> version, MonotonicTime) {
    if (!version) return failed(version.error());
    firmware_ = text_at(*version, "text");
    if (const auto exact = text_at(*version, "firmware"); !exact.empty()) {
      firmware_ += " (firmware " + exact + ")";
    }
    ask({.path = "/api/v1/info"}, [this](Result<json> info, MonotonicTime) {
      if (!info) return failed(info.error());
      machine_ = text_at(*info, "hostname");
      uuid_ = text_at(*info, "serial");
      if (machine_.empty()) machine_ = "PrusaLink";
      ask_status();
    });
  });
}

void PrusaLink::ask_status() {
  ask({.path = "/api/v1/status"}, [this](Result<json> status, MonotonicTime asked) {
    if (!status) {
      machine_.clear();
      return failed(status.error());
    }
    on_status(*status, asked);
  });
}

void PrusaLink::on_status(const json& status, MonotonicTime asked) {
  const json& printer = object_at(status, "printer");
  const auto state = text_at(printer, "state");
  if (state.empty()) {
    return failed({ErrorCode::bad_input, "its status is of another shape: check kind and address"});
  }
  PrinterFacts facts;
  facts.firmware = firmware_;
  facts.machine = machine_;
  facts.uuid = uuid_;
  facts.printing = state == "PRINTING";
  facts.reach = state == "ERROR" ? Reach::halted : Reach::ready;
  if (state == "ERROR" || state == "ATTENTION") {
    facts.why = "PrusaLink: the printer asks for a person (" + state + ")";
  }
  facts.heaters = {
      {"hotend", number_at(printer, "temp_nozzle"), number_at(printer, "target_nozzle"),
       unknown_number},
      {"bed", number_at(printer, "temp_bed"), number_at(printer, "target_bed"), unknown_number}};
  const double fan = number_at(printer, "fan_print") / full_fan_rpm;
  facts.fan = std::isfinite(fan) ? std::min(1.0, std::max(0.0, fan)) : unknown_number;
  facts.measured_at = asked;
  const json& job = object_at(status, "job.id");
  job_ = job.is_number_unsigned() ? std::to_string(job.get<std::uint64_t>()) : std::string();
  if (state == "ERROR" && !state_.empty() && state_ != "ERROR") {
    raise(PrinterEvent::halted, facts.why);
  }
  state_ = state;
  finish(std::move(facts));
}

void PrusaLink::order_on_job(const std::string& method, const std::string& suffix, Done done) {
  if (job_.empty()) return done(false);
  order({.method = method, .path = "/api/v1/job/" + job_ + suffix},
        [done = std::move(done)](const Result<void>& taken) {
          if (!taken) return done(fail(taken.error()));
          done(false);
        });
}

void PrusaLink::pause(Done done) { order_on_job("PUT", "/pause", std::move(done)); }

void PrusaLink::cancel(Done done) { order_on_job("DELETE", "", std::move(done)); }

}  // namespace firebreak::uplink
