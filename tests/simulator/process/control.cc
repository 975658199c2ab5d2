#include "tests/simulator/process/control.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/simulator/process/world.h"

namespace firebreak::sim {
namespace {

using nlohmann::json;

// A request that cannot be carried out; the text goes to the caller.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string text(const json& request, const char* key, const std::string& fallback = "") {
  return request.contains(key) ? request.at(key).get<std::string>() : fallback;
}

bool flag(const json& request, const char* key, bool fallback) {
  return request.contains(key) ? request.at(key).get<bool>() : fallback;
}

PrinterUnit& need_printer(World& world, const json& request) {
  PrinterUnit* unit = world.printer(text(request, "printer"));
  if (unit == nullptr) throw Refusal("no printer '" + text(request, "printer") + "'");
  return *unit;
}

BoardUnit& need_board(World& world, const json& request) {
  BoardUnit* unit = world.board(text(request, "board"));
  if (unit == nullptr) throw Refusal("no board '" + text(request, "board") + "'");
  return *unit;
}

HeaterId need_heater(const json& request) {
  const std::string name = text(request, "heater", "hotend");
  if (name != "hotend" && name != "bed") throw Refusal("heater must be hotend or bed");
  return name == "bed" ? HeaterId::bed : HeaterId::hotend;
}

json heater_state(const Printer& printer, HeaterId id) {
  const HeaterTruth truth = printer.truth(id);
  return {{"name", heater_name(id)},
          {"true_celsius", truth.body_celsius},
          {"element_celsius", truth.element_celsius},
          {"reading_celsius", truth.reading_celsius},
          {"target_celsius", truth.target_celsius},
          {"duty", truth.duty},
          {"watts", truth.watts},
          {"powered", printer.heater_power(id)}};
}

const char* state_name(const Firmware& firmware) {
  if (firmware.hung()) return "hung";
  switch (firmware.state()) {
    case FirmwareState::off: return "off";
    case FirmwareState::booting: return "booting";
    case FirmwareState::running: return "running";
    case FirmwareState::halted: return "halted";
  }
  return "off";
}

json printer_state(const PrinterUnit& unit) {
  const Firmware& firmware = unit.printer.firmware();
  json state = {{"name", unit.printer.config().name},
                {"port", unit.port.link()},
                {"device", unit.port.plugged() ? json(unit.port.device()) : json(nullptr)},
                {"plugged", unit.port.plugged()},
                {"firmware", state_name(firmware)},
                {"halt_reason", firmware.halt_reason()},
                {"board_powered", unit.printer.board_power()},
                {"queued_lines", firmware.queued_lines()},
                {"moving", firmware.moving()},
                {"fan", firmware.fan()},
                {"bytes_read", unit.bytes_read},
                {"bytes_unread", unit.port.unread()},
                {"bytes_dropped", firmware.dropped()},
                {"m112_seen", unit.halts_seen},
                {"open_by_hosts", unit.open_by_hosts},
                {"opens", unit.opens}};
  if (unit.kind) state.update(unit.kind->state());
  state["heaters"] = json::array();
  for (const HeaterId id : kHeaters) state["heaters"].push_back(heater_state(unit.printer, id));
  return state;
}

json board_state(const BoardUnit& unit) {
  json state = {{"name", unit.board.config().name}, {"alarm", unit.board.alarm_on()}};
  state["relays"] = json::array();
  for (const Board::RelayView& relay : unit.board.relays()) {
    json entry = {{"name", relay.name},
                  {"kind", relay.kind == RelayKind::plain ? "plain" : "heartbeat"},
                  {"coil", relay.coil},
                  {"closed", relay.closed},
                  {"welded", relay.welded},
                  {"stuck_open", relay.stuck_open},
                  {"feedback", relay.feedback ? json(*relay.feedback) : json(nullptr)}};
    entry["last_pulse_ns"] = relay.last_pulse ? json(relay.last_pulse->count()) : json(nullptr);
    state["relays"].push_back(entry);
  }
  state["buttons"] = json::array();
  for (const Board::ButtonView& button : unit.board.buttons()) {
    state["buttons"].push_back({{"name", button.name},
                                {"line", button.line},
                                {"pressed", button.pressed},
                                {"cut", button.cut}});
  }
  return state;
}

json do_state(World& world, const json& request) {
  if (request.contains("printer")) return printer_state(need_printer(world, request));
  json answer;
  answer["printers"] = json::array();
  for (const auto& unit : world.printers()) answer["printers"].push_back(printer_state(*unit));
  answer["boards"] = json::array();
  for (const auto& unit : world.boards()) answer["boards"].push_back(board_state(*unit));
  return answer;
}

json do_fault(World& world, const json& request) {
  PrinterUnit& unit = need_printer(world, request);
  const std::string name = text(request, "fault");
  const bool on = flag(request, "on", true);
  const double value = request.contains("value") ? request.at("value").get<double>() : 1;
  if (unit.kind && unit.kind->set_fault(name, on, value)) {
    world.tick();
  } else if (unit.kind && (name == "not_reading" || name == "unplugged" || name == "junk")) {
    throw Refusal("fault '" + name + "' is of a serial port");
  } else if (name == "not_reading") {
    unit.reading = !on;
  } else if (name == "unplugged") {
    on ? world.unplug(unit) : world.plug(unit);
  } else if (const auto fault = fault_by_name(name)) {
    unit.printer.set_fault(*fault, on, need_heater(request), value);
  } else {
    throw Refusal("no fault '" + name + "'");
  }
  json record = {{"printer", unit.printer.config().name}, {"fault", name}, {"on", on}};
  if (request.contains("value")) record["value"] = value;
  if (request.contains("heater")) record["heater"] = request.at("heater");
  world.journal().write(monotonic_ns(), "fault", record);
  return json::object();
}

json do_press(World& world, const json& request, bool pressed) {
  const std::string name = text(request, "button");
  const std::int64_t now = monotonic_ns();
  for (const auto& unit : world.boards()) {
    const std::string board = text(request, "board", unit->board.config().name);
    if (board != unit->board.config().name) continue;
    if (unit->board.press(name, pressed, Nanos{now})) return {{"pressed_ns", now}};
  }
  throw Refusal("no button '" + name + "'");
}

json do_cut_wire(World& world, const json& request) {
  BoardUnit& unit = need_board(world, request);
  const std::string name = text(request, "button");
  const std::int64_t now = monotonic_ns();
  if (!unit.board.cut_wire(name, flag(request, "on", true), Nanos{now})) {
    throw Refusal("no button '" + name + "'");
  }
  return {{"cut_ns", now}};
}

json do_relay(World& world, const json& request) {
  BoardUnit& unit = need_board(world, request);
  const std::string name = text(request, "relay");
  const Nanos now{monotonic_ns()};
  if (!unit.board.has_relay(name)) throw Refusal("no relay '" + name + "'");
  if (request.contains("welded")) unit.board.weld(name, request.at("welded").get<bool>(), now);
  if (request.contains("stuck_open")) {
    unit.board.stick_open(name, request.at("stuck_open").get<bool>(), now);
  }
  if (request.contains("feedback")) {
    std::optional<bool> level;
    if (!request.at("feedback").is_null()) {
      const std::string word = request.at("feedback").get<std::string>();
      if (word != "open" && word != "closed") throw Refusal("feedback is open, closed or null");
      level = word == "closed";
    }
    if (!unit.board.force_feedback(name, level, now)) throw Refusal("relay has no feedback line");
  }
  json record = request;
  record.erase("do");
  world.journal().write(now.count(), "relay_fault", record);
  return json::object();
}

json do_temperatures(World& world, const json& request) {
  const double celsius = request.at("celsius").get<double>();
  if (text(request, "do") == "set_temperature") {
    need_printer(world, request).printer.set_temperature(need_heater(request), celsius);
    return json::object();
  }
  if (request.contains("printer")) {
    need_printer(world, request).printer.set_ambient(celsius);
    return json::object();
  }
  for (const auto& unit : world.printers()) unit->printer.set_ambient(celsius);
  return json::object();
}

json do_sensor(World& world, const json& request) {
  BoardUnit& unit = need_board(world, request);
  const std::string name = text(request, "sensor");
  const auto found = unit.sensors.find(name);
  if (found == unit.sensors.end()) throw Refusal("no sensor '" + name + "'");
  found->second.dead = flag(request, "dead", false);
  found->second.forced.reset();
  for (const char* value : {"celsius", "amps"}) {
    if (request.contains(value) && !request.at(value).is_null()) {
      found->second.forced = request.at(value).get<double>();
    }
  }
  return json::object();
}

json do_port(World& world, const json& request, bool plug) {
  PrinterUnit& unit = need_printer(world, request);
  plug ? world.plug(unit) : world.unplug(unit);
  return json::object();
}

json do_print(World& world, const json& request) {
  PrinterUnit& unit = need_printer(world, request);
  if (!unit.kind) throw Refusal("a printer of kind marlin has no store to print from");
  const std::string name = text(request, "name", "part.gcode");
  if (!unit.kind->print(name, text(request, "gcode"))) throw Refusal("it cannot print now");
  return json::object();
}

json do_mark(World& world, const json& request) {
  const std::int64_t now = monotonic_ns();
  world.journal().write(now, "mark", {{"text", text(request, "text")}});
  return {{"ns", now}};
}

json dispatch(World& world, const json& request) {
  const std::string verb = text(request, "do");
  if (verb == "state") return do_state(world, request);
  if (verb == "fault") return do_fault(world, request);
  if (verb == "press") return do_press(world, request, true);
  if (verb == "release") return do_press(world, request, false);
  if (verb == "cut_wire") return do_cut_wire(world, request);
  if (verb == "relay") return do_relay(world, request);
  if (verb == "unplug") return do_port(world, request, false);
  if (verb == "replug") return do_port(world, request, true);
  if (verb == "set_temperature" || verb == "set_ambient") return do_temperatures(world, request);
  if (verb == "sensor") return do_sensor(world, request);
  if (verb == "print") return do_print(world, request);
  if (verb == "mark") return do_mark(world, request);
  if (verb == "alarm") return {{"on", need_board(world, request).board.alarm_on()}};
  if (verb == "reset") {
    world.reset(need_printer(world, request));
    return json::object();
  }
  if (verb == "quit") {
    world.stop();
    return json::object();
  }
  throw Refusal("no verb '" + verb + "'");
}

}  // namespace

std::string control_answer(World& world, const std::string& line) {
  json answer;
  json request;
  try {
    request = json::parse(line);
    world.tick();
    answer = dispatch(world, request);
    answer["ok"] = true;
  } catch (const std::exception& problem) {
    answer = {{"ok", false}, {"message", problem.what()}};
  }
  if (request.is_object() && request.contains("id")) answer["id"] = request["id"];
  return answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace firebreak::sim
