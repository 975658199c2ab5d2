#include "agent/guard/config/board_reader.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace firebreak::guard {
namespace {

using nlohmann::json;

std::string text(const json& value, const char* key) {
  return value.contains(key) ? value.at(key).get<std::string>() : std::string();
}

InputConfig read_input(const config::Document& document, const std::string& at, const json& value,
                       Problems& problems) {
  InputConfig input;
  input.name = text(value, "name");
  input.line = text(value, "line");
  input.smoke = text(value, "kind") == "smoke";
  if (!value.contains("zone")) return input;
  const auto& zone = value.at("zone");
  if (zone.is_string()) {
    if (zone.get<std::string>() != "all") {
      problems.add(document, at + "/zone", "must be all, or a list of printer names");
    }
    return input;
  }
  input.whole_host = false;
  for (const auto& name : zone) {
    if (name.is_string()) {
      input.zone.push_back(name.get<std::string>());
    } else {
      problems.add(document, at + "/zone", "a list of printer names, each a text");
    }
  }
  if (zone.empty()) problems.add(document, at + "/zone", "an empty zone would stop nothing");
  return input;
}

RelayConfig read_relay(const config::Document& document, const std::string& at, const json& value,
                       Problems& problems) {
  RelayConfig relay;
  relay.name = text(value, "name");
  relay.heartbeat = text(value, "kind") == "heartbeat";
  relay.line = text(value, relay.heartbeat ? "pulse_line" : "line");
  relay.drop_line = text(value, "drop_line");
  relay.feedback_line = text(value, "feedback_line");
  relay.rating = text(value, "rating");
  relay.covers = value.at("covers").get<std::vector<std::string>>();
  if (value.contains("hold_ms")) {
    relay.hold = std::chrono::milliseconds(value.at("hold_ms").get<int>());
  }
  const auto refuse = [&](const char* key, const char* why) {
    if (value.contains(key)) problems.add(document, at + "/" + key, why);
  };
  const auto demand = [&](const char* key, const char* why) {
    if (!value.contains(key)) problems.add(document, at, std::string(key) + " is missing: " + why);
  };
  if (relay.heartbeat) {
    refuse("line", "a heartbeat relay has a pulse_line; line is for kind plain");
    demand("pulse_line", "a heartbeat relay is held closed by pulses on it");
    demand("hold_ms", "for how long the relay holds without a pulse, 1000 to 2000");
  } else {
    refuse("pulse_line", "a plain relay has a line; pulse_line is for kind heartbeat");
    refuse("drop_line", "only a heartbeat relay has a drop line");
    refuse("hold_ms", "only a heartbeat relay has a hold time");
    demand("line", "the output that closes the relay while it is high");
  }
  return relay;
}

/// Every line and every name of a kind at most once.
class Once {
 public:
  Once(const config::Document& document, Problems& problems)
      : document_(document), problems_(problems) {}

  void name(const std::string& kind, const std::string& at, const std::string& name) {
    if (!names_.insert(kind + " " + name).second) {
      problems_.add(document_, at + "/name", "this board has two of the name " + name);
    }
  }
  void line(const std::string& at, const std::string& line) {
    if (line.empty()) return;
    const auto [place, first] = lines_.emplace(line, at);
    if (!first) {
      problems_.add(document_, at,
                    "line " + line + " is used already (file line " +
                        std::to_string(document_.line_of(place->second)) + ")");
    }
  }

 private:
  const config::Document& document_;
  Problems& problems_;
  std::set<std::string> names_;
  std::map<std::string, std::string> lines_;
};

void check_lines(const config::Document& document, const BoardConfig& board, Problems& problems) {
  Once once(document, problems);
  for (std::size_t i = 0; i < board.inputs.size(); ++i) {
    const auto at = "/inputs/" + std::to_string(i);
    once.name("input", at, board.inputs[i].name);
    once.line(at + "/line", board.inputs[i].line);
  }
  for (std::size_t i = 0; i < board.relays.size(); ++i) {
    const auto at = "/relays/" + std::to_string(i);
    const auto& relay = board.relays[i];
    once.name("relay", at, relay.name);
    once.line(at + (relay.heartbeat ? "/pulse_line" : "/line"), relay.line);
    once.line(at + "/drop_line", relay.drop_line);
    once.line(at + "/feedback_line", relay.feedback_line);
  }
  once.line("/alarm/line", board.alarm_line);
  for (std::size_t i = 0; i < board.sensors.size(); ++i) {
    const auto at = "/sensors/" + std::to_string(i);
    once.name("sensor", at, board.sensors[i].name);
    once.line(at + "/line", board.sensors[i].line);
  }
  for (std::size_t i = 0; i < board.currents.size(); ++i) {
    const auto at = "/currents/" + std::to_string(i);
    once.name("current sensor", at, board.currents[i].name);
    once.line(at + "/line", board.currents[i].line);
  }
}

}  // namespace

BoardConfig read_board(const config::Document& document, const std::filesystem::path& folder,
                       Problems& problems) {
  const auto& value = document.value();
  BoardConfig board;
  board.name = text(value, "name");
  board.kind = text(value, "kind");
  if (value.contains("socket")) {
    board.socket = (folder / text(value, "socket")).lexically_normal();
    // sun_path holds 107 bytes and the final NUL.
    if (board.socket.string().size() > 107) {
      problems.add(document, "/socket", "a socket's path has at most 107 bytes");
    }
  } else {
    problems.add(document, "", "socket is missing: kind sim needs the simulator's board socket");
  }
  const auto each = [&](const char* key, auto&& read) {
    if (!value.contains(key)) return;
    const auto& list = value.at(key);
    for (std::size_t i = 0; i < list.size(); ++i) {
      read("/" + std::string(key) + "/" + std::to_string(i), list[i]);
    }
  };
  each("inputs", [&](const std::string& at, const json& item) {
    board.inputs.push_back(read_input(document, at, item, problems));
  });
  each("relays", [&](const std::string& at, const json& item) {
    board.relays.push_back(read_relay(document, at, item, problems));
  });
  const auto each_sensor = [&](const char* key, std::vector<SensorConfig>& sensors) {
    each(key, [&](const std::string&, const json& item) {
      sensors.push_back(
          {text(item, "name"), text(item, "line"), text(item, "printer"), text(item, "heater")});
    });
  };
  each_sensor("sensors", board.sensors);
  each_sensor("currents", board.currents);
  if (value.contains("alarm")) board.alarm_line = text(value.at("alarm"), "line");
  check_lines(document, board, problems);
  return board;
}

}  // namespace firebreak::guard
