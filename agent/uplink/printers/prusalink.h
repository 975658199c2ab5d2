#pragma once

#include <string>

#include "agent/uplink/printers/polling_client.h"

namespace firebreak::uplink {

/// PrusaLink (Prusa's 32-bit printers, and MK3 with a Pi), digest authentication. It has no M112
/// and sets no temperature: cancelling the job is all that it can do, and that waits for the
/// command that runs, a wait for heat included. So its stop is never confirmed; a relay is the
/// stop. No duty. Source: PrusaLink's published OpenAPI document.
class PrusaLink final : public PollingClient {
 public:
  explicit PrusaLink(Parts parts) : PollingClient(std::move(parts)) {}

  void stop_printer(Done done) override { cancel(std::move(done)); }
  void heaters_off(Done done) override { cancel(std::move(done)); }
  /// Nothing can be asked: a person presses the printer's button.
  void revive(Done done) override { done(false); }
  void pause(Done done) override;
  void cancel(Done done) override;

 protected:
  void ask_round() override;
  void forget_identity() override { machine_.clear(); }

 private:
  void ask_identity();
  void ask_status();
  void on_status(const nlohmann::json& status, MonotonicTime asked);
  void order_on_job(const std::string& method, const std::string& suffix, Done done);

  std::string firmware_, machine_, uuid_;
  std::string job_;  ///< Its number; empty: none runs.
  std::string state_;
};

}  // namespace firebreak::uplink
