#include "agent/uplink/printers/bambu_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <asio/post.hpp>
#include <charconv>

namespace firebreak::uplink {
namespace {

constexpr std::uint16_t default_port = 8883;
/// How often late orders, due questions and lapsed values are looked for.
constexpr std::chrono::milliseconds tick_every{250};
constexpr std::chrono::milliseconds pause_shortest{500};
constexpr std::chrono::milliseconds pause_longest{5'000};
/// Another certificate or a refused access code does not mend itself within seconds.
constexpr std::chrono::milliseconds pause_when_refused{30'000};

constexpr std::string_view control_refused =
    "this firmware refuses control without developer mode: rely on the relay";
constexpr std::string_view control_likely_refused =
    "this firmware says that it takes orders only in developer mode, which is off: rely on the "
    "relay";

/// Serial numbers are letters and digits; anything else would be another topic.
bool is_serial(std::string_view serial) {
  return !serial.empty() && serial.size() <= 32 &&
         std::all_of(serial.begin(), serial.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
         });
}

/// "host", "host:port", "[v6]:port" or a bare v6 address.
void split_address(std::string_view address, MqttAccess& access) {
  access.port = default_port;
  access.host = std::string(address);
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) return;
  const bool bracketed = address.front() == '[' && colon > 0 && address[colon - 1] == ']';
  const bool single = address.find(':') == colon;
  if (!bracketed && !single) return;
  const auto text = address.substr(colon + 1);
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return;
  access.port = port;
  access.host = std::string(bracketed ? address.substr(1, colon - 2) : address.substr(0, colon));
}

MqttAccess access_of(const PrinterSettings& settings) {
  MqttAccess access;
  split_address(settings.address, access);
  access.user = "bblp";
  access.password = settings.key;
  access.topic = "device/" + settings.serial + "/report";
  access.public_key_pin = settings.public_key_pin;
  access.certificate_name = settings.serial;
  return access;
}

Reach reach_of(MqttLoss loss) {
  switch (loss) {
    case MqttLoss::absent: return Reach::absent;
    case MqttLoss::wrong_certificate: return Reach::wrong_printer;
    case MqttLoss::refused: return Reach::blocked;
  }
  return Reach::absent;
}

std::string words_of(MqttLoss loss, const std::string& why) {
  switch (loss) {
    case MqttLoss::absent: return "the printer does not answer: " + why;
    case MqttLoss::wrong_certificate:
      return why + ": check the address and the serial number, or note its new key";
    case MqttLoss::refused:
      return why + ": compare the access code with the printer's screen, and that LAN mode is on";
  }
  return why;
}

}  // namespace

bool BambuQuestionRhythm::due(MonotonicTime now, bool printing, bool order,
                              std::optional<MonotonicTime> heard_at) {
  const bool first = !asked_at_;
  const bool regular = !first && now - *asked_at_ >= regularly;
  const bool silent =
      printing && heard_at && now - *heard_at >= silence && silent_since_ != heard_at;
  const bool may = !first && now - *asked_at_ >= at_most_each;
  if (!first && !regular && !(may && (silent || order))) return false;
  if (silent) silent_since_ = heard_at;
  asked_at_ = now;
  return true;
}

std::shared_ptr<BambuClient> BambuClient::create(asio::io_context& io, const Clock& clock,
                                                 const PrinterSettings& settings) {
  return std::shared_ptr<BambuClient>(new BambuClient(io, clock, settings));
}

BambuClient::BambuClient(asio::io_context& io, const Clock& clock, const PrinterSettings& settings)
    : io_(io),
      clock_(clock),
      access_(access_of(settings)),
      request_topic_("device/" + settings.serial + "/request"),
      serial_(settings.serial),
      expected_uuid_(settings.expected_uuid),
      expected_machine_(settings.expected_machine),
      timer_(io),
      pause_(pause_shortest) {}

void BambuClient::start(PrinterHandlers handlers) {
  handlers_ = std::move(handlers);
  asio::post(io_, [self = shared_from_this()] {
    if (self->closed_) return;
    if (!is_serial(self->serial_)) {
      self->become(Reach::misconfigured, "its serial number must be letters and digits");
      return;
    }
    self->connect();
    self->tick();
  });
}

void BambuClient::close() {
  closed_ = true;
  handlers_ = {};
  timer_.cancel();
  if (connection_) connection_->close();
  auto open = orders_.abandon({ErrorCode::unavailable, "closed"});
  asio::post(io_, [open = std::make_shared<decltype(open)>(std::move(open))] {
    finish(std::move(*open));
  });
}

void BambuClient::connect() {
  connect_at_.reset();
  // The handlers do not keep the client alive: it ends when its owner lets go of it.
  const std::weak_ptr<BambuClient> weak = weak_from_this();
  MqttHandlers handlers;
  handlers.up = [weak] {
    if (const auto self = weak.lock()) self->on_up();
  };
  handlers.message = [weak](std::string_view payload) {
    if (const auto self = weak.lock()) self->on_message(payload);
  };
  handlers.lost = [weak](MqttLoss loss, const std::string& why) {
    if (const auto self = weak.lock()) self->on_lost(loss, why);
  };
  connection_ = MqttConnection::open(io_, access_, std::move(handlers));
}

void BambuClient::on_up() {
  // A printer that was off, or another one in its place: nothing of before counts.
  reports_.forget();
  rhythm_.connected();
  if (!other_printer_) become(Reach::opening, "connected; waiting for its first report");
  publish(version_question(++sequence_));
  ask_for_all(false);
}

void BambuClient::on_message(std::string_view payload) {
  if (closed_) return;
  const BambuState before = reports_.state();
  const auto report = reports_.take(payload, clock_.now());
  if (!report) return;
  switch (report->kind) {
    case BambuReport::Kind::status: on_status(before); break;
    case BambuReport::Kind::version: check_identity(); break;
    case BambuReport::Kind::answer:
      finish(orders_.on_answer(*report));
      show();
      break;
    case BambuReport::Kind::other: break;
  }
}

void BambuClient::on_status(const BambuState& before) {
  if (const auto fault = new_thermal_fault(before, reports_.state()); !fault.empty()) {
    raise(PrinterEvent::thermal_fault, fault);
  }
  finish(orders_.on_status(reports_.state()));
  if (reach_ == Reach::opening) return welcome();
  show();
}

void BambuClient::welcome() {
  pause_ = pause_shortest;
  wrong_told_ = false;
  become(Reach::ready, "");
}

void BambuClient::check_identity() {
  const BambuState& state = reports_.state();
  const bool other_serial = !state.serial.empty() && state.serial != serial_;
  const bool other_uuid = !expected_uuid_.empty() && expected_uuid_ != serial_;
  const bool other_machine =
      !expected_machine_.empty() && !state.machine.empty() && state.machine != expected_machine_;
  other_printer_ = other_serial || other_uuid || other_machine;
  if (!other_printer_) return reach_ == Reach::wrong_printer ? welcome() : show();
  connection_->close();
  on_lost(MqttLoss::wrong_certificate,
          fmt::format("it says that it is \"{}\" with serial number \"{}\"", state.machine,
                      state.serial));
}

void BambuClient::on_lost(MqttLoss loss, const std::string& why) {
  if (closed_) return;
  finish(orders_.abandon({ErrorCode::unavailable, "the connection to the printer is lost"}));
  become(reach_of(loss), words_of(loss, why));
  if (loss == MqttLoss::wrong_certificate && !std::exchange(wrong_told_, true)) {
    raise(PrinterEvent::wrong_identity, why_);
  }
  const auto pause = loss == MqttLoss::absent ? pause_ : pause_when_refused;
  pause_ = std::min(pause_ * 2, pause_longest);
  connect_at_ = clock_.now() + pause;
}

void BambuClient::tick() {
  timer_.expires_after(tick_every);
  timer_.async_wait([self = shared_from_this()](std::error_code stopped) {
    if (stopped || self->closed_) return;
    self->tick();
    const auto now = self->clock_.now();
    const BambuState& state = self->reports_.state();
    const bool refused_before = self->orders_.control_refused();
    self->finish(self->orders_.expire(state, now));
    if (self->orders_.control_refused() != refused_before) self->show();
    if (self->connect_at_ && now >= *self->connect_at_) self->connect();
    if (self->reach_ == Reach::ready || self->reach_ == Reach::opening) self->ask_for_all(false);
  });
}

void BambuClient::ask_for_all(bool with_order) {
  const BambuState& state = reports_.state();
  if (rhythm_.due(clock_.now(), state.printing(), with_order, state.heard_at)) {
    publish(full_report_question(++sequence_));
  }
}

bool BambuClient::publish(const std::string& message) {
  return connection_ && connection_->publish(request_topic_, message).has_value();
}

void BambuClient::order(BambuOrder order, Done done) {
  const auto messages = messages_of(order, reports_.state(), sequence_ + 1);
  sequence_ += messages.size();
  bool sent = true;
  for (const auto& message : messages) sent = publish(message) && sent;
  if (!sent) {
    return reject(std::move(done),
                  {ErrorCode::unavailable, "the printer is not connected: nothing was sent"});
  }
  if (!orders_.open(order, reports_.state(), clock_.now(), done)) {
    return reject(std::move(done),
                  {ErrorCode::refused, "sent, but too many orders wait for a confirmation"});
  }
  ask_for_all(true);
}

void BambuClient::reject(Done done, Error error) {
  asio::post(io_, [done = std::move(done), error = std::move(error)] { done(fail(error)); });
}

void BambuClient::revive(Done done) {
  const bool alive = reach_ == Reach::ready;
  asio::post(io_, [done = std::move(done), alive] { done(alive); });
}

void BambuClient::finish(std::vector<BambuOrders::Finished> finished) {
  for (auto& order : finished) {
    if (order.done) order.done(std::move(order.result));
  }
}

void BambuClient::become(Reach reach, std::string why) {
  reach_ = reach;
  why_ = std::move(why);
  show();
}

void BambuClient::raise(PrinterEvent event, const std::string& words) {
  if (handlers_.event) handlers_.event(event, words);
}

void BambuClient::show() {
  if (!handlers_.facts) return;
  const BambuState& state = reports_.state();
  PrinterFacts facts;
  facts.reach = reach_;
  facts.why = why_;
  if (reach_ == Reach::ready) {
    if (orders_.control_refused()) {
      facts.why = control_refused;
    } else if (state.orders_need_signature) {
      facts.why = control_likely_refused;
    }
    const auto troubles = troubles_in_words(state);
    if (!troubles.empty()) facts.why += (facts.why.empty() ? "" : "; ") + troubles;
  }
  facts.firmware = state.firmware.empty() ? "Bambu" : "Bambu " + state.firmware;
  facts.machine = state.machine;
  facts.uuid = state.serial.empty() ? std::string() : state.serial;
  facts.printing = state.printing();
  facts.heaters = heaters_at(state, clock_.now());
  facts.measured_at = state.heard_at;
  facts.fan = state.fan;
  handlers_.facts(facts);
}

}  // namespace firebreak::uplink
