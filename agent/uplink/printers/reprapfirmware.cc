#include "agent/uplink/printers/reprapfirmware.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace firebreak::uplink {
namespace {

using nlohmann::json;

constexpr int confirm_tries = 10;
constexpr std::chrono::milliseconds confirm_every{100};
constexpr std::size_t tools_max = 4;

std::string in_query(const std::string& text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= 'a' && byte <= 'z') || byte == '-' || byte == '.' || byte == '_';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out;
}

/// A list of heater numbers, of which -1 is none.
std::vector<std::size_t> numbers(const json& list) {
  std::vector<std::size_t> out;
  if (!list.is_array()) return out;
  for (const auto& item : list) {
    if (item.is_number_integer() && item.get<int>() >= 0) out.push_back(item.get<std::size_t>());
  }
  return out;
}

/// The temperature that the heater is to have; NaN: it does not say.
double target_of(const json& heater) {
  const auto state = text_at(heater, "state");
  if (state == "off" || state == "fault") return 0;
  if (state == "standby") return number_at(heater, "standby");
  return number_at(heater, "active");
}

}  // namespace

void RepRapFirmware::ask_round() {
  if (!connected_) return connect();
  if (machine_.empty()) return ask_boards();
  ask_state();
}

void RepRapFirmware::connect() {
  ask({.path = "/rr_connect?password=" + in_query(password_)},
      [this](Result<json> answer, MonotonicTime) {
        if (!answer) return lost(answer.error());
        const double refused = number_at(*answer, "err");
        if (refused == 1) return lost({ErrorCode::not_allowed, "it refuses the password"});
        if (refused == 2) {
          return lost({ErrorCode::unavailable, "it has no room for another session"});
        }
        if (refused != 0) {
          return lost({ErrorCode::bad_input, "it is no RepRapFirmware: check kind and address"});
        }
        connected_ = true;
        ask_boards();
      });
}

/// Whoever comes back is looked at anew.
void RepRapFirmware::lost(const Error& error) {
  connected_ = false;
  machine_.clear();
  failed(error);
}

void RepRapFirmware::model(const std::string& key, Json answer) {
  ask({.path = "/rr_model?key=" + key + "&flags=vnd9"},
      [answer = std::move(answer)](Result<json> got, MonotonicTime asked) {
        if (!got) return answer(std::move(got), asked);
        answer(object_at(*got, "result"), asked);
      });
}

void RepRapFirmware::ask_boards() {
  model("boards", [this](Result<json> boards, MonotonicTime) {
    if (!boards) return lost(boards.error());
    const json none;
    const json& main = boards->is_array() && !boards->empty() ? boards->front() : none;
    firmware_ = text_at(main, "firmwareName") + " " + text_at(main, "firmwareVersion");
    machine_ = text_at(main, "name");
    uuid_ = text_at(main, "uniqueId");
    if (machine_.empty()) {
      return lost({ErrorCode::bad_input, "its model names no board: check kind and address"});
    }
    ask_tools();
  });
}

void RepRapFirmware::ask_tools() {
  model("tools", [this](Result<json> tools, MonotonicTime) {
    if (!tools) return lost(tools.error());
    tool_heaters_.clear();
    if (tools->is_array()) {
      for (const auto& tool : *tools) {
        const auto heaters = numbers(object_at(tool, "heaters"));
        if (!heaters.empty() && tool_heaters_.size() < tools_max) {
          tool_heaters_.push_back(heaters.front());
        }
      }
    }
    ask_state();
  });
}

void RepRapFirmware::ask_state() {
  model("state.status", [this](Result<json> status, MonotonicTime) {
    if (!status) return lost(status.error());
    if (!status->is_string()) {
      return lost({ErrorCode::bad_input, "its model has no status: check kind and address"});
    }
    ask_heat(status->get<std::string>());
  });
}

void RepRapFirmware::ask_heat(const std::string& status) {
  model("heat", [this, status](Result<json> heat, MonotonicTime asked) {
    if (!heat) return lost(heat.error());
    on_heat(status, *heat, asked);
  });
}

std::vector<RepRapFirmware::Mapped> RepRapFirmware::map_heaters(const json& heat) const {
  std::vector<Mapped> mapped;
  for (std::size_t tool = 0; tool < tool_heaters_.size(); ++tool) {
    mapped.push_back({tool == 0 ? "hotend" : "hotend" + std::to_string(tool), tool_heaters_[tool]});
  }
  const auto beds = numbers(object_at(heat, "bedHeaters"));
  const auto chambers = numbers(object_at(heat, "chamberHeaters"));
  if (!beds.empty()) mapped.push_back({"bed", beds.front()});
  if (!chambers.empty()) mapped.push_back({"chamber", chambers.front()});
  return mapped;
}

void RepRapFirmware::on_heat(const std::string& status, const json& heat, MonotonicTime asked) {
  PrinterFacts facts;
  facts.firmware = firmware_;
  facts.machine = machine_;
  facts.uuid = uuid_;
  facts.printing = status == "processing" || status == "simulating";
  const bool halted = status == "halted";
  facts.reach = halted                                         ? Reach::halted
                : status == "starting" || status == "updating" ? Reach::opening
                                                               : Reach::ready;
  if (facts.reach != Reach::ready) facts.why = "RepRapFirmware: " + status;
  const json& heaters = object_at(heat, "heaters");
  bool fault = false;
  for (const auto& [name, index] : map_heaters(heat)) {
    if (!heaters.is_array() || index >= heaters.size()) continue;
    const json& heater = heaters[index];
    fault = fault || text_at(heater, "state") == "fault";
    facts.heaters.push_back(
        {name, number_at(heater, "current"), target_of(heater), number_at(heater, "avgPwm")});
  }
  facts.measured_at = asked;
  if (halted && !status_.empty() && status_ != "halted") {
    raise(PrinterEvent::halted, "the firmware is halted");
  }
  if (status_ == "halted" && !halted)
    raise(PrinterEvent::booted, "the firmware has been restarted");
  if (fault && !fault_told_) {
    raise(PrinterEvent::thermal_fault, "the firmware turned a heater off: heater fault");
  }
  fault_told_ = fault;
  status_ = status;
  finish(std::move(facts));
}

void RepRapFirmware::gcode(const std::string& lines, Done done) {
  order({.path = "/rr_gcode?gcode=" + in_query(lines)},
        [done = std::move(done)](const Result<void>& taken) {
          if (!taken) return done(fail(taken.error()));
          done(false);
        });
}

void RepRapFirmware::stop_printer(Done done) {
  auto self = std::static_pointer_cast<RepRapFirmware>(shared_from_this());
  order({.path = "/rr_gcode?gcode=M112"},
        [self, done = std::move(done)](const Result<void>& taken) mutable {
          if (!taken) return done(fail(taken.error()));
          self->confirm_once(std::move(done), [self](Done once) {
            self->confirm_halted(std::move(once), confirm_tries);
          });
        });
}

void RepRapFirmware::confirm_halted(Done done, int tries_left) {
  model("state.status",
        [this, done = std::move(done), tries_left](Result<json> status, MonotonicTime) mutable {
          if (status && *status == "halted") return done(true);
          if (tries_left <= 1) return done(false);
          later(confirm_every, [this, done = std::move(done), tries_left] {
            confirm_halted(done, tries_left - 1);
          });
        });
}

}  // namespace firebreak::uplink
