#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/uplink/guard_client.h"
#include "common/wire/messages.h"

namespace firebreak::uplink {

/// Carries the guard's events to the coordinator: one batch at a time, the next after the receipt
/// of the last. The guard's black box is the spool, so nothing is kept here but positions: after a
/// cut or a kill on either side the coordinator's welcome says where to go on, what was lost under
/// way is asked for again, and what comes twice the coordinator drops by its number.
///
/// The guard is told to let go only of what the coordinator reports durable off its own host.
/// One thread.
class EventPump : public std::enable_shared_from_this<EventPump> {
 public:
  struct Handlers {
    std::function<void(const wire::Events&)> send;  ///< To the coordinator.
    /// Something that a person should know; at most once for each event.
    std::function<void(const std::string& text)> complain;
  };

  static std::shared_ptr<EventPump> create(asio::io_context& io,
                                           std::shared_ptr<GuardClient> reader,
                                           std::shared_ptr<GuardClient> teller, Handlers handlers);

  /// The session is up; these are the coordinator's positions. Begins.
  void begin(const std::vector<wire::LogReceipt>& positions);
  /// The session is down: nothing is asked or sent until begin().
  void halt();
  /// Errors: bad_input when it acknowledges what was never sent.
  Result<void> on_receipt(const wire::Receipt& receipt);
  void stop();

  /// For the hello: what the guard has, as far as it is known, and what is acknowledged.
  [[nodiscard]] std::vector<wire::LogMark> marks() const;

 private:
  struct Log {
    std::uint64_t last = 0;     ///< Newest at the guard, as it last said.
    std::uint64_t sent = 0;     ///< Read from the guard and sent (or skipped) up to here.
    std::uint64_t stored = 0;   ///< Acknowledged by the coordinator.
    std::uint64_t durable = 0;  ///< Safe off the coordinator's host.
    std::uint64_t told = 0;     ///< What of that the guard has confirmed to know.
  };

  EventPump(asio::io_context& io, std::shared_ptr<GuardClient> reader,
            std::shared_ptr<GuardClient> teller, Handlers handlers);
  void fetch();
  void take_events(const std::string& asked, Result<nlohmann::json> answer);
  void on_events(const std::string& asked, Result<nlohmann::json> answer);
  void later(std::chrono::milliseconds pause);
  void note_logs(const nlohmann::json& answer);
  [[nodiscard]] std::optional<std::string> log_behind() const;
  bool send_batch(const std::string& log, const nlohmann::json& events);
  void tell_durable();

  std::shared_ptr<GuardClient> reader_;
  std::shared_ptr<GuardClient> teller_;
  Handlers handlers_;
  asio::steady_timer timer_;
  std::map<std::string, Log> logs_;
  std::vector<std::string> order_;  ///< The guard's logs, oldest first.
  std::string present_;             ///< The log that the guard writes now.
  std::uint64_t run_ = 0;           ///< Rises with begin() and halt().
  bool running_ = false;
  bool fetching_ = false;
  std::string awaited_log_;        ///< The batch that is out …
  std::uint64_t awaited_seq_ = 0;  ///< … ends here; 0: none is.
  bool telling_ = false;
};

}  // namespace firebreak::uplink
