#pragma once

#include <string>
#include <vector>

#include "agent/uplink/printers/polling_client.h"

namespace firebreak::uplink {

/// Klipper behind Moonraker, over HTTP. Its stop is /printer/emergency_stop, which goes past a
/// blocked G-code queue where an M112 does not; it is confirmed by klippy's state, never by a
/// temperature: in shutdown Klipper repeats its last values for ever, so there only a temperature
/// that has changed is a reading, and targets are 0, because the board's heaters are off.
/// Source: Moonraker's documentation of its HTTP interface, and recordings (tests/data/corpus).
class Moonraker final : public PollingClient {
 public:
  explicit Moonraker(Parts parts) : PollingClient(std::move(parts)) {}

  void stop_printer(Done done) override;
  void heaters_off(Done done) override;
  void revive(Done done) override;
  void pause(Done done) override;
  void cancel(Done done) override;

 protected:
  void ask_round() override;
  void forget_identity() override;

 private:
  void ask_identity();
  void ask_objects();
  void ask_status();
  void on_status(const nlohmann::json& result, MonotonicTime asked);
  void script(const std::string& gcode, Done done);
  void post(const std::string& path, Done done);
  void confirm_shutdown(Done done, int tries_left);

  std::string firmware_, machine_, uuid_;
  std::vector<std::string> heaters_;  ///< Klipper's objects; empty: not asked yet.
  std::string query_;
  std::string state_;
  bool was_ready_ = false;
  std::vector<HeaterFacts> last_;
  std::optional<MonotonicTime> changed_at_;
};

/// The guard's name of a heater of Klipper: extruder is hotend, heater_bed is bed, a heater_generic
/// with "chamber" in its name is chamber; empty for what is none.
std::string heater_name(const std::string& object);

}  // namespace firebreak::uplink
