#include "agent/uplink/printers/guard_line.h"

#include <asio/write.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "agent/uplink/guard_answer.h"
#include "common/log/log.h"
#include "common/wire/cbor.h"

namespace firebreak::uplink {
namespace {

using asio::local::stream_protocol;
using nlohmann::json;

/// The guard takes 3 s of silence for our death.
constexpr std::chrono::milliseconds beat_every{500};
constexpr std::chrono::seconds connect_every{1};
constexpr std::size_t line_bytes_max = 4096;
constexpr std::size_t lines_waiting_max = 16;
constexpr std::size_t events_waiting_max = 16;
/// The guard repeats a stop four times a second; a printer that hangs is not asked a third time.
constexpr int stops_out_max = 2;

std::string_view word(PrinterEvent event) {
  switch (event) {
    case PrinterEvent::halted: return "halt_text";
    case PrinterEvent::thermal_fault: return "thermal_fault";
    case PrinterEvent::booted: return "boot";
    case PrinterEvent::wrong_identity: return "wrong_identity";
  }
  return "";
}

void put(json& object, const char* key, double value) {
  if (std::isfinite(value)) object[key] = value;
}

json reading_of(const PrinterFacts& facts, MonotonicTime now) {
  json heaters = json::object();
  for (const auto& heater : facts.heaters) {
    json values = json::object();
    put(values, "celsius", heater.celsius);
    put(values, "target", heater.target_celsius);
    put(values, "duty", heater.duty);
    heaters[heater.name] = std::move(values);
  }
  const auto age = std::chrono::duration<double, std::milli>(now - *facts.measured_at).count();
  json reading = {{"age_ms", std::max(0.0, age)}, {"heaters", std::move(heaters)}};
  put(reading, "fan", facts.fan);
  return reading;
}

}  // namespace

std::shared_ptr<GuardLine> GuardLine::create(asio::io_context& io, const Clock& clock,
                                             std::string socket_path, std::string printer,
                                             std::string kind,
                                             std::shared_ptr<PrinterClient> client) {
  return std::shared_ptr<GuardLine>(new GuardLine(
      io, clock, std::move(socket_path), std::move(printer), std::move(kind), std::move(client)));
}

GuardLine::GuardLine(asio::io_context& io, const Clock& clock, std::string socket_path,
                     std::string printer, std::string kind, std::shared_ptr<PrinterClient> client)
    : io_(io),
      clock_(clock),
      path_(std::move(socket_path)),
      printer_(std::move(printer)),
      kind_(std::move(kind)),
      client_(std::move(client)),
      socket_(io),
      timer_(io) {}

void GuardLine::start() {
  std::weak_ptr<GuardLine> weak = weak_from_this();
  PrinterHandlers handlers;
  handlers.facts = [weak](const PrinterFacts& facts) {
    auto self = weak.lock();
    if (!self) return;
    self->facts_ = facts;
    self->tell();
  };
  handlers.event = [weak](PrinterEvent event, const std::string& words) {
    auto self = weak.lock();
    if (!self) return;
    log::info("printer {}: {}: {}", self->printer_, word(event), words);
    if (self->events_.size() == events_waiting_max) self->events_.pop_front();
    self->events_.emplace_back(event, words);
    self->tell();
  };
  client_->start(std::move(handlers));
  connect();
  beat();
}

void GuardLine::close() {
  closed_ = true;
  timer_.cancel();
  client_->close();
  ++connection_;
  std::error_code ignored;
  socket_.close(ignored);
}

void GuardLine::connect() {
  std::error_code code;
  socket_.open(stream_protocol(), code);
  if (!code) socket_.connect(stream_protocol::endpoint(path_), code);
  if (!code) socket_.non_blocking(true, code);
  if (code) return lose("the guard is not reachable at " + path_ + ": " + code.message());
  send(json{{"do", "serve"}, {"printer", printer_}, {"kind", kind_}}.dump());
  read();
}

void GuardLine::lose(const std::string& reason) {
  if (reason != refusal_) log::warning("printer {}: {}", printer_, reason);
  refusal_ = reason;
  ++connection_;
  serving_ = false;
  in_.clear();
  out_.clear();
  told_reading_.reset();
  std::error_code ignored;
  socket_.close(ignored);
}

void GuardLine::read() {
  socket_.async_read_some(asio::buffer(chunk_),
                          [self = shared_from_this(), connection = connection_](
                              std::error_code code, std::size_t size) {
                            if (connection == self->connection_) self->on_read(code, size);
                          });
}

void GuardLine::on_read(std::error_code code, std::size_t size) {
  if (code) return lose("the guard ended the line");
  const auto connection = connection_;
  in_.append(chunk_.data(), size);
  for (std::size_t feed = 0; (feed = in_.find('\n')) != std::string::npos;) {
    const std::string line = in_.substr(0, feed);
    in_.erase(0, feed + 1);
    on_line(line);
    if (connection != connection_) return;
  }
  if (in_.size() > line_bytes_max) return lose("the guard sent a line without an end");
  read();
}

void GuardLine::on_line(const std::string& line) {
  const auto value = wire::parse_json(line);
  if (!value) return lose("the guard said what is no line");
  if (!serving_) {
    if (!is_ok(value)) {
      return lose("the guard does not take this printer: " + text_of(*value, "message"));
    }
    serving_ = true;
    refusal_.clear();
    return tell();
  }
  obey(text_of(*value, "do"));
}

void GuardLine::obey(const std::string& order) {
  auto answer = [weak = weak_from_this(), order](const Result<bool>& confirmed) {
    if (auto self = weak.lock()) self->done(order, confirmed);
  };
  if (order == "stop") {
    if (stops_out_ >= stops_out_max) return;
    ++stops_out_;
    return client_->stop_printer(std::move(answer));
  }
  if (order == "heaters_off") return client_->heaters_off(std::move(answer));
  if (order == "revive") return client_->revive(std::move(answer));
  log::warning("printer {}: the guard asked for what is not known here: {}", printer_, order);
}

void GuardLine::done(const std::string& order, const Result<bool>& confirmed) {
  if (order == "stop") --stops_out_;
  const std::string why = !confirmed   ? confirmed.error().message
                          : *confirmed ? std::string()
                                       : "sent, not confirmed by the printer";
  send(json{{"done", order}, {"ok", confirmed && *confirmed}, {"why", why}}.dump(
      -1, ' ', false, json::error_handler_t::replace));
}

void GuardLine::beat() {
  timer_.expires_after(socket_.is_open() ? std::chrono::milliseconds(beat_every)
                                         : std::chrono::milliseconds(connect_every));
  timer_.async_wait([self = shared_from_this()](std::error_code stopped) {
    if (stopped || self->closed_) return;
    if (self->socket_.is_open()) {
      self->tell();
    } else {
      self->connect();
    }
    self->beat();
  });
}

/// A reading is sent once: repeated with a rounded age it would look a little younger each time.
void GuardLine::tell() {
  if (!serving_) return;
  json line = {
      {"link", word(facts_.reach)},
      {"why", facts_.why},
      {"printing", facts_.printing},
      {"protection_verified", facts_.protection_verified},
      {"identity",
       {{"firmware", facts_.firmware}, {"machine", facts_.machine}, {"uuid", facts_.uuid}}}};
  if (facts_.measured_at && facts_.measured_at != told_reading_) {
    line["reading"] = reading_of(facts_, clock_.now());
    told_reading_ = facts_.measured_at;
  }
  if (!events_.empty()) {
    line["events"] = json::array();
    for (const auto& [event, words] : events_) line["events"].push_back(word(event));
    line["text"] = events_.back().second;
    events_.clear();
  }
  send(line.dump(-1, ' ', false, json::error_handler_t::replace));
}

void GuardLine::send(std::string line) {
  if (!socket_.is_open()) return;
  // A guard that does not read loses the line; it cuts what it must stop by itself then.
  if (out_.size() >= lines_waiting_max) return lose("the guard does not read");
  out_.push_back(std::move(line) + "\n");
  if (out_.size() == 1) write_next();
}

void GuardLine::write_next() {
  asio::async_write(
      socket_, asio::buffer(out_.front()),
      [self = shared_from_this(), connection = connection_](std::error_code code, std::size_t) {
        if (connection != self->connection_) return;
        if (code) return self->lose("the guard ended the line");
        self->out_.pop_front();
        if (!self->out_.empty()) self->write_next();
      });
}

}  // namespace firebreak::uplink
