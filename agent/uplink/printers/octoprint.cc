#include "agent/uplink/printers/octoprint.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace firebreak::uplink {
namespace {

using nlohmann::json;

constexpr int confirm_tries = 10;
constexpr std::chrono::milliseconds confirm_every{100};

/// OctoPrint's names are tool0 …, bed, chamber.
std::string heater_name(const std::string& name) {
  if (name == "bed" || name == "chamber") return name;
  if (!name.starts_with("tool") || name.size() == 4) return {};
  const auto number = name.substr(4);
  if (number.find_first_not_of("0123456789") != std::string::npos) return {};
  return number == "0" ? "hotend" : "hotend" + number;
}

/// "Offline after error", "Offline", "Error …", "Closed".
bool is_offline(const std::string& state) {
  return state.starts_with("Offline") || state.starts_with("Error") || state.starts_with("Closed");
}

/// When OctoPrint last heard a temperature, in its own seconds; NaN: it does not say.
double newest_in_history(const json& temperature) {
  const json& history = object_at(temperature, "history");
  double newest = unknown_number;
  if (!history.is_array()) return newest;
  for (const auto& entry : history) newest = std::fmax(newest, number_at(entry, "time"));
  return newest;
}

}  // namespace

void OctoPrint::ask_round() {
  if (machine_.empty()) return ask_identity();
  ask_temperatures();
}

void OctoPrint::ask_identity() {
  ask({.path = "/api/version"}, [this](Result<json> version, MonotonicTime) {
    if (!version) return failed(version.error());
    firmware_ = text_at(*version, "text");
    if (firmware_.empty()) {
      return failed({ErrorCode::bad_input, "it is no OctoPrint: check kind and address"});
    }
    ask({.path = "/api/settings"}, [this](Result<json> settings, MonotonicTime) {
      // A key that may not read the settings leaves the instance without a name.
      machine_ = settings ? text_at(*settings, "appearance.name") : std::string();
      uuid_ = settings ? text_at(*settings, "plugins.discovery.upnpUuid") : std::string();
      if (machine_.empty()) machine_ = "OctoPrint";
      ask_temperatures();
    });
  });
}

void OctoPrint::ask_temperatures() {
  ask({.path = "/api/printer?history=true&limit=1&exclude=sd"},
      [this](Result<json> answer, MonotonicTime asked) {
        if (answer) return on_temperatures(*answer, asked);
        // 409: the printer is not connected; the job says why.
        if (answer.error().code == ErrorCode::unavailable) return ask_why_offline();
        machine_.clear();
        failed(answer.error());
      });
}

void OctoPrint::on_temperatures(const json& printer, MonotonicTime asked) {
  const json& flags = object_at(printer, "state.flags");
  if (!flags.is_object()) {
    machine_.clear();
    return failed({ErrorCode::bad_input, "its status is of another shape: check kind and address"});
  }
  PrinterFacts facts;
  facts.firmware = firmware_;
  facts.machine = machine_;
  facts.uuid = uuid_;
  facts.reach = Reach::ready;
  const json& printing = object_at(flags, "printing");
  facts.printing = printing.is_boolean() && printing.get<bool>();
  const json& temperature = object_at(printer, "temperature");
  if (temperature.is_object()) {
    for (const auto& [name, value] : temperature.items()) {
      const auto heater = heater_name(name);
      if (heater.empty() || facts.heaters.size() == 6) continue;
      facts.heaters.push_back(
          {heater, number_at(value, "actual"), number_at(value, "target"), unknown_number});
    }
  }
  const double newest = newest_in_history(temperature);
  if (std::isfinite(newest) && newest != history_time_) {
    history_time_ = newest;
    heard_at_ = asked;
  }
  facts.measured_at = heard_at_;
  if (!std::isfinite(newest)) facts.why = "OctoPrint has heard no temperature of its printer";
  offline_told_ = false;
  finish(std::move(facts));
}

void OctoPrint::ask_why_offline() {
  ask({.path = "/api/job"}, [this](Result<json> job, MonotonicTime) {
    if (!job) {
      machine_.clear();
      return failed(job.error());
    }
    PrinterFacts facts;
    facts.firmware = firmware_;
    facts.machine = machine_;
    facts.uuid = uuid_;
    const auto state = text_at(*job, "state");
    const auto error = text_at(*job, "error");
    const bool after_error = state.starts_with("Offline after error") || state.starts_with("Error");
    facts.reach = after_error ? Reach::halted : Reach::opening;
    facts.why = "OctoPrint: " + state + (error.empty() ? "" : ": " + error);
    if (after_error && !std::exchange(offline_told_, true)) {
      raise(PrinterEvent::halted, facts.why);
    }
    heard_at_.reset();
    finish(std::move(facts));
  });
}

void OctoPrint::post(const std::string& path, const json& body, Done done) {
  order({.method = "POST", .path = path, .body = body.dump()},
        [done = std::move(done)](const Result<void>& taken) {
          if (!taken) return done(fail(taken.error()));
          done(false);
        });
}

void OctoPrint::stop_printer(Done done) {
  auto self = std::static_pointer_cast<OctoPrint>(shared_from_this());
  order({.method = "POST", .path = "/api/printer/command", .body = R"({"command":"M112"})"},
        [self, done = std::move(done)](const Result<void>& taken) mutable {
          // Not operational (409): nobody was sent anything, and "offline" confirms nothing.
          if (!taken) return done(fail(taken.error()));
          self->confirm_once(std::move(done), [self](Done once) {
            self->confirm_offline(std::move(once), confirm_tries);
          });
        });
}

void OctoPrint::confirm_offline(Done done, int tries_left) {
  ask({.path = "/api/job"},
      [this, done = std::move(done), tries_left](Result<json> job, MonotonicTime) mutable {
        if (job && is_offline(text_at(*job, "state"))) return done(true);
        if (tries_left <= 1) return done(false);
        later(confirm_every, [this, done = std::move(done), tries_left] {
          confirm_offline(done, tries_left - 1);
        });
      });
}

void OctoPrint::heaters_off(Done done) {
  post("/api/printer/command", {{"commands", {"M104 S0", "M140 S0", "M141 S0"}}}, std::move(done));
}

void OctoPrint::revive(Done done) {
  post("/api/connection", {{"command", "connect"}}, std::move(done));
}

void OctoPrint::pause(Done done) {
  post("/api/job", {{"command", "pause"}, {"action", "pause"}}, std::move(done));
}

void OctoPrint::cancel(Done done) { post("/api/job", {{"command", "cancel"}}, std::move(done)); }

}  // namespace firebreak::uplink
