#include "tests/simulator/process/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <set>
#include <stdexcept>

namespace firebreak::sim {
namespace {

[[noreturn]] void fail(const YAML::Node& node, const std::string& text) {
  throw std::runtime_error(std::to_string(node.Mark().line + 1) + ": " + text);
}

// The keys of one map: each is taken once, what is left over at the end is refused.
class Section {
 public:
  Section(const YAML::Node& node, std::initializer_list<const char*> allowed) : node_(node) {
    if (!node.IsMap()) fail(node, "a map is expected here");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.as<std::string>();
      const bool known = std::any_of(allowed.begin(), allowed.end(),
                                     [&](const char* name) { return key == name; });
      if (!known) fail(entry.first, "unknown key '" + key + "'");
      if (!seen.insert(key).second) fail(entry.first, "key '" + key + "' twice");
    }
  }

  template <typename T>
  void get(const char* key, T* value) const {
    const YAML::Node entry = node_[key];
    if (!entry) return;
    try {
      *value = entry.as<T>();
    } catch (const YAML::Exception&) {
      fail(entry, std::string("wrong value for '") + key + "'");
    }
  }

  void get_milliseconds(const char* key, Nanos* value) const {
    double number = std::chrono::duration<double, std::milli>(*value).count();
    get(key, &number);
    if (number < 0) fail(node_[key], std::string("'") + key + "' is negative");
    *value = Nanos{static_cast<std::int64_t>(number * 1e6)};
  }

  std::string need(const char* key) const {
    std::string value;
    get(key, &value);
    if (value.empty()) fail(node_, std::string("'") + key + "' is missing");
    return value;
  }

  YAML::Node child(const char* key) const { return node_[key]; }
  const YAML::Node& node() const { return node_; }

