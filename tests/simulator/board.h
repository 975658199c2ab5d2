// The wiring beside the printers: lines, relays, contacts, buttons, alarm. No clock of its own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulator/dialect.h"

namespace firebreak::sim {

enum class RelayKind { plain, heartbeat };

struct RelayConfig {
  std::string name;
  RelayKind kind = RelayKind::plain;
  std::string line;           // plain: coil. heartbeat: pulses
  std::string drop_line;      // heartbeat only; may be empty
  std::string feedback_line;  // may be empty
  Nanos hold = std::chrono::milliseconds(1500);
  Nanos close_time = std::chrono::milliseconds(8);  // of the contact, after the coil
  Nanos open_time = std::chrono::milliseconds(4);
};

struct ButtonConfig {
  std::string name;
  std::string line;
};

struct SensorConfig {
  std::string name;
  std::string line;
  std::string printer;
  std::string heater;
  bool current = false;  // amps in the heater's wire, else the temperature of its body
  double volts = 24;     // of the supply, for a current
};

struct BoardConfig {
  std::string name = "board";
  std::string socket;
  std::vector<ButtonConfig> buttons;
  std::vector<RelayConfig> relays;
  std::vector<SensorConfig> sensors;
  std::string alarm_line;
};

// A change on the board, for the journal and for whoever has claimed the line.
struct BoardFact {
  enum class Kind { line, relay, alarm, button };
  Kind kind;
  std::string name;
  bool level;  // line level; relay closed; alarm on; button pressed
  Nanos due;   // when it was to happen; the caller may notice a little later
};

// Lines and relays. Outputs keep their level when their owner goes away, as many kernels do.
class Board {
 public:
  explicit Board(const BoardConfig& config);

  const BoardConfig& config() const { return config_; }
  bool has_line(const std::string& line) const { return lines_.count(line) > 0; }
  bool level(const std::string& line) const { return lines_.at(line); }
  bool is_sensor(const std::string& line) const;
  bool is_input(const std::string& line) const;
  bool is_pulse(const std::string& line) const;  // of a heartbeat relay

  // An output changes by its owner. `pulse` is false for the level given at a claim, which is no
  // heartbeat.
  void set_output(const std::string& line, bool level, bool pulse, Nanos now);
  // Pressing opens the contact (level 0), as does a cut wire; releasing does not mend a wire.
  bool press(const std::string& button, bool pressed, Nanos now);
  bool cut_wire(const std::string& button, bool cut, Nanos now);
  // A welded contact does not open again (an open one welds when it closes); a stuck one does not
  // close. Feedback may lie.
  bool weld(const std::string& relay, bool on, Nanos now);
  bool stick_open(const std::string& relay, bool on, Nanos now);
  bool force_feedback(const std::string& relay, std::optional<bool> level, Nanos now);

  void advance(Nanos now);
  std::optional<Nanos> next_event() const;
  bool relay_closed(const std::string& relay) const;
  bool has_relay(const std::string& relay) const;
  bool alarm_on() const;
  std::vector<BoardFact> take_facts();

  struct RelayView {
    std::string name;
    RelayKind kind;
    bool coil;
    bool closed;
    bool welded;
    bool stuck_open;
    std::optional<bool> feedback;
    std::optional<Nanos> last_pulse;
  };
  std::vector<RelayView> relays() const;
  struct ButtonView {
    std::string name;
    std::string line;
    bool pressed;
    bool cut;
  };
  std::vector<ButtonView> buttons() const;

 private:
  struct Relay {
    RelayConfig config;
    bool coil = false;
    bool closed = false;
    bool welded = false;
    bool stuck_open = false;
    std::optional<bool> forced_feedback;
    std::optional<Nanos> last_pulse;
    std::optional<Nanos> move_at;  // when the contact follows the coil
  };
  struct Button {
    ButtonConfig config;
    bool pressed = false;
    bool cut = false;
  };

  void set_line(const std::string& line, bool level, Nanos due);
  void update_relay(Relay& relay, Nanos now);
  void update_button(const Button& button, Nanos now);
  bool coil_wanted(const Relay& relay, Nanos now) const;
  bool contact_goal(const Relay& relay) const;
  Relay* find_relay(const std::string& name);
  Button* find_button(const std::string& name_or_line);

  BoardConfig config_;
  std::map<std::string, bool> lines_;
  std::vector<Relay> relays_;
  std::vector<Button> buttons_;
  std::vector<BoardFact> facts_;
};

}  // namespace firebreak::sim
