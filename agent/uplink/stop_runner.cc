#include "agent/uplink/stop_runner.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/uplink/guard_answer.h"

namespace firebreak::uplink {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds stop_answer_deadline{2};

/// States in which the guard goes on trying: the outcome may still change.
bool is_under_way(const std::string& state) { return state == "stopping" || state == "cutting"; }

/// States that an accepted stop leads away from.
bool is_before_stop(const std::string& state) {
  return state == "armed" || state == "watch" || state == "probation";
}

std::string sentence(const std::string& outcome, const std::string& state) {
  if (outcome == "proven") return "heat has ended, proven";
  if (is_under_way(state)) return "being stopped";
  if (outcome == "sent") return "sent, not proven: pull the power";
  return "not sent: pull the power";
}

wire::PrinterResult result_of(const json& printer) {
  wire::PrinterResult result;
  result.printer = text_of(printer, "name");
  result.state = text_of(printer, "state").substr(0, 16);
  result.outcome = text_of(printer, "outcome");
  if (result.outcome != "proven" && result.outcome != "sent") result.outcome = "not_sent";
  result.message = sentence(result.outcome, result.state);
  return result;
}

bool same(const wire::CommandResult& a, const wire::CommandResult& b) {
  return wire::encode(a) == wire::encode(b);
}

}  // namespace

std::shared_ptr<StopRunner> StopRunner::create(asio::io_context& io, const Clock& clock,
                                               std::shared_ptr<GuardClient> guard, Send send) {
  return std::shared_ptr<StopRunner>(new StopRunner(io, clock, std::move(guard), std::move(send)));
}

StopRunner::StopRunner(asio::io_context& io, const Clock& clock, std::shared_ptr<GuardClient> guard,
                       Send send)
    : io_(io), clock_(clock), guard_(std::move(guard)), send_(std::move(send)) {}

void StopRunner::stop() { send_ = {}; }

void StopRunner::run(const wire::Command& command) {
  if (const auto known = stops_.find(command.id); known != stops_.end()) {
    Stop& stop = known->second;
    if (!stop.accepted && !stop.asking && !stop.last.refused) {
      stop.began = clock_.now();
      return ask(command.id);
    }
    if (send_) send_(stop.last);
    return;
  }
  forget_oldest();
  Stop stop;
  stop.command = command;
  stop.began = clock_.now();
  stop.last.id = command.id;
  stop.last.final_answer = false;
  const auto printers = command.arguments.find("printers");
  if (printers != command.arguments.end() && printers->is_array()) {
    for (const json& name : *printers) {
      if (name.is_string() && stop.printers.size() < wire::printers_max) {
        stop.printers.push_back(name.get<std::string>());
      }
    }
  }
  order_.push_back(command.id);
  stops_[command.id] = std::move(stop);
  ask(command.id);
}

/// Room for one more: the oldest finished one goes, or the oldest of all.
void StopRunner::forget_oldest() {
  if (order_.size() < remembered) return;
  auto oldest = std::find_if(order_.begin(), order_.end(),
                             [this](const auto& id) { return stops_[id].last.final_answer; });
  if (oldest == order_.end()) oldest = order_.begin();
  stops_.erase(*oldest);
  order_.erase(oldest);
}

void StopRunner::ask(const std::string& id) {
  Stop& stop = stops_[id];
  stop.asking = true;
  json question{
      {"do", "stop"}, {"who", text_of(stop.command.arguments, "who")}, {"cause", "coordinator"}};
  if (stop.printers.empty()) {
    question["all"] = true;
  } else {
    question["printers"] = stop.printers;
  }
  guard_->ask(question, stop_answer_deadline,
              [self = shared_from_this(), id](const Result<json>& answer) {
                if (self->send_ && self->stops_.contains(id)) self->on_answer(id, answer);
              });
}

void StopRunner::on_answer(const std::string& id, const Result<json>& answer) {
  Stop& stop = stops_[id];
  stop.asking = false;
  wire::CommandResult result;
  result.id = id;
  result.final_answer = false;
  if (is_ok(answer)) {
    stop.accepted = true;
    stop.taken = clock_.now();
    return report(stop, std::move(result));
  }
  if (answer && text_of(*answer, "code") != "busy") {
    result.final_answer = true;
    result.refused = true;
    result.error = text_of(*answer, "message");
    return report(stop, std::move(result));
  }
  // A guard that is away may be starting: the stop waits for it, and the coordinator knows.
  const std::string why = answer ? text_of(*answer, "message") : answer.error().message;
  result.final_answer = clock_.now() - stop.began >= retry_max;
  result.error = "not sent: " + why;
  const bool over = result.final_answer;
  report(stop, std::move(result));
  if (!over) retry_later(id);
}

void StopRunner::retry_later(const std::string& id) {
  stops_[id].asking = true;
  auto timer = std::make_shared<asio::steady_timer>(io_, retry_interval);
  timer->async_wait([self = shared_from_this(), id, timer](std::error_code) {
    if (self->send_ && self->stops_.contains(id)) self->ask(id);
  });
}

void StopRunner::report(Stop& stop, wire::CommandResult result) {
  const bool news = !same(stop.last, result) || !stop.accepted || stop.last.printers.empty();
  stop.last = std::move(result);
  if (news && send_) send_(stop.last);
}

bool StopRunner::following() const {
  return std::any_of(stops_.begin(), stops_.end(), [](const auto& entry) {
    return entry.second.accepted && !entry.second.last.final_answer;
  });
}

void StopRunner::on_status(const json& status) {
  for (auto& [id, stop] : stops_) {
    if (stop.accepted && !stop.last.final_answer) judge(stop, status);
  }
}

void StopRunner::judge(Stop& stop, const json& status) {
  const auto age = clock_.now() - stop.taken;
  if (age < settle) return;
  const bool over = age >= follow_max;
  wire::CommandResult result;
  result.id = stop.command.id;
  std::vector<std::string> missing = stop.printers;
  bool finished = true;
  const auto printers = status.find("printers");
  if (printers != status.end() && printers->is_array()) {
    for (const json& printer : *printers) {
      if (!printer.is_object()) continue;
      auto one = result_of(printer);
      const auto wanted = std::find(missing.begin(), missing.end(), one.printer);
      if (!stop.printers.empty() && wanted == missing.end()) continue;
      if (wanted != missing.end()) missing.erase(wanted);
      if (result.printers.size() >= wire::printers_max) break;
      if (is_under_way(one.state) || is_before_stop(one.state)) finished = false;
      result.printers.push_back(std::move(one));
    }
  } else {
    finished = false;
  }
  for (const std::string& name : missing) {
    if (wire::is_name(name)) {
      result.printers.push_back({name, "not_sent", "", "this agent has no such printer"});
    }
  }
  if (over && !finished) result.error = "no final outcome within 90 s: pull the power";
  result.final_answer = finished || over;
  report(stop, std::move(result));
}

}  // namespace firebreak::uplink
