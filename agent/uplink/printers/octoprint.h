#pragma once

#include <string>

#include "agent/uplink/printers/polling_client.h"

namespace firebreak::uplink {

/// OctoPrint, in front of a serial printer of another host. Its stop is M112 through
/// /api/printer/command; OctoPrint then drops the connection and shows no temperature any more, so
/// its state ("Offline after error") is the confirmation and cooling can never be proven: a relay
/// cuts. There is no duty. It repeats the last temperature for ever when the printer falls silent,
/// so only a new entry of its history is a reading.
/// Source: OctoPrint's documentation of its REST API, and recordings (tests/data/corpus).
class OctoPrint final : public PollingClient {
 public:
  explicit OctoPrint(Parts parts) : PollingClient(std::move(parts)) {}

  void stop_printer(Done done) override;
  void heaters_off(Done done) override;
  void revive(Done done) override;
  void pause(Done done) override;
  void cancel(Done done) override;

 protected:
  void ask_round() override;
  void forget_identity() override { machine_.clear(); }

 private:
  void ask_identity();
  void ask_temperatures();
  void ask_why_offline();
  void on_temperatures(const nlohmann::json& printer, MonotonicTime asked);
  void post(const std::string& path, const nlohmann::json& body, Done done);
  void confirm_offline(Done done, int tries_left);

  std::string firmware_, machine_, uuid_;
  double history_time_ = unknown_number;  ///< Of the newest temperature that OctoPrint heard.
  std::optional<MonotonicTime> heard_at_;
  bool offline_told_ = true;  ///< Offline at the first look is no news.
};

}  // namespace firebreak::uplink
