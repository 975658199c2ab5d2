#pragma once

#include <array>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <string>

#include "agent/uplink/printers/printer_client.h"
#include "common/base/clock.h"

namespace firebreak::uplink {

/// One network printer's line to the guard (docs/protocol.md): tells it what the client learns, at
/// once and at least twice a second, and carries the guard's orders to the client. Connects anew
/// for as long as it lives; without a line the guard cuts the printer's power when it must stop it.
///
/// One thread, the io_context's. Memory is bounded: only the newest facts wait to be sent.
class GuardLine : public std::enable_shared_from_this<GuardLine> {
 public:
  static std::shared_ptr<GuardLine> create(asio::io_context& io, const Clock& clock,
                                           std::string socket_path, std::string printer,
                                           std::string kind, std::shared_ptr<PrinterClient> client);
  void start();
  void close();

 private:
  GuardLine(asio::io_context& io, const Clock& clock, std::string socket_path, std::string printer,
            std::string kind, std::shared_ptr<PrinterClient> client);
  void connect();
  void lose(const std::string& reason);
  void read();
  void on_read(std::error_code code, std::size_t size);
  void on_line(const std::string& line);
  void obey(const std::string& order);
  void done(const std::string& order, const Result<bool>& confirmed);
  void beat();
  void tell();
  void send(std::string line);
  void write_next();

  asio::io_context& io_;
  const Clock& clock_;
  const std::string path_;
  const std::string printer_;
  const std::string kind_;
  const std::shared_ptr<PrinterClient> client_;
  asio::local::stream_protocol::socket socket_;
  asio::steady_timer timer_;
  std::array<char, 4096> chunk_{};
  std::string in_;
  std::deque<std::string> out_;
  PrinterFacts facts_;
  std::deque<std::pair<PrinterEvent, std::string>> events_;
  std::optional<MonotonicTime> told_reading_;  ///< `measured_at` of the last reading sent.
  std::string refusal_;                        ///< The guard's, logged once.
  int stops_out_ = 0;
  std::uint64_t connection_ = 0;  ///< Rises with every loss: late completions are told apart.
  bool serving_ = false;
  bool closed_ = false;
};

}  // namespace firebreak::uplink
