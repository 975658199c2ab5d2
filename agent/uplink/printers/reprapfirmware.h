#pragma once

#include <string>
#include <vector>

#include "agent/uplink/printers/polling_client.h"

namespace firebreak::uplink {

/// RepRapFirmware (Duet boards) over its own HTTP interface. M112 through rr_gcode acts at once,
/// past its queue; `halted` in the object model is the confirmation. A board whose CAN bus is
/// broken may wait before it stops: a relay. A session ends after 8 s without a question and is
/// made anew. Source: the RepRapFirmware HTTP requests page and object model of the Duet
/// documentation.
class RepRapFirmware final : public PollingClient {
 public:
  RepRapFirmware(Parts parts, std::string password)
      : PollingClient(std::move(parts)), password_(std::move(password)) {}

  void stop_printer(Done done) override;
  void heaters_off(Done done) override { gcode("M104 S0\nM140 S0\nM141 S0", std::move(done)); }
  void revive(Done done) override { gcode("M999", std::move(done)); }
  void pause(Done done) override { gcode("M25", std::move(done)); }
  void cancel(Done done) override { gcode("M25\nM0", std::move(done)); }

 protected:
  void ask_round() override;
  void forget_identity() override { machine_.clear(); }

 private:
  /// Which heater of the object model is which of the guard's.
  struct Mapped {
    std::string name;
    std::size_t index = 0;
  };

  void connect();
  void ask_boards();
  void ask_tools();
  void ask_state();
  void ask_heat(const std::string& status);
  void on_heat(const std::string& status, const nlohmann::json& heat, MonotonicTime asked);
  std::vector<Mapped> map_heaters(const nlohmann::json& heat) const;
  void model(const std::string& key, Json answer);
  void gcode(const std::string& lines, Done done);
  void confirm_halted(Done done, int tries_left);
  void lost(const Error& error);

  const std::string password_;
  bool connected_ = false;
  std::string firmware_, machine_, uuid_;
  std::vector<std::size_t> tool_heaters_;  ///< First heater of each tool.
  std::string status_;
  bool fault_told_ = false;
};

}  // namespace firebreak::uplink
