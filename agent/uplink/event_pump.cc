#include "agent/uplink/event_pump.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/uplink/guard_answer.h"
#include "common/log/log.h"
#include "common/wire/fields.h"

namespace firebreak::uplink {
namespace {

/// How long the guard may hold a question while there is nothing new (its own limit is 5 s), and
/// how long we wait for the answer beyond it.
constexpr std::chrono::milliseconds wait{4'000};
constexpr std::chrono::milliseconds answer_deadline{10'000};
constexpr std::chrono::milliseconds pause_after_failure{1'000};
constexpr std::size_t events_per_question = 200;

}  // namespace

std::shared_ptr<EventPump> EventPump::create(asio::io_context& io,
                                             std::shared_ptr<GuardClient> reader,
                                             std::shared_ptr<GuardClient> teller,
                                             Handlers handlers) {
  return std::shared_ptr<EventPump>(
      new EventPump(io, std::move(reader), std::move(teller), std::move(handlers)));
}

EventPump::EventPump(asio::io_context& io, std::shared_ptr<GuardClient> reader,
                     std::shared_ptr<GuardClient> teller, Handlers handlers)
    : reader_(std::move(reader)),
      teller_(std::move(teller)),
      handlers_(std::move(handlers)),
      timer_(io) {}

void EventPump::begin(const std::vector<wire::LogReceipt>& positions) {
  ++run_;
  running_ = true;
  awaited_seq_ = 0;
  fetching_ = false;
  // The coordinator's word counts, also where it is lower than what we remember: it may have been
  // restored from a backup, and the guard still has whatever was not durable elsewhere.
  for (auto& [name, log] : logs_) log.stored = 0;
  for (const wire::LogReceipt& position : positions) {
    if (logs_.size() >= 4096 && !logs_.contains(position.log)) break;
    Log& log = logs_[position.log];
    log.stored = position.stored;
    log.durable = std::max(log.durable, position.durable);
  }
  for (auto& [name, log] : logs_) log.sent = log.stored;
  tell_durable();
  fetch();
}

void EventPump::halt() {
  ++run_;
  running_ = false;
  timer_.cancel();
}

void EventPump::stop() {
  halt();
  handlers_ = {};
}

void EventPump::later(std::chrono::milliseconds pause) {
  timer_.expires_after(pause);
  timer_.async_wait([self = shared_from_this(), run = run_](std::error_code stopped) {
    if (!stopped && run == self->run_) self->fetch();
  });
}

void EventPump::fetch() {
  if (!running_ || fetching_ || awaited_seq_ != 0) return;
  fetching_ = true;
  const std::string behind = log_behind().value_or(present_);
  const bool may_wait = behind == present_;
  nlohmann::json question{{"do", "events"},
                          {"log", nullptr},
                          {"after", 0},
                          {"limit", events_per_question},
                          {"wait_ms", may_wait && !behind.empty() ? wait.count() : 0}};
  if (!behind.empty()) {
    question["log"] = behind;
    question["after"] = logs_[behind].sent;
  }
  reader_->ask(question, answer_deadline,
               [self = shared_from_this(), run = run_, behind](Result<nlohmann::json> answer) {
                 if (run == self->run_) self->take_events(behind, std::move(answer));
               });
}

void EventPump::take_events(const std::string& asked, Result<nlohmann::json> answer) {
  try {
    on_events(asked, std::move(answer));
  } catch (const std::exception& e) {
    // The pump goes on: what the guard holds is asked for again.
    log::error("events of the guard were not understood: {}", e.what());
    later(pause_after_failure);
  }
}

void EventPump::on_events(const std::string& asked, Result<nlohmann::json> answer) {
  fetching_ = false;
  if (!is_ok(answer)) {
    // A log that the guard no longer knows (its database was replaced): ask for the present one.
    if (answer && text_of(*answer, "code") == "not_found") {
      std::erase(order_, asked);
      if (asked == present_) present_.clear();
    }
    return later(pause_after_failure);
  }
  note_logs(*answer);
  const std::string log = text_of(*answer, "log");
  const auto events = answer->find("events");
  if (!wire::is_log(log) || events == answer->end() || !events->is_array()) {
    return later(pause_after_failure);
  }
  // The first answer is to a question without a log: it tells the names, and is asked again from
  // the right place. An older log that is behind goes first, too.
  if (asked != log) return fetch();
  if (const auto older = log_behind(); older && *older != log) return fetch();
  if (!send_batch(log, *events)) {
    if (events->empty() && log != present_) logs_[log].sent = logs_[log].last;
    // An empty answer was waited for, except right after the names were learnt.
    fetch();
  }
}

void EventPump::note_logs(const nlohmann::json& answer) {
  const auto logs = answer.find("logs");
  if (logs == answer.end() || !logs->is_array()) return;
  order_.clear();
  for (const nlohmann::json& entry : *logs) {
    wire::Fields fields(entry, "logs");
    const std::string name = fields.text("log", 16);
    const std::uint64_t last = fields.number("last_seq");
    if (!fields.done() || !wire::is_log(name) || order_.size() >= wire::logs_max) continue;
    order_.push_back(name);
    logs_[name].last = last;
  }
  present_ = order_.empty() ? text_of(answer, "log") : order_.back();
}

std::optional<std::string> EventPump::log_behind() const {
  for (const std::string& name : order_) {
    const auto found = logs_.find(name);
    if (found != logs_.end() && found->second.last > found->second.sent) return name;
  }
  return std::nullopt;
}

/// False when there was nothing to send.
bool EventPump::send_batch(const std::string& log, const nlohmann::json& events) {
  wire::Events batch{log, nlohmann::json::array()};
  Log& position = logs_[log];
  std::size_t bytes = 0;
  for (const nlohmann::json& event : events) {
    const auto good = wire::check_event(event, log);
    const std::uint64_t seq =
        event.is_object() && event.contains("seq") && event["seq"].is_number_unsigned()
            ? event["seq"].get<std::uint64_t>()
            : position.sent + 1;
    if (seq <= position.sent) continue;
    // One event that the coordinator would refuse must not hold up all that come after it.
    const std::size_t size = good ? nlohmann::json::to_cbor(event).size() : 0;
    if (!good || size > wire::events_bytes_max) {
      handlers_.complain(fmt::format("event {} of log {} cannot be carried: {}", seq, log,
                                     good ? "it is too large" : good.error().message));
      position.sent = seq;
      continue;
    }
    if (bytes + size > wire::events_bytes_max) break;
    bytes += size;
    position.sent = seq;
    position.last = std::max(position.last, seq);
    awaited_seq_ = seq;
    batch.events.push_back(event);
  }
  if (batch.events.empty()) return false;
  awaited_log_ = log;
  handlers_.send(batch);
  return true;
}

Result<void> EventPump::on_receipt(const wire::Receipt& receipt) {
  const auto found = logs_.find(receipt.position.log);
  if (found == logs_.end() || receipt.position.stored > found->second.sent) {
    return fail(ErrorCode::bad_input, "a receipt for events that were not sent");
  }
  Log& log = found->second;
  log.stored = std::max(log.stored, receipt.position.stored);
  log.durable = std::max(log.durable, receipt.position.durable);
  tell_durable();
  if (awaited_seq_ != 0 && found->first == awaited_log_ && log.stored >= awaited_seq_) {
    awaited_seq_ = 0;
    fetch();
  }
  return {};
}

/// Lets the guard go of what is safe elsewhere. A failure is repaired by the next receipt.
void EventPump::tell_durable() {
  if (telling_) return;
  for (auto& [name, log] : logs_) {
    if (log.durable <= log.told || std::find(order_.begin(), order_.end(), name) == order_.end()) {
      continue;
    }
    telling_ = true;
    const std::uint64_t seq = log.durable;
    teller_->ask({{"do", "durable"}, {"log", name}, {"seq", seq}}, std::chrono::seconds{5},
                 [self = shared_from_this(), name = name, seq](Result<nlohmann::json> answer) {
                   self->telling_ = false;
                   if (!is_ok(answer)) return;
                   self->logs_[name].told = seq;
                   self->tell_durable();
                 });
    return;
  }
}

std::vector<wire::LogMark> EventPump::marks() const {
  std::vector<wire::LogMark> out;
  for (const std::string& name : order_) {
    const auto found = logs_.find(name);
    if (found != logs_.end()) out.push_back({name, found->second.last, found->second.stored});
  }
  return out;
}

}  // namespace firebreak::uplink
