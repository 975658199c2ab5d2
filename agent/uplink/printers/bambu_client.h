#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/uplink/printers/bambu_orders.h"
#include "agent/uplink/printers/bambu_report.h"
#include "agent/uplink/printers/make_printer.h"
#include "agent/uplink/printers/mqtt_connection.h"
#include "agent/uplink/printers/printer_client.h"
#include "common/base/clock.h"

namespace firebreak::uplink {

/// When a Bambu printer may be asked for all its values. It tells changes by itself; the P1 series
/// is slowed down by more questions than one in five minutes (OpenBambuAPI, mqtt.md).
///
/// At once after a connection, then each five minutes. Once in a silence of 10 s while printing,
/// and with an order, since an idle printer may have nothing to tell: neither sooner than a minute
/// after the last question.
class BambuQuestionRhythm {
 public:
  static constexpr std::chrono::minutes regularly{5};
  static constexpr std::chrono::minutes at_most_each{1};
  static constexpr std::chrono::seconds silence{10};

  void connected() { *this = {}; }
  /// True: ask now; the question counts as asked.
  bool due(MonotonicTime now, bool printing, bool order, std::optional<MonotonicTime> heard_at);

 private:
  std::optional<MonotonicTime> asked_at_;
  std::optional<MonotonicTime> silent_since_;  ///< The silence that was asked about.
};

/// A Bambu printer in LAN mode: MQTT over TLS at port 8883, user "bblp", its access code as the
/// password. MqttConnection says what the check of its certificate proves.
///
/// How old a reading is: reports bear only what has changed, so every push_status proves that the
/// printer measures and tells, and `measured_at` is the arrival of the last one. But a value that
/// no report has borne for bambu_value_holds is unknown until a report bears it again: a firmware
/// whose sensor task hangs goes on telling of fans and radio.
///
/// An order that is refused leaves `reach` as it is, and `why` says so: firmware with authorization
/// control takes orders only in developer mode, and is silent or answers with a code otherwise.
class BambuClient final : public PrinterClient, public std::enable_shared_from_this<BambuClient> {
 public:
  /// `settings.address` is a host name or address, with ":port" where it is not 8883. `clock` must
  /// outlive the client.
  static std::shared_ptr<BambuClient> create(asio::io_context& io, const Clock& clock,
                                             const PrinterSettings& settings);

  void start(PrinterHandlers handlers) override;
  void stop_printer(Done done) override { order(BambuOrder::stop, std::move(done)); }
  void heaters_off(Done done) override { order(BambuOrder::heaters_off, std::move(done)); }
  /// This firmware does not halt: it is alive if it reports.
  void revive(Done done) override;
  void pause(Done done) override { order(BambuOrder::pause, std::move(done)); }
  void cancel(Done done) override { order(BambuOrder::cancel, std::move(done)); }
  void close() override;

 private:
  BambuClient(asio::io_context& io, const Clock& clock, const PrinterSettings& settings);
  void connect();
  void on_up();
  void on_message(std::string_view payload);
  void on_lost(MqttLoss loss, const std::string& why);
  void on_status(const BambuState& before);
  void welcome();
  void check_identity();
  void order(BambuOrder order, Done done);
  void reject(Done done, Error error);
  void ask_for_all(bool with_order);
  bool publish(const std::string& message);
  void tick();
  void become(Reach reach, std::string why);
  void raise(PrinterEvent event, const std::string& words);
  void show();
  static void finish(std::vector<BambuOrders::Finished> finished);

  asio::io_context& io_;
  const Clock& clock_;
  const MqttAccess access_;
  const std::string request_topic_;
  const std::string serial_, expected_uuid_, expected_machine_;
  PrinterHandlers handlers_;
  asio::steady_timer timer_;
  std::shared_ptr<MqttConnection> connection_;
  std::optional<MonotonicTime> connect_at_;  ///< The next attempt; none while one is under way.
  std::chrono::milliseconds pause_;
  BambuReports reports_;
  BambuOrders orders_;
  BambuQuestionRhythm rhythm_;
  std::uint64_t sequence_ = 0;
  Reach reach_ = Reach::absent;
  std::string why_;
  bool closed_ = false;
  bool wrong_told_ = false;
  bool other_printer_ = false;  ///< It said so itself, and must unsay it before it counts.
};

}  // namespace firebreak::uplink
