// A whole simulated printer on virtual time: firmware, heaters, sensors, power, faults.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulator/dialect.h"
#include "tests/simulator/firmware.h"
#include "tests/simulator/plant.h"

namespace firebreak::sim {

enum class HeaterId { hotend, bed };
inline constexpr HeaterId kHeaters[] = {HeaterId::hotend, HeaterId::bed};
const char* heater_name(HeaterId heater);

// What goes wrong; each may be switched at any time. Those that name a heater act on one heater.
enum class Fault {
  heater_on,    // the switch is welded: at least `value` (0..1) of full power, whatever is wanted
  heater_open,  // no current, whatever is wanted
  sensor_out,
  sensor_frozen,
  sensor_open,
  sensor_short,
  sensor_forced,    // reads `value`
  sensors_swapped,  // plugs mixed up: each heater is told the other's temperature
  hung,             // the firmware stands still; heaters keep their last duty
  protection_off,   // no protection of the firmware's own acts, MAXTEMP included
  halt_ignored,     // M112 does nothing
  junk              // random bytes towards the host, `value` of them a second
};
std::optional<Fault> fault_by_name(std::string_view name);
bool fault_names_heater(Fault fault);

// Something that happened inside, with its virtual time.
struct Fact {
  Nanos at;
  std::string kind;    // "heat", "halted", "boot", "off"
  std::string heater;  // of "heat"
  double watts = 0;    // of "heat"
  std::string text;    // of "halted": the reason
};

struct HeaterTruth {
  double element_celsius;
  double body_celsius;
  double reading_celsius;
  double target_celsius;
  int duty;      // 0..127, what the firmware wants
  double watts;  // what the element gets
};

// Not thread-safe. Deterministic: the same calls with the same seed give the same bytes.
class Printer {
 public:
  // Starts powered, at room temperature, in its boot loader.
  explicit Printer(const PrinterConfig& config);

  const PrinterConfig& config() const { return config_; }
  Nanos now() const { return now_; }
  void advance(Nanos duration);
  // The next time at which anything changes by itself; a caller in real time may sleep until then.
  Nanos next_event() const;

  void receive(std::string_view bytes);
  // Bytes that receive() should be given at most now; 0 makes the host wait.
  std::size_t input_room() const { return firmware_.input_room(); }
  std::string take_output();
  std::vector<Fact> take_facts();

  void set_fault(Fault fault, bool on, HeaterId heater = HeaterId::hotend, double value = 1);
  void set_heater_power(HeaterId heater, bool on);  // the supply of one heater
  void set_board_power(bool on);                    // the supply of the logic
  void reset();                                     // reset button, DTR pulse
  void stop(const std::string& reason);             // see Firmware::stop()
  void set_ambient(double celsius);
  void set_temperature(HeaterId heater, double celsius);

  HeaterTruth truth(HeaterId heater) const;
  const Firmware& firmware() const { return firmware_; }
  bool heater_power(HeaterId id) const { return heater(id).powered; }
  bool board_power() const { return board_power_; }

 private:
  struct Heater {
    Heater(HeaterId which, const HeaterBody& heater_body, double ambient)
        : id(which), body(heater_body), plant(heater_body, ambient), sensor(heater_body, ambient) {}
    HeaterId id;
    HeaterBody body;
    HeaterPlant plant;
    Sensor sensor;
    std::optional<double> stuck;  // at least this fraction
    bool open = false;
    bool powered = true;
    double watts = 0;
  };

  void step_plants(Nanos duration);
  void settle();  // firmware and power after anything changed
  void update_power(Heater& heater);
  void add_junk(Nanos duration);
  void record(std::string kind, std::string text = "");
  Heater& heater(HeaterId id) { return id == HeaterId::hotend ? hotend_ : bed_; }
  const Heater& heater(HeaterId id) const { return id == HeaterId::hotend ? hotend_ : bed_; }
  int duty(HeaterId id) const;

  PrinterConfig config_;
  std::mt19937_64 random_;
  Nanos now_{0};
  Nanos next_sample_;
  Firmware firmware_;
  FirmwareState last_state_;
  Heater hotend_;
  Heater bed_;
  double ambient_;
  bool board_power_ = true;
  bool sensors_swapped_ = false;
  double junk_per_second_ = 0;
  double junk_owed_ = 0;
  std::string output_;
  std::vector<Fact> facts_;
};

}  // namespace firebreak::sim