 private:
  YAML::Node node_;
};

std::string resolve(const std::filesystem::path& folder, const std::string& path) {
  return path.empty() ? path : (folder / path).lexically_normal().string();
}

void read_body(const YAML::Node& node, HeaterBody* body) {
  if (!node) return;
  const Section section(
      node, {"full_watts", "element_joules_per_kelvin", "body_joules_per_kelvin",
             "coupling_watts_per_kelvin", "loss_watts_per_kelvin", "loss_exponent",
             "fan_loss_fraction", "sensor_lag_seconds", "noise_celsius", "quantum_celsius"});
  section.get("full_watts", &body->full_watts);
  section.get("element_joules_per_kelvin", &body->element_joules_per_kelvin);
  section.get("body_joules_per_kelvin", &body->body_joules_per_kelvin);
  section.get("coupling_watts_per_kelvin", &body->coupling_watts_per_kelvin);
  section.get("loss_watts_per_kelvin", &body->loss_watts_per_kelvin);
  section.get("loss_exponent", &body->loss_exponent);
  section.get("fan_loss_fraction", &body->fan_loss_fraction);
  section.get("sensor_lag_seconds", &body->sensor_lag_seconds);
  section.get("noise_celsius", &body->noise_celsius);
  section.get("quantum_celsius", &body->quantum_celsius);
  if (body->element_joules_per_kelvin <= 0 || body->body_joules_per_kelvin <= 0) {
    fail(node, "heat capacities must be above 0");
  }
}

// Takes one of two words.
template <typename T>
void get_choice(const Section& section, const char* key, const char* first, T first_value,
                const char* second, T second_value, T* value) {
  std::string word;
  section.get(key, &word);
  if (word.empty()) return;
  if (word != first && word != second) {
    fail(section.child(key), std::string("'") + key + "' must be " + first + " or " + second);
  }
  *value = word == first ? first_value : second_value;
}

void read_dialect(const YAML::Node& node, Dialect* dialect) {
  if (!node) return;
  const Section section(node, {"firmware_name",
                               "version_line",
                               "machine_type",
                               "uuid",
                               "lines_before_start",
                               "emergency_parser",
                               "emergency_bytes",
                               "thermal_protection",
                               "sdcard",
                               "homing_fails",
                               "ring_bytes",
                               "full_input",
                               "motion_slowness",
                               "queue_lines",
                               "line_bytes",
                               "block_moves",
                               "baud",
                               "boot_ms",
                               "homing_ms",
                               "leveling_ms",
                               "hotend_sensor",
                               "hotend_min_celsius",
                               "hotend_max_celsius",
                               "bed_min_celsius",
                               "bed_max_celsius",
                               "bed_control"});
  section.get("firmware_name", &dialect->firmware_name);
  section.get("version_line", &dialect->version_line);
  section.get("machine_type", &dialect->machine_type);
  section.get("uuid", &dialect->uuid);
  section.get("lines_before_start", &dialect->lines_before_start);
  section.get("emergency_parser", &dialect->emergency_parser);
  section.get("emergency_bytes", &dialect->emergency_bytes);
  if (dialect->emergency_bytes) dialect->emergency_parser = false;
  section.get("thermal_protection", &dialect->thermal_protection);
  section.get("sdcard", &dialect->sdcard);
  section.get("homing_fails", &dialect->homing_fails);
  section.get("ring_bytes", &dialect->ring_bytes);
  section.get("queue_lines", &dialect->queue_lines);
  section.get("line_bytes", &dialect->line_bytes);
  section.get("block_moves", &dialect->block_moves);
  section.get("baud", &dialect->baud);
  section.get("motion_slowness", &dialect->motion_slowness);
  section.get_milliseconds("boot_ms", &dialect->boot_time);
  section.get_milliseconds("homing_ms", &dialect->homing_time);
  section.get_milliseconds("leveling_ms", &dialect->leveling_time);
  section.get("hotend_min_celsius", &dialect->hotend_min_celsius);
  section.get("hotend_max_celsius", &dialect->hotend_max_celsius);
  section.get("bed_min_celsius", &dialect->bed_min_celsius);
  section.get("bed_max_celsius", &dialect->bed_max_celsius);
  get_choice(section, "full_input", "wait", FullInput::wait, "drop", FullInput::drop,
             &dialect->full_input);
  get_choice(section, "hotend_sensor", "thermistor", SensorKind::thermistor, "ad595",
             SensorKind::ad595, &dialect->hotend_sensor);
  get_choice(section, "bed_control", "bang_bang", BedControl::bang_bang, "pid", BedControl::pid,
             &dialect->bed_control);
  if (dialect->queue_lines < 1 || dialect->block_moves < 2 || dialect->line_bytes < 8 ||
      dialect->ring_bytes < 1) {
    fail(node, "queue_lines >= 1, block_moves >= 2, line_bytes >= 8, ring_bytes >= 1");
  }
}

RelayConfig read_relay(const YAML::Node& node) {
  const Section section(node, {"name", "kind", "line", "pulse_line", "drop_line", "feedback_line",
                               "hold_ms", "close_ms", "open_ms"});
  RelayConfig relay;
  relay.name = section.need("name");
  get_choice(section, "kind", "plain", RelayKind::plain, "heartbeat", RelayKind::heartbeat,
             &relay.kind);
  relay.line = section.need(relay.kind == RelayKind::plain ? "line" : "pulse_line");
  section.get("drop_line", &relay.drop_line);
  section.get("feedback_line", &relay.feedback_line);
  section.get_milliseconds("hold_ms", &relay.hold);
  section.get_milliseconds("close_ms", &relay.close_time);
  section.get_milliseconds("open_ms", &relay.open_time);
  return relay;
}

SensorConfig read_sensor(const YAML::Node& entry, bool current) {
  const Section sensor(entry, {"name", "line", "printer", "heater", "volts"});
  if (!current && sensor.child("volts")) fail(entry, "only a current has volts");
  SensorConfig config;
  config.name = sensor.need("name");
  config.line = sensor.need("line");
  config.printer = sensor.need("printer");
  config.heater = "hotend";
  config.current = current;
  sensor.get("heater", &config.heater);
  sensor.get("volts", &config.volts);
  if (config.heater != "hotend" && config.heater != "bed") {
    fail(entry, "'heater' must be hotend or bed");
  }
  return config;
}

BoardConfig read_board(const YAML::Node& node, const std::filesystem::path& folder) {
  const Section section(node,
                        {"name", "socket", "buttons", "relays", "sensors", "currents", "alarm"});
  BoardConfig board;
  section.get("name", &board.name);
  board.socket = resolve(folder, section.need("socket"));
  for (const YAML::Node& entry : section.child("buttons")) {
    const Section button(entry, {"name", "line"});
    board.buttons.push_back({button.need("name"), button.need("line")});
  }
  for (const YAML::Node& entry : section.child("relays")) {
    board.relays.push_back(read_relay(entry));
  }
  for (const YAML::Node& entry : section.child("sensors")) {
    board.sensors.push_back(read_sensor(entry, false));
  }
  for (const YAML::Node& entry : section.child("currents")) {
    board.sensors.push_back(read_sensor(entry, true));
  }
  if (section.child("alarm")) {
    board.alarm_line = Section(section.child("alarm"), {"line"}).need("line");
  }
  return board;
}

void read_covers(const Section& section, PrinterSetup* setup) {
  if (!section.child("covers")) return;
  setup->covers_hotend = setup->covers_bed = false;
  for (const YAML::Node& entry : section.child("covers")) {
    const std::string name = entry.as<std::string>();
    if (name == "hotend")
      setup->covers_hotend = true;
    else if (name == "bed")
      setup->covers_bed = true;
    else
      fail(entry, "'covers' lists hotend and bed");
  }
}

void read_verify_heater(const YAML::Node& node, VerifyHeaterConfig* config) {
  if (!node) return;
  const Section section(node, {"hysteresis", "max_error", "heating_gain", "check_gain_seconds"});
  section.get("hysteresis", &config->hysteresis);
  section.get("max_error", &config->max_error);
  section.get("heating_gain", &config->heating_gain);
  section.get("check_gain_seconds", &config->check_gain_seconds);
}

void read_kind(const Section& section, const std::filesystem::path& folder, PrinterSetup* setup) {
  KindSetup& kind = setup->kind;
  section.get("kind", &kind.kind);
  if (!kind_exists(kind.kind)) fail(section.child("kind"), "no kind '" + kind.kind + "'");
  if (kind.kind == "marlin") setup->port = resolve(folder, section.need("port"));
  section.get("socket", &kind.socket);
  kind.socket = resolve(folder, kind.socket);
  section.get("listen", &kind.listen);
  section.get("api_key", &kind.api_key);
  section.get("user", &kind.user);
  section.get("password", &kind.password);
  section.get("access_code", &kind.access_code);
  section.get("serial", &kind.serial);
  kind.host_name = setup->printer.name;
  section.get("host_name", &kind.host_name);
  section.get("developer_mode", &kind.developer_mode);
  section.get("config_error", &kind.config_error);
  read_verify_heater(section.child("verify_heater"), &kind.verify_heater);
}

PrinterSetup read_printer(const YAML::Node& node, const std::filesystem::path& folder,
                          const SimConfig& config, std::uint64_t seed) {
  const Section section(node, {"name",         "port",         "board",
                               "relay",        "covers",       "board_powered_by_relay",
                               "dtr_resets",   "open_resets",  "dialect",
                               "hotend",       "bed",          "ambient_celsius",
                               "seed",         "record",       "kind",
                               "socket",       "listen",       "api_key",
                               "user",         "password",     "access_code",
                               "serial",       "host_name",    "developer_mode",
                               "config_error", "verify_heater"});
  PrinterSetup setup;
  setup.printer.name = section.need("name");
  setup.printer.seed = seed;
  read_kind(section, folder, &setup);
  std::string record;
  section.get("record", &record);
  if (!record.empty()) setup.record = resolve(folder, record);
  section.get("relay", &setup.relay);
  if (!config.boards.empty()) setup.board = config.boards.front().name;
  section.get("board", &setup.board);
  section.get("board_powered_by_relay", &setup.board_powered_by_relay);
  section.get("dtr_resets", &setup.dtr_resets);
  section.get("open_resets", &setup.open_resets);
  section.get("ambient_celsius", &setup.printer.ambient_celsius);
  section.get("seed", &setup.printer.seed);
  read_covers(section, &setup);
  read_dialect(section.child("dialect"), &setup.printer.dialect);
  adapt_dialect(setup.kind, &setup.printer.dialect);
  read_body(section.child("hotend"), &setup.printer.hotend);
  read_body(section.child("bed"), &setup.printer.bed);
  if (setup.relay.empty()) return setup;
  for (const BoardConfig& board : config.boards) {
    if (board.name != setup.board) continue;
    for (const RelayConfig& relay : board.relays) {
      if (relay.name == setup.relay) return setup;
    }
  }
  fail(node, "no relay '" + setup.relay + "' on board '" + setup.board + "'");
}

SimConfig read_all(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  const Section section(YAML::LoadFile(path), {"control", "journal", "journal_pulses", "seed",
                                               "board", "boards", "printers"});
  SimConfig config;
  config.control = resolve(folder, section.need("control"));
  std::string journal;
  section.get("journal", &journal);
  config.journal = resolve(folder, journal);
  section.get("journal_pulses", &config.journal_pulses);
  std::uint64_t seed = 1;
  section.get("seed", &seed);
  if (section.child("board")) config.boards.push_back(read_board(section.child("board"), folder));
  for (const YAML::Node& node : section.child("boards")) {
    config.boards.push_back(read_board(node, folder));
  }
  for (const YAML::Node& node : section.child("printers")) {
    const std::uint64_t own_seed = seed * 1000003 + config.printers.size();
    config.printers.push_back(read_printer(node, folder, config, own_seed));
  }
  return config;
}

}  // namespace

std::optional<SimConfig> load_config(const std::string& path, std::string* error) {
  try {
    return read_all(path);
  } catch (const YAML::BadFile&) {
    *error = path + ": cannot be read";
  } catch (const YAML::ParserException& problem) {
    *error = path + ":" + std::to_string(problem.mark.line + 1) + ": " + problem.msg;
  } catch (const std::exception& problem) {
    *error = path + ":" + problem.what();
  }
  return std::nullopt;
}

}  // namespace firebreak::sim
