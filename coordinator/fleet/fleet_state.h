#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "coordinator/hub/ports.h"
#include "coordinator/store/store.h"

namespace firebreak::coordinator {

/// Telemetry comes every second; beyond this age nothing in it is taken for the present.
inline constexpr std::chrono::milliseconds telemetry_fresh{5'000};
/// A temperature older than this is shown as unknown (safety.md: blind at 15 s).
inline constexpr std::chrono::milliseconds reading_fresh{15'000};

/// One printer by its full name.
struct PrinterKey {
  std::string agent;
  std::string name;
  friend auto operator<=>(const PrinterKey&, const PrinterKey&) = default;
};

/// A stop that was given up before it reached this printer's agent, or before its end was told.
struct MissedStop {
  std::string operation;
  std::int64_t asked_ms = 0;
  std::string who;
  bool ever_sent = false;
};

/// True for [a-z0-9][a-z0-9-]{0,31}.
bool is_printer_name(std::string_view text);

/// What the fleet shows now. Never greener than the truth: what an agent does not tell, or told
/// too long ago, is unknown. In memory; thread-safe; every function returns at once.
class FleetState final : public FleetView {
 public:
  /// All must outlive the fleet.
  FleetState(const Clock& clock, Store& store) : clock_(clock), store_(store) {}

  /// Takes up what the store knows, so that a farm whose agents are away is shown as unknown and
  /// not as empty.
  Result<void> load();
  /// Who hears of answers to commands. Set once, before use.
  void on_command_update(std::function<void(const CommandUpdate&)> listener);
  /// Who hears that a printer with a missed stop has been seen stopped.
  void on_seen_stopped(std::function<void(const PrinterKey& printer)> listener);

  // FleetView (the hub's strand).
  void agent_connected(std::string_view agent, const nlohmann::json& hello,
                       std::string_view address) override;
  void agent_disconnected(std::string_view agent, std::string_view reason) override;
  void telemetry(std::string_view agent, const nlohmann::json& status) override;
  void command_update(const CommandUpdate& update) override;
  void renewal_waits(std::string_view agent, bool waits) override;
  void security_event(std::string_view agent, std::string_view kind,
                      std::string_view text) override;

  /// From now on the printer is shown as not stopped by this stop; nothing ends that.
  void set_missed(const PrinterKey& printer, std::optional<MissedStop> stop);

  /// What the store says of each agent now.
  void put_rows(const std::vector<AgentRow>& rows);
  /// The agent was revoked at this time.
  void revoke(const std::string& agent, std::int64_t at_ms);

  // Views in the shapes of openapi.json.
  [[nodiscard]] nlohmann::json printers_json() const;
  [[nodiscard]] nlohmann::json agents_json(const std::vector<LogRow>& logs,
                                           bool stored_is_durable) const;
  [[nodiscard]] nlohmann::json printer_json(const PrinterKey& key) const;

  /// Every printer that `text` names: `name` or `agent:name`; several agents may have one of the
  /// same name.
  [[nodiscard]] std::vector<PrinterKey> find(std::string_view text) const;
  [[nodiscard]] std::vector<PrinterKey> printers_of(const std::string& agent) const;
  [[nodiscard]] std::vector<std::string> agents() const;  ///< Known; revoked ones too.
  [[nodiscard]] bool knows_agent(const std::string& agent) const;
  [[nodiscard]] bool revoked(const std::string& agent) const;
  [[nodiscard]] bool connected(const std::string& agent) const;

  /// The counts of /api/v1/fleet.
  [[nodiscard]] nlohmann::json summary_json() const;

 private:
  struct Live {
    AgentRow row;
    bool registered = false;
    bool connected = false;
    bool renewal_waits = false;
    bool knows_roots = true;   ///< Of an authority that is being rolled.
    bool of_old_root = false;  ///< Its certificate is.
    std::string address;
    std::string software;
    std::optional<std::int64_t> last_seen_ms;
    MonotonicTime received{};
    std::shared_ptr<const nlohmann::json> status;  ///< Null: no telemetry since this start.
    std::set<std::string> printers;                ///< Every one ever seen.
    std::map<std::string, MissedStop> missed;      ///< By printer.
  };
  [[nodiscard]] std::optional<std::int64_t> age_ms(const Live& live) const;
  [[nodiscard]] bool fresh(const Live& live) const;
  void tell_missed(const std::string& agent, const std::map<std::string, MissedStop>& missed);
  [[nodiscard]] nlohmann::json agent_json(const std::string& name, const Live& live) const;
  [[nodiscard]] nlohmann::json printer_json(const std::string& agent, const Live& live,
                                            const std::string& name) const;

  const Clock& clock_;
  Store& store_;
  std::function<void(const CommandUpdate&)> command_listener_;  // constant after start
  std::function<void(const PrinterKey&)> stopped_listener_;     // constant after start
  mutable std::mutex mutex_;
  std::map<std::string, Live, std::less<>> agents_;  // guarded by mutex_
  MonotonicTime security_budget_at_{};               // guarded by mutex_
  double security_budget_ = 60;                      // guarded by mutex_
};

}  // namespace firebreak::coordinator
