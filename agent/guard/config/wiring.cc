#include <algorithm>
#include <set>

#include "agent/guard/config/board_reader.h"

namespace firebreak::guard {
namespace {

/// Board and printers checked against each other.
class Wiring {
 public:
  Wiring(const config::Document& guard, const config::Document& board, GuardConfig& config,
         Problems& problems)
      : guard_(guard), board_(board), config_(config), problems_(problems) {}

  void check() {
    for (std::size_t i = 0; i < config_.board.inputs.size(); ++i) check_input(i);
    for (std::size_t i = 0; i < config_.board.relays.size(); ++i) check_relay(i);
    for (std::size_t i = 0; i < config_.printers.size(); ++i) check_printer(i);
    check_sensors("/sensors/", config_.board.sensors);
    check_sensors("/currents/", config_.board.currents);
    if (config_.board.inputs.empty()) {
      warn("the board has no stop input: no button stops anything on this host");
    }
    if (config_.board.alarm_line.empty()) {
      warn("the board has no alarm output: nobody hears of a stop that is not proven");
    }
  }

 private:
  void warn(std::string what) { config_.warnings.push_back(std::move(what)); }

  const PrinterConfig* printer(const std::string& name) const {
    const auto found = std::find_if(config_.printers.begin(), config_.printers.end(),
                                    [&](const auto& printer) { return printer.name == name; });
    return found == config_.printers.end() ? nullptr : &*found;
  }

  static bool has_heater(const PrinterConfig& printer, const std::string& name) {
    const auto& heaters = printer.profile.heaters;
    return std::any_of(heaters.begin(), heaters.end(),
                       [&](const auto& heater) { return heater.name == name; });
  }

  static std::string heaters_of(const PrinterConfig& printer) {
    std::string names;
    for (const auto& heater : printer.profile.heaters) {
      names += (names.empty() ? "" : ", ") + heater.name;
    }
    return names;
  }

  void check_input(std::size_t index) {
    const auto& input = config_.board.inputs[index];
    const auto at = "/inputs/" + std::to_string(index) + "/zone";
    std::set<std::string> seen;
    for (std::size_t i = 0; i < input.zone.size(); ++i) {
      const auto where = at + "/" + std::to_string(i);
      if (printer(input.zone[i]) == nullptr) {
        problems_.add(board_, where,
                      "there is no printer " + input.zone[i] + " in " + guard_.file());
      }
      if (!seen.insert(input.zone[i]).second) problems_.add(board_, where, "is listed twice");
    }
  }

  void check_relay(std::size_t index) {
    const auto& relay = config_.board.relays[index];
    const auto at = "/relays/" + std::to_string(index);
    for (std::size_t i = 0; i < relay.covers.size(); ++i) {
      const auto where = at + "/covers/" + std::to_string(i);
      const auto slash = relay.covers[i].find('/');
      const auto owner = relay.covers[i].substr(0, slash);
      const auto heater = relay.covers[i].substr(slash + 1);
      const auto* target = printer(owner);
      if (target == nullptr) {
        problems_.add(board_, where, "there is no printer " + owner + " in " + guard_.file());
      } else if (!has_heater(*target, heater)) {
        problems_.add(board_, where,
                      owner + " has no heater " + heater + "; its profile " + target->profile.name +
                          " has " + heaters_of(*target));
      } else if (target->relay != relay.name) {
        const auto said = target->relay.empty() ? "no relay" : "relay " + target->relay;
        problems_.add(
            board_, where,
            owner + " has " + said + " in " + guard_.file() + "; both files must say the same");
      }
    }
    if (!relay.heartbeat) {
      warn("relay " + relay.name +
           " is plain: it does not fail safe, and stays as it is when "
           "this host dies");
    } else if (relay.drop_line.empty()) {
      warn("relay " + relay.name + " has no drop line: it opens only " +
           std::to_string(relay.hold.count()) + " ms after the pulses end");
    }
    if (relay.feedback_line.empty()) {
      warn("relay " + relay.name + " has no feedback: a cut by it is never proven by it");
    }
  }

  void check_printer(std::size_t index) {
    const auto& printer = config_.printers[index];
    if (printer.relay.empty()) {
      warn("printer " + printer.name + " has no relay: it has no independent stop");
      return;
    }
    const auto& relays = config_.board.relays;
    const auto relay = std::find_if(relays.begin(), relays.end(),
                                    [&](const auto& item) { return item.name == printer.relay; });
    const auto at = "/printers/" + std::to_string(index) + "/relay";
    if (relay == relays.end()) {
      problems_.add(guard_, at, "the board " + board_.file() + " has no relay " + printer.relay);
      return;
    }
    bool any = false;
    for (const auto& heater : printer.profile.heaters) {
      const auto full = printer.name + "/" + heater.name;
      const bool covered =
          std::find(relay->covers.begin(), relay->covers.end(), full) != relay->covers.end();
      any |= covered;
      if (!covered) warn("heater " + full + " is covered by no relay: it has no independent stop");
    }
    if (!any) {
      problems_.add(guard_, at,
                    "relay " + relay->name + " covers no heater of " + printer.name +
                        "; name them in `covers` of " + board_.file());
    }
  }

  void check_sensors(const std::string& list, const std::vector<SensorConfig>& sensors) {
    std::set<std::string> sensed;
    for (std::size_t i = 0; i < sensors.size(); ++i) {
      check_sensor(list + std::to_string(i), sensors[i], sensed);
    }
  }

  void check_sensor(const std::string& at, const SensorConfig& sensor,
                    std::set<std::string>& sensed) {
    const auto* owner = printer(sensor.printer);
    if (owner == nullptr) {
      problems_.add(board_, at + "/printer",
                    "there is no printer " + sensor.printer + " in " + guard_.file());
    } else if (!has_heater(*owner, sensor.heater)) {
      problems_.add(board_, at + "/heater",
                    sensor.printer + " has no heater " + sensor.heater + "; its profile has " +
                        heaters_of(*owner));
    }
    if (!sensed.insert(sensor.printer + "/" + sensor.heater).second) {
      problems_.add(board_, at + "/heater", "another sensor is at this heater already");
    }
  }

  const config::Document& guard_;
  const config::Document& board_;
  GuardConfig& config_;
  Problems& problems_;
};

}  // namespace

void check_wiring(const config::Document& guard, const config::Document& board, GuardConfig& config,
                  Problems& problems) {
  Wiring(guard, board, config, problems).check();
}

}  // namespace firebreak::guard
