#include "agent/uplink/printers/moonraker.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace firebreak::uplink {
namespace {

using nlohmann::json;

constexpr std::size_t heaters_max = 6;
/// How often klippy's state is looked at after a stop, until it says shutdown.
constexpr int confirm_tries = 10;
constexpr std::chrono::milliseconds confirm_every{100};

bool same_values(const std::vector<HeaterFacts>& a, const std::vector<HeaterFacts>& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.name == y.name && x.celsius == y.celsius;
         });
}

/// A name in a query: Klipper's objects have blanks.
std::string in_query(const std::string& name) {
  std::string out;
  for (const char c : name) out += c == ' ' ? std::string("%20") : std::string(1, c);
  return out;
}

}  // namespace

std::string heater_name(const std::string& object) {
  if (object == "heater_bed") return "bed";
  if (object.starts_with("heater_generic ") && object.find("chamber") != std::string::npos) {
    return "chamber";
  }
  if (!object.starts_with("extruder")) return {};
  const auto number = object.substr(8);
  if (number.find_first_not_of("0123456789") != std::string::npos) return {};
  return "hotend" + number;
}

void Moonraker::ask_round() {
  if (machine_.empty()) return ask_identity();
  if (heaters_.empty()) return ask_objects();
  ask_status();
}

void Moonraker::forget_identity() {
  machine_.clear();
  heaters_.clear();
}

void Moonraker::ask_identity() {
  ask({.path = "/printer/info"}, [this](Result<json> answer, MonotonicTime) {
    if (!answer) return failed(answer.error());
    const json& result = object_at(*answer, "result");
    machine_ = text_at(result, "hostname");
    firmware_ = "Klipper " + text_at(result, "software_version");
    if (machine_.empty()) {
      return failed({ErrorCode::bad_input, "it is no Moonraker: check kind and address"});
    }
    ask_objects();
  });
}

void Moonraker::ask_objects() {
  ask({.path = "/printer/objects/list"}, [this](Result<json> answer, MonotonicTime) {
    if (!answer) return failed(answer.error());
    const json& objects = object_at(*answer, "result.objects");
    query_ = "/printer/objects/query?webhooks&print_stats=state&fan=speed";
    if (objects.is_array()) {
      for (const auto& object : objects) {
        if (!object.is_string() || heaters_.size() == heaters_max) continue;
        const auto name = object.get<std::string>();
        if (heater_name(name).empty()) continue;
        heaters_.push_back(name);
        query_ += "&" + in_query(name) + "=temperature,target,power";
      }
    }
    if (heaters_.empty()) {
      PrinterFacts facts;
      facts.reach = Reach::opening;
      facts.why = "Klipper is starting: it has no heaters yet";
      facts.machine = machine_;
      facts.firmware = firmware_;
      return finish(std::move(facts));
    }
    ask_status();
  });
}

void Moonraker::ask_status() {
  ask({.path = query_}, [this](Result<json> answer, MonotonicTime asked) {
    if (!answer) {
      // Moonraker without klippy answers 503; whoever comes back is looked at anew.
      forget_identity();
      return failed(answer.error());
    }
    on_status(object_at(*answer, "result"), asked);
  });
}

void Moonraker::on_status(const json& result, MonotonicTime asked) {
  const json& status = object_at(result, "status");
  const auto state = text_at(status, "webhooks.state");
  if (state.empty()) {
    forget_identity();
    return failed({ErrorCode::bad_input, "its status is of another shape: check kind and address"});
  }
  PrinterFacts facts;
  facts.machine = machine_;
  facts.firmware = firmware_;
  facts.why = text_at(status, "webhooks.state_message");
  facts.why = facts.why.substr(0, facts.why.find('\n'));
  facts.printing = text_at(status, "print_stats.state") == "printing";
  facts.fan = number_at(status, "fan.speed");
  const bool ready = state == "ready";
  facts.reach = ready                 ? Reach::ready
                : state == "shutdown" ? Reach::halted
                : state == "error"    ? Reach::misconfigured
                                      : Reach::opening;
  if (ready) facts.why.clear();
  for (const auto& object : heaters_) {
    const json& heater = object_at(status, object);
    if (!heater.is_object()) continue;
    facts.heaters.push_back({heater_name(object), number_at(heater, "temperature"),
                             ready ? number_at(heater, "target") : 0,
                             ready ? number_at(heater, "power") : 0});
  }
  if (ready || !same_values(facts.heaters, last_)) changed_at_ = asked;
  if (ready || facts.reach == Reach::halted) facts.measured_at = changed_at_;
  last_ = facts.heaters;
  if (state != state_) {
    if (state == "shutdown") raise(PrinterEvent::halted, facts.why);
    if (ready && was_ready_) raise(PrinterEvent::booted, "Klipper is ready again");
    was_ready_ = was_ready_ || ready;
    state_ = state;
  }
  finish(std::move(facts));
}

void Moonraker::post(const std::string& path, Done done) {
  order({.method = "POST", .path = path}, [done = std::move(done)](Result<void> taken) {
    if (!taken) return done(fail(taken.error()));
    done(false);
  });
}

void Moonraker::script(const std::string& gcode, Done done) {
  order({.method = "POST", .path = "/printer/gcode/script", .body = json{{"script", gcode}}.dump()},
        [done = std::move(done)](Result<void> taken) {
          if (!taken) return done(fail(taken.error()));
          done(false);
        });
}

void Moonraker::stop_printer(Done done) {
  auto self = std::static_pointer_cast<Moonraker>(shared_from_this());
  order({.method = "POST", .path = "/printer/emergency_stop"},
        [self, done = std::move(done)](const Result<void>& taken) mutable {
          if (!taken) return done(fail(taken.error()));
          self->confirm_once(std::move(done), [self](Done once) {
            self->confirm_shutdown(std::move(once), confirm_tries);
          });
        });
}

void Moonraker::confirm_shutdown(Done done, int tries_left) {
  ask({.path = "/printer/info"},
      [this, done = std::move(done), tries_left](Result<json> answer, MonotonicTime) mutable {
        if (answer && text_at(*answer, "result.state") == "shutdown") return done(true);
        if (tries_left <= 1) return done(false);
        later(confirm_every, [this, done = std::move(done), tries_left] {
          confirm_shutdown(done, tries_left - 1);
        });
      });
}

void Moonraker::heaters_off(Done done) { script("TURN_OFF_HEATERS", std::move(done)); }

void Moonraker::revive(Done done) { post("/printer/firmware_restart", std::move(done)); }

void Moonraker::pause(Done done) { post("/printer/print/pause", std::move(done)); }

void Moonraker::cancel(Done done) { post("/printer/print/cancel", std::move(done)); }

}  // namespace firebreak::uplink
