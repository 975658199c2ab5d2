#include "coordinator/fleet/operations.h"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "common/base/escape.h"
#include "common/base/hex.h"
#include "common/log/log.h"
#include "coordinator/store/wall_text.h"

namespace firebreak::coordinator {

using nlohmann::json;

namespace {

constexpr const char* pull_the_power = "pull the power";
constexpr std::size_t history_max = 20'000;

json names_json(const std::vector<PrinterKey>& keys) {
  json out = json::array();
  for (const PrinterKey& key : keys) out.push_back(key.agent + ":" + key.name);
  return out;
}

}  // namespace

std::string new_operation_id() {
  std::array<std::uint8_t, 8> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  return to_hex(bytes);
}

std::shared_ptr<Operations::Operation> Operations::make(const std::string& kind,
                                                        const Requester& requester) {
  auto operation = std::make_shared<Operation>();
  operation->id = new_operation_id();
  operation->kind = kind;
  operation->requester = requester;
  operation->created_ms = clock_.wall().time_since_epoch().count();
  operation->created = clock_.now();
  return operation;
}

void Operations::keep(std::shared_ptr<Operation> operation) {
  operations_[operation->id] = std::move(operation);
  while (finished_.size() > finished_operations_kept) {
    operations_.erase(finished_.front());
    finished_.pop_front();
  }
}

StartedOperation Operations::start_stop(const StopSelection& selection, const Requester& requester,
                                        Store::Done recorded) {
  StartedOperation started;
  auto operation = make("stop", requester);
  if (selection.all) {
    for (const std::string& agent : fleet_.agents()) operation->asked[agent];
  } else if (!selection.agent.empty()) {
    if (fleet_.knows_agent(selection.agent))
      operation->asked[selection.agent];
    else
      started.unknown.push_back(selection.agent);
  }
  for (const std::string& name : selection.printers) {
    const auto found = fleet_.find(name);
    if (found.empty()) started.unknown.push_back(name);
    for (const PrinterKey& key : found) {
      auto& list = operation->asked[key.agent];
      if (std::find(list.begin(), list.end(), key.name) == list.end()) list.push_back(key.name);
    }
  }
  std::vector<StopTarget> targets;
  for (const auto& [agent, printers] : operation->asked) {
    const bool revoked = fleet_.revoked(agent);
    if (!revoked) targets.push_back({agent, printers});
    operation->agents[agent] = revoked ? Reach::finished : Reach::waiting;
    for (const PrinterKey& key : fleet_.printers_of(agent))
      if (printers.empty() ||
          std::find(printers.begin(), printers.end(), key.name) != printers.end()) {
        operation->answers[key];
        started.targets.push_back(key);
      }
    if (revoked) refuse_revoked(*operation, agent);
  }
  if (operation->asked.empty() && !selection.all) return started;
  started.id = operation->id;
  {
    const std::lock_guard lock(mutex_);
    keep(operation);
    if (targets.empty()) settle(*operation);
  }
  // Nothing stands before this line: no disk, no answer, no other request.
  link_.send_stop(std::move(targets), started.id, requester.who, stop_retry_);
  log::warning("stop {} of {} printers by {}", started.id, started.targets.size(), requester.who);
  const std::lock_guard lock(mutex_);
  save(*operation,
       {requester.who,
        "stop",
        selection.all ? "all" : selection.agent,
        {{"operation", started.id},
         {"printers", names_json(started.targets)},
         {"reason", requester.reason}}},
       std::move(recorded));
  return started;
}

std::string Operations::start_grant(const std::string& kind, const PrinterKey& printer,
                                    std::uint64_t latch_number, const Requester& requester,
                                    Store::Done recorded) {
  auto operation = make(kind, requester);
  operation->asked[printer.agent] = {printer.name};
  operation->agents[printer.agent] = Reach::waiting;
  operation->answers[printer];
  {
    const std::lock_guard lock(mutex_);
    keep(operation);
    save(*operation,
         {requester.who,
          kind,
          printer.agent + ":" + printer.name,
          {{"operation", operation->id},
           {"latch_number", latch_number},
           {"reason", requester.reason}}},
         std::move(recorded));
  }
  link_.send_grant({operation->id, printer.agent, printer.name, kind, latch_number, requester.who});
  return operation->id;
}

void Operations::save(Operation& operation, AuditDraft draft, Store::Done done) {
  json body = operation_json(operation);
  json asked = json::object();
  for (const auto& [agent, printers] : operation.asked) asked[agent] = printers;
  json open = json::array();
  for (const auto& [agent, reach] : operation.agents)
    if (reach != Reach::finished) open.push_back(agent);
  json missed = json::array();
  for (const PrinterKey& key : operation.missed)
    missed.push_back({{"agent", key.agent}, {"printer", key.name}});
  const bool waiting = !open.empty() || !missed.empty();
  body["asked"] = std::move(asked);
  body["open"] = std::move(open);
  body["missed"] = std::move(missed);
  body["token_id"] = operation.requester.token_id;
  OperationRow row{operation.id, operation.kind,  operation.created_ms,
                   waiting,      std::move(body), ++operation.revision};
  store_.save_operation(std::move(row), std::move(draft),
                        [this, id = operation.id, done = std::move(done)](const Result<void>& r) {
                          if (r) {
                            const std::lock_guard lock(mutex_);
                            const auto found = operations_.find(id);
                            if (found != operations_.end()) found->second->recorded = true;
                          }
                          if (done) done(r);
                        });
}

void Operations::set_answer(Operation& operation, const PrinterKey& key, Answer answer) {
  answer.at = clock_.now();
  Answer& present = operation.answers[key];
  const bool same = present.at && present.outcome == answer.outcome &&
                    present.state == answer.state && present.result == answer.result &&
                    present.message == answer.message &&
                    present.final_answer == answer.final_answer;
  present = std::move(answer);
  if (!same && operation.history.size() < history_max)
    operation.history.push_back(answer_json(key, present));
}

void Operations::take_printer(Operation& operation, const CommandUpdate& update,
                              const PrinterAnswer& told) {
  const PrinterKey key{update.agent, told.printer};
  // An agent speaks for its own printers; a name that is none is not taken into the record.
  if (!is_printer_name(told.printer)) return;
  Answer answer;
  answer.state = told.state.empty() ? "unknown" : escape_untrusted(told.state, 32);
  answer.message = escape_untrusted(told.message);
  answer.final_answer = update.final_answer;
  if (operation.kind == "stop") {
    // Anything but a clear word is shown as the worst.
    answer.outcome = told.outcome == "proven" || told.outcome == "sent" ? told.outcome : "not_sent";
    answer.result = update.final_answer ? "done" : "pending";
    if (answer.outcome != "proven" && answer.message.find(pull_the_power) == std::string::npos)
      answer.message +=
          answer.message.empty() ? pull_the_power : "; " + std::string(pull_the_power);
  } else {
    answer.result = !update.final_answer ? "pending" : update.refused ? "refused" : "done";
    if (update.refused) answer.code = "interlock";
  }
  if (answer.outcome == "proven" || answer.outcome == "sent") forgive(key);
  set_answer(operation, key, std::move(answer));
}

/// A revoked agent is sent nothing, and its printers are never left out in silence.
void Operations::refuse_revoked(Operation& operation, const std::string& agent) {
  for (auto& [key, present] : operation.answers) {
    if (key.agent != agent) continue;
    Answer answer;
    answer.outcome = "not_sent";
    answer.result = "failed";
    answer.code = "agent_revoked";
    answer.final_answer = true;
    answer.message = "not sent: its agent was revoked; on its host: firebreak local stop, or " +
                     std::string(pull_the_power);
    set_answer(operation, key, std::move(answer));
  }
}

void Operations::take_error(Operation& operation, const CommandUpdate& update) {
  const std::string why = escape_untrusted(update.error);
  for (auto& [key, present] : operation.answers) {
    if (key.agent != update.agent || present.final_answer) continue;
    Answer answer = present;
    answer.final_answer = update.final_answer;
    if (operation.kind == "stop") {
      if (!update.outcome_unknown && answer.outcome.empty()) answer.outcome = "not_sent";
      answer.result = !update.final_answer     ? "pending"
                      : update.outcome_unknown ? "unknown"
                                               : "failed";
      answer.message =
          (answer.outcome == "not_sent" ? "not sent: " : "") + why + "; " + pull_the_power;
      answer.code = update.final_answer ? "no_answer" : "agent_offline";
    } else {
      answer.result = update.refused ? "refused" : update.outcome_unknown ? "unknown" : "failed";
      answer.code = update.refused ? "interlock" : "agent_offline";
      answer.message = why;
    }
    set_answer(operation, key, std::move(answer));
  }
}

void Operations::on_update(const CommandUpdate& update) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = operations_.find(update.operation);
    if (found == operations_.end()) return;
    Operation& operation = *found->second;
    for (const PrinterAnswer& told : update.printers) take_printer(operation, update, told);
    if (update.gave_up) take_missed(operation, update);
    if (!update.error.empty()) take_error(operation, update);
    if (update.final_answer) take_omissions(operation, update.agent);
    const Reach before = operation.agents[update.agent];
    const Reach after = update.final_answer                                ? Reach::finished
                        : !update.error.empty() && update.printers.empty() ? Reach::away
                                                                           : Reach::waiting;
    operation.agents[update.agent] = after;
    settle(operation);
    if (before != after && after != Reach::waiting) {
      json answers = json::array();
      for (const auto& [key, answer] : operation.answers)
        if (key.agent == update.agent)
          answers.push_back({{"printer", key.name},
                             {"outcome", answer.outcome},
                             {"state", answer.state},
                             {"result", answer.result}});
      save(operation,
           {"agent:" + update.agent,
            operation.kind + ".answer",
            update.agent,
            {{"operation", operation.id},
             {"final", update.final_answer},
             {"error", escape_untrusted(update.error)},
             {"printers", std::move(answers)}}},
           {});
    }
  }
  if (listener_) listener_();
}

