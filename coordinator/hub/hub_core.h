#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "coordinator/hub/hub.h"
#include "coordinator/hub/session.h"
#include "coordinator/hub/stop_book.h"

namespace firebreak::coordinator {

/// The hub's inside: sessions, open stops and commands. Everything on the strand, except what says
/// otherwise; work that may touch a disk goes to the worker and comes back by a post.
class HubCore : public std::enable_shared_from_this<HubCore> {
 public:
  HubCore(asio::io_context& io, Hub::Ports ports, HubOptions options);

  Result<void> listen();  ///< Called once, from outside, before the io_context runs its work.
  void stop();            ///< From any thread.
  void join();            ///< From outside: waits for the worker.
  [[nodiscard]] std::uint16_t port() const { return port_; }

  // For the hub.
  void send_stop(std::vector<StopTarget> targets, const std::string& operation,
                 const std::string& who, std::chrono::seconds within);
  void send_grant(GrantRequest request);
  void send_command(const std::string& agent, const std::string& operation, const std::string& verb,
                    nlohmann::json arguments, std::chrono::milliseconds ttl);
  void cut_off(const std::string& agent, const std::string& reason);
  void tell_durable(const std::string& agent, const LogPosition& position);
  bool approve_renewal(const std::string& agent);            ///< From any thread.
  [[nodiscard]] std::vector<std::string> connected() const;  ///< From any thread.

  // For sessions.
  [[nodiscard]] asio::any_io_executor executor() { return strand_; }
  [[nodiscard]] const std::shared_ptr<tls::Context>& tls() const { return tls_; }
  [[nodiscard]] Hub::Ports& ports() { return ports_; }
  [[nodiscard]] const HubOptions& options() const { return options_; }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] const std::string& roots() const { return roots_; }
  /// Runs `task` on the worker, then `then(result)` on the strand. What either throws ends the
  /// session that asked, and no other.
  template <class Task, class Then>
  void in_background(std::shared_ptr<Session> session, Task task, Then then) {
    asio::post(worker_, [self = shared_from_this(), session = std::move(session),
                         task = std::move(task), then = std::move(then)]() mutable {
      try {
        auto result = std::make_shared<decltype(task())>(task());
        asio::post(self->strand_, [session, then = std::move(then), result]() mutable {
          session->guarded([&] { then(std::move(*result)); });
        });
      } catch (const std::exception& e) {
        asio::post(self->strand_, [session, why = std::string(e.what())] {
          session->abort("a mistake of ours: " + why);
        });
      }
    });
  }
  /// A session passed the registry: it replaces an older one of its agent.
  void admit(const std::shared_ptr<Session>& session);
  /// It has its welcome: open stops go out now.
  void ready(const std::shared_ptr<Session>& session);
  void left(const std::shared_ptr<Session>& session, const std::string& reason);
  void answer(Session& session, const wire::CommandResult& result);
  /// Logs, and notes in the audit log within a bound: a stranger must not be able to fill it.
  void report(const std::string& agent, std::string_view kind, const std::string& text);
  /// Two processes hold this agent's key: no command but stop until it is enrolled anew.
  [[nodiscard]] bool is_cloned(const std::string& agent) const { return cloned_.contains(agent); }
  void forget_clone(const std::string& agent);
  /// Whether a person has approved that this session renews its ended certificate; else it is noted
  /// as waiting.
  bool may_renew_ended(const Session& session);
  void forget_renewal(const std::string& agent);

 private:
  /// Reports to the audit log in each minute; beyond it only their number is logged.
  static constexpr int reports_per_minute = 60;

  struct PendingCommand {
    std::string operation;
    std::string agent;
    MonotonicTime deadline{};
    std::optional<GrantRequest> grant;  ///< This command asked for the grant's challenge.
  };
  /// An agent whose certificate has ended.
  struct Renewal {
    identity::Fingerprint certificate{};
    std::optional<MonotonicTime> approved_until;
  };
  struct Instances {
    std::string present;
    std::deque<std::string> displaced;  ///< Newest last, at most 8.
  };

  void accept();
  void on_accepted(std::error_code code, asio::ip::tcp::socket socket);
  void make_room();
  void arm_tick();
  void tick();
  void send_stop_to(const OpenStop& stop);
  void give_up(const OpenStop& stop, std::string why);
  void notice_clone(Session& session);
  Session* up(const std::string& agent);
  void command(const std::string& agent, const std::string& id, const std::string& operation,
               const std::string& verb, nlohmann::json arguments, std::chrono::milliseconds ttl,
               std::optional<GrantRequest> grant);
  void fail_command(const std::string& operation, const std::string& agent, std::string error,
                    bool refused, bool unknown);
  void on_challenge(Session& session, const GrantRequest& request,
                    const wire::CommandResult& result);

  asio::io_context& io_;
  asio::strand<asio::io_context::executor_type> strand_;
  Hub::Ports ports_;
  const HubOptions options_;
  asio::thread_pool worker_{1};
  std::shared_ptr<tls::Context> tls_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer accept_timer_;
  asio::steady_timer tick_timer_;
  std::uint16_t port_ = 0;
  std::uint64_t epoch_ = 0;
  const std::string roots_;  ///< PEM.
  bool stopping_ = false;
  bool accepting_ = false;

  std::set<std::shared_ptr<Session>> sessions_;
  std::unordered_map<std::string, std::shared_ptr<Session>> agents_;
  std::unordered_map<std::string, Instances> instances_;
  std::set<std::string> cloned_;
  StopBook stops_;
  std::map<std::string, PendingCommand> commands_;
  int reports_left_ = 0;
  int reports_dropped_ = 0;
  int ticks_ = 0;

  std::mutex renewals_mutex_;
  std::map<std::string, Renewal> renewals_;  ///< Guarded by renewals_mutex_.

  mutable std::mutex connected_mutex_;
  std::set<std::string> connected_;  ///< Guarded by connected_mutex_.
};

}  // namespace firebreak::coordinator
