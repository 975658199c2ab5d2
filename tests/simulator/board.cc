#include "tests/simulator/board.h"

#include <algorithm>
#include <utility>

namespace firebreak::sim {

Board::Board(const BoardConfig& config) : config_(config) {
  for (const ButtonConfig& button : config.buttons) {
    buttons_.push_back({button, false, false});
    lines_[button.line] = true;  // normally closed: current flows
  }
  for (const RelayConfig& relay : config.relays) {
    Relay entry;
    entry.config = relay;
    relays_.push_back(entry);
    for (const std::string& line : {relay.line, relay.drop_line, relay.feedback_line}) {
      if (!line.empty()) lines_[line] = false;
    }
  }
  for (const SensorConfig& sensor : config.sensors) lines_[sensor.line] = false;
  if (!config.alarm_line.empty()) lines_[config.alarm_line] = false;
}

bool Board::is_sensor(const std::string& line) const {
  return std::any_of(config_.sensors.begin(), config_.sensors.end(),
                     [&](const SensorConfig& sensor) { return sensor.line == line; });
}

bool Board::is_input(const std::string& line) const {
  const auto feeds_back = [&](const RelayConfig& relay) { return relay.feedback_line == line; };
  const auto is_button = [&](const ButtonConfig& button) { return button.line == line; };
  return is_sensor(line) || std::any_of(config_.relays.begin(), config_.relays.end(), feeds_back) ||
         std::any_of(config_.buttons.begin(), config_.buttons.end(), is_button);
}

bool Board::is_pulse(const std::string& line) const {
  return std::any_of(config_.relays.begin(), config_.relays.end(), [&](const RelayConfig& relay) {
    return relay.kind == RelayKind::heartbeat && relay.line == line;
  });
}

void Board::set_line(const std::string& line, bool level, Nanos due) {
  const auto entry = lines_.find(line);
  if (entry == lines_.end() || entry->second == level) return;
  entry->second = level;
  facts_.push_back({BoardFact::Kind::line, line, level, due});
  if (line == config_.alarm_line) facts_.push_back({BoardFact::Kind::alarm, line, level, due});
}

void Board::set_output(const std::string& line, bool level, bool pulse, Nanos now) {
  const auto entry = lines_.find(line);
  if (entry == lines_.end()) return;
  const bool edge = entry->second != level;
  set_line(line, level, now);
  for (Relay& relay : relays_) {
    const bool pulsed = relay.config.kind == RelayKind::heartbeat && relay.config.line == line;
    if (pulsed && edge && pulse) relay.last_pulse = now;
    update_relay(relay, now);
  }
}

bool Board::coil_wanted(const Relay& relay, Nanos now) const {
  const RelayConfig& config = relay.config;
  if (config.kind == RelayKind::plain) return lines_.at(config.line);
  if (!config.drop_line.empty() && !lines_.at(config.drop_line)) return false;
  return relay.last_pulse && now < *relay.last_pulse + config.hold;
}

bool Board::contact_goal(const Relay& relay) const {
  return (relay.welded && relay.closed) || (relay.coil && !relay.stuck_open);
}

void Board::update_relay(Relay& relay, Nanos now) {
  const bool coil = coil_wanted(relay, now);
  const bool timed_out = relay.config.kind == RelayKind::heartbeat && relay.last_pulse && !coil &&
                         relay.coil && now >= *relay.last_pulse + relay.config.hold;
  const Nanos since = timed_out ? *relay.last_pulse + relay.config.hold : now;
  relay.coil = coil;
  const bool goal = contact_goal(relay);
  if (goal == relay.closed) {
    relay.move_at.reset();
  } else if (!relay.move_at) {
    relay.move_at = since + (goal ? relay.config.close_time : relay.config.open_time);
  }
  if (relay.move_at && *relay.move_at <= now) {
    relay.closed = goal;
    facts_.push_back({BoardFact::Kind::relay, relay.config.name, goal, *relay.move_at});
    relay.move_at.reset();
  }
  if (relay.config.feedback_line.empty()) return;
  set_line(relay.config.feedback_line, relay.forced_feedback.value_or(relay.closed), now);
}

void Board::advance(Nanos now) {
  for (Relay& relay : relays_) update_relay(relay, now);
}

std::optional<Nanos> Board::next_event() const {
  std::optional<Nanos> next;
  const auto add = [&next](Nanos time) {
    if (!next || time < *next) next = time;
  };
  for (const Relay& relay : relays_) {
    if (relay.move_at) add(*relay.move_at);
    if (relay.coil && relay.last_pulse) add(*relay.last_pulse + relay.config.hold);
  }
  return next;
}

void Board::update_button(const Button& button, Nanos now) {
  set_line(button.config.line, !button.pressed && !button.cut, now);
}

bool Board::press(const std::string& name, bool pressed, Nanos now) {
  Button* button = find_button(name);
  if (button == nullptr) return false;
  const bool changed = button->pressed != pressed;
  button->pressed = pressed;
  update_button(*button, now);  // the edge goes out first
  if (changed) facts_.push_back({BoardFact::Kind::button, button->config.name, pressed, now});
  return true;
}

bool Board::cut_wire(const std::string& name, bool cut, Nanos now) {
  Button* button = find_button(name);
  if (button == nullptr) return false;
  button->cut = cut;
  update_button(*button, now);
  return true;
}

bool Board::weld(const std::string& name, bool on, Nanos now) {
  Relay* relay = find_relay(name);
  if (relay == nullptr) return false;
  relay->welded = on;
  update_relay(*relay, now);
  return true;
}

bool Board::stick_open(const std::string& name, bool on, Nanos now) {
  Relay* relay = find_relay(name);
  if (relay == nullptr) return false;
  relay->stuck_open = on;
  update_relay(*relay, now);
  return true;
}

bool Board::force_feedback(const std::string& name, std::optional<bool> level, Nanos now) {
  Relay* relay = find_relay(name);
  if (relay == nullptr || relay->config.feedback_line.empty()) return false;
  relay->forced_feedback = level;
  update_relay(*relay, now);
  return true;
}

Board::Relay* Board::find_relay(const std::string& name) {
  const auto found = std::find_if(relays_.begin(), relays_.end(),
                                  [&](const Relay& relay) { return relay.config.name == name; });
  return found == relays_.end() ? nullptr : &*found;
}

Board::Button* Board::find_button(const std::string& name) {
  const auto found = std::find_if(buttons_.begin(), buttons_.end(), [&](const Button& button) {
    return button.config.name == name || button.config.line == name;
  });
  return found == buttons_.end() ? nullptr : &*found;
}

bool Board::has_relay(const std::string& name) const {
  return const_cast<Board*>(this)->find_relay(name) != nullptr;
}

bool Board::relay_closed(const std::string& name) const {
  const Relay* relay = const_cast<Board*>(this)->find_relay(name);
  return relay != nullptr && relay->closed;
}

bool Board::alarm_on() const {
  return !config_.alarm_line.empty() && lines_.at(config_.alarm_line);
}

std::vector<BoardFact> Board::take_facts() { return std::exchange(facts_, {}); }

std::vector<Board::RelayView> Board::relays() const {
  std::vector<RelayView> views;
  for (const Relay& relay : relays_) {
    std::optional<bool> feedback;
    if (!relay.config.feedback_line.empty()) feedback = lines_.at(relay.config.feedback_line);
    views.push_back({relay.config.name, relay.config.kind, relay.coil, relay.closed, relay.welded,
                     relay.stuck_open, feedback, relay.last_pulse});
  }
  return views;
}

std::vector<Board::ButtonView> Board::buttons() const {
  std::vector<ButtonView> views;
  for (const Button& button : buttons_) {
    views.push_back({button.config.name, button.config.line, button.pressed, button.cut});
  }
  return views;
}

}  // namespace firebreak::sim