void Operations::settle(Operation& operation) {
  const bool open = std::any_of(operation.agents.begin(), operation.agents.end(),
                                [](const auto& one) { return one.second == Reach::waiting; });
  if (!open) operation.done = true;
  const bool finished = std::all_of(operation.agents.begin(), operation.agents.end(),
                                    [](const auto& one) { return one.second == Reach::finished; });
  if (!finished || !operation.missed.empty() || operation.retired) return;
  operation.retired = true;
  finished_.push_back(operation.id);
}

void Operations::take_omissions(Operation& operation, const std::string& agent) {
  for (auto& [key, present] : operation.answers) {
    if (key.agent != agent || present.final_answer) continue;
    Answer answer = present;
    answer.final_answer = true;
    if (operation.kind == "stop") {
      answer.result = "unknown";
      answer.code = "no_answer";
      answer.message = std::string("the agent's last answer does not name it; ") + pull_the_power;
    } else {
      // A grant is for one printer: the guard has taken it, and nothing else is said of it.
      answer.result = "done";
    }
    set_answer(operation, key, std::move(answer));
  }
}

void Operations::take_silence(Operation& operation, const std::string& agent) {
  operation.agents[agent] = Reach::silent;
  for (auto& [key, present] : operation.answers) {
    if (key.agent != agent || present.at) continue;
    Answer answer = present;
    answer.result = "unknown";
    answer.code = "no_answer";
    answer.message = std::string("the agent is connected but does not answer; ") + pull_the_power;
    set_answer(operation, key, std::move(answer));
  }
}

void Operations::tick() {
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    const MonotonicTime now = clock_.now();
    for (auto& [id, operation] : operations_) {
      if (operation->done) continue;
      const auto age = now - operation->created;
      for (auto& [agent, reach] : operation->agents) {
        if (reach != Reach::waiting) continue;
        const bool heard = std::any_of(
            operation->answers.begin(), operation->answers.end(),
            [&, a = agent](const auto& one) { return one.first.agent == a && one.second.at; });
        if (age > operation_watch_max || (!heard && age > stop_silence_max)) {
          take_silence(*operation, agent);
          changed = true;
        }
      }
      settle(*operation);
    }
  }
  if (changed && listener_) listener_();
}

}  // namespace firebreak::coordinator
