// The half of operations that remembers which printers a stop has missed.

#include <algorithm>

#include "common/log/log.h"
#include "coordinator/fleet/operations.h"

namespace firebreak::coordinator {

using nlohmann::json;

/// The stop is not offered to this agent any more: says so loudly, and holds it against each of its
/// printers until that is seen stopped.
void Operations::take_missed(Operation& operation, const CommandUpdate& update) {
  json names = json::array();
  std::string list;
  for (const auto& [key, answer] : operation.answers) {
    if (key.agent != update.agent || answer.final_answer) continue;
    operation.missed.insert(key);
    remember_missed(operation, key, update.outcome_unknown);
    names.push_back(key.name);
    list += (list.empty() ? "" : ", ") + key.name;
  }
  const std::string text =
      "stop " + operation.id + " by " + operation.requester.who + " is given up at agent " +
      update.agent + ": " + update.error +
      ". NOT confirmed stopped: " + (list.empty() ? "every printer of it" : list) +
      "; pull the power";
  log::error("{}", text);
  const json data{{"operation", operation.id},
                  {"ever_sent", update.outcome_unknown},
                  {"printers", std::move(names)}};
  store_.record({"coordinator", "stop.missed", update.agent, data},
                {"stop.missed", "alarm", update.agent, "", text, data});
}

void Operations::remember_missed(const Operation& operation, const PrinterKey& printer,
                                 bool ever_sent) {
  const auto older = missed_.find(printer);
  if (older != missed_.end() && older->second != operation.id) forgive(printer);
  missed_[printer] = operation.id;
  fleet_.set_missed(
      printer, MissedStop{operation.id, operation.created_ms, operation.requester.who, ever_sent});
}

void Operations::on_seen_stopped(const PrinterKey& printer) {
  const std::lock_guard lock(mutex_);
  forgive(printer);
}

void Operations::forgive(const PrinterKey& printer) {
  const auto found = missed_.find(printer);
  if (found == missed_.end()) return;
  const auto held = operations_.find(found->second);
  missed_.erase(found);
  fleet_.set_missed(printer, std::nullopt);
  if (held == operations_.end()) return;
  Operation& operation = *held->second;
  operation.missed.erase(printer);
  save(operation,
       {"coordinator",
        "stop.made_good",
        printer.agent + ":" + printer.name,
        {{"operation", operation.id}}},
       {});
  settle(operation);
}

}  // namespace firebreak::coordinator
