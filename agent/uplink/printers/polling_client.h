#pragma once

#include <asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "agent/uplink/printers/http_worker.h"
#include "agent/uplink/printers/printer_client.h"

namespace firebreak::uplink {

/// What all kinds of HTTP printers share: the rhythm of asking, identity and errors in words. A
/// kind says what to ask and what an answer means.
///
/// Asking must not hurt: `every` bounds the rate, a question waits for the answer before it, and a
/// printer that does not answer is asked more and more rarely, up to 5 s.
class PollingClient : public PrinterClient, public std::enable_shared_from_this<PollingClient> {
 public:
  /// What every HTTP kind is given.
  struct Parts {
    asio::io_context& io;
    const Clock& clock;
    HttpWorker& http;
    std::shared_ptr<const HttpAccess> access;
    std::chrono::milliseconds every{1000};
    std::string expected_uuid, expected_machine;  ///< Empty: not checked.
  };

  void start(PrinterHandlers handlers) override;
  void close() override;

 protected:
  explicit PollingClient(Parts parts);

  /// Asks one round of questions and ends it with exactly one call of finish() or failed().
  virtual void ask_round() = 0;
  /// Who answers is to be asked in the next round. Called before a round, every 30 s: an address
  /// may go to another printer while somebody answers there all the time.
  virtual void forget_identity() = 0;

  /// One question with JSON as the answer: any 2xx object or array, else the error in words.
  /// `asked` is the moment before it was sent, which a reading may be as old as.
  using Json = std::function<void(Result<nlohmann::json>, MonotonicTime asked)>;
  void ask(HttpQuestion question, Json answer);
  /// An order: like ask(), any 2xx counts, whatever its body.
  void order(HttpQuestion question, std::function<void(Result<void>)> done);

  /// For a stop that was taken: begins `confirm`, or, while an earlier stop is still being
  /// confirmed, says false at once, so that each repeat of a stop is sent and only one asks whether
  /// it acted.
  void confirm_once(Done done, const std::function<void(Done)>& confirm);

  /// Calls `work` after a while, unless the client was closed.
  void later(std::chrono::milliseconds after, std::function<void()> work);

  /// Publishes; `wrong_printer` instead where uuid or machine are not the configured ones.
  void finish(PrinterFacts facts);
  void failed(const Error& error, Reach reach = Reach::absent);
  void raise(PrinterEvent event, const std::string& words);

  [[nodiscard]] const PrinterFacts& facts() const noexcept { return facts_; }
  [[nodiscard]] const Clock& clock() const noexcept { return parts_.clock; }

 private:
  void arm(std::chrono::milliseconds after);

  Parts parts_;
  PrinterHandlers handlers_;
  asio::steady_timer timer_;
  PrinterFacts facts_;
  std::chrono::milliseconds pause_{};
  MonotonicTime identity_due_{};
  bool closed_ = false;
  bool wrong_told_ = false;
  bool confirming_ = false;
};

/// A status of HTTP in words with what to do: 401, 403, 404, 409, 3xx, 5xx.
Error http_problem(const HttpAnswer& answer);
/// The Reach that an error of a question means.
Reach reach_of(const Error& error) noexcept;

/// A JSON number, text or object below a dotted path ("status.temp_nozzle"); unknown_number, empty
/// or null where it is not there or of another type.
double number_at(const nlohmann::json& value, std::string_view path);
std::string text_at(const nlohmann::json& value, std::string_view path);
const nlohmann::json& object_at(const nlohmann::json& value, std::string_view path);

}  // namespace firebreak::uplink
