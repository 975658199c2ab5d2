#include <algorithm>

#include "common/log/log.h"
#include "coordinator/fleet/operations.h"
#include "coordinator/store/wall_text.h"

namespace firebreak::coordinator {

using nlohmann::json;

namespace {

std::string server_sent(std::size_t id, std::string_view event, const json& data) {
  return "id: " + std::to_string(id) + "\nevent: " + std::string(event) +
         "\ndata: " + data.dump(-1, ' ', false, json::error_handler_t::replace) + "\n\n";
}

json text_or_null(const std::string& text) { return text.empty() ? json() : json(text); }

}  // namespace

json Operations::answer_json(const PrinterKey& key, const Answer& answer) const {
  json age;
  if (answer.at)
    age = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - *answer.at).count();
  return {{"printer", key.name},
          {"agent", key.agent},
          {"outcome", text_or_null(answer.outcome)},
          {"state", answer.state},
          {"result", answer.result},
          {"message", answer.message},
          {"code", text_or_null(answer.code)},
          {"final", answer.final_answer},
          {"age_ms", std::move(age)}};
}

json Operations::operation_json(const Operation& operation) const {
  json printers = json::array();
  for (const auto& [key, answer] : operation.answers) printers.push_back(answer_json(key, answer));
  bool retrying = false;
  for (const auto& [agent, reach] : operation.agents)
    if (operation.kind == "stop" && (reach == Reach::away || reach == Reach::silent))
      retrying = true;
  return {{"id", operation.id},
          {"kind", operation.kind},
          {"state", operation.done ? "done" : "running"},
          {"created", wall_text(operation.created_ms)},
          {"who", operation.requester.who},
          {"reason", text_or_null(operation.requester.reason)},
          {"retrying", retrying},
          {"recorded", operation.recorded},
          {"printers", std::move(printers)}};
}

json Operations::view(const std::string& id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = operations_.find(id);
    if (found != operations_.end()) return operation_json(*found->second);
  }
  auto row = store_.operation(id);
  if (!row || !*row || !(**row).body.is_object()) return {};
  json body = (**row).body;
  for (const char* inner : {"asked", "open", "missed", "token_id"}) body.erase(inner);
  body["recorded"] = true;
  for (json& printer : body["printers"]) printer["age_ms"] = nullptr;
  return body;
}

std::string Operations::starter(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = operations_.find(id);
  return found == operations_.end() ? std::string() : found->second->requester.token_id;
}

/// Tells each answer once, then the end.
class Operations::Stream final : public StreamSource {
 public:
  Stream(Operations& owner, std::shared_ptr<Operation> operation, std::size_t after)
      : owner_(owner), operation_(std::move(operation)), next_(after) {}

  StreamChunk next() override {
    StreamChunk chunk;
    const std::lock_guard lock(owner_.mutex_);
    const auto& history = operation_->history;
    while (next_ < history.size() && chunk.bytes.size() < 48 * 1024) {
      chunk.bytes += server_sent(next_ + 1, "printer", history[next_]);
      ++next_;
    }
    if (next_ >= history.size() && operation_->done) {
      chunk.bytes += server_sent(next_, "done", owner_.operation_json(*operation_));
      chunk.end = true;
    }
    return chunk;
  }

 private:
  Operations& owner_;
  const std::shared_ptr<Operation> operation_;
  std::size_t next_;
};

std::unique_ptr<StreamSource> Operations::stream(const std::string& id, std::size_t after) {
  const std::lock_guard lock(mutex_);
  const auto found = operations_.find(id);
  if (found == operations_.end()) return nullptr;
  return std::make_unique<Stream>(*this, found->second, after);
}

std::shared_ptr<Operations::Operation> Operations::restore(const OperationRow& row) const {
  auto operation = std::make_shared<Operation>();
  operation->id = row.id;
  operation->kind = row.kind;
  operation->created_ms = row.created_ms;
  operation->created = clock_.now();
  operation->recorded = true;
  operation->revision = row.revision;
  const json& body = row.body;
  operation->requester = {body.value("who", std::string("unknown")),
                          body.value("token_id", std::string()), std::string()};
  if (body.contains("reason") && body["reason"].is_string())
    operation->requester.reason = body["reason"];
  for (const auto& [agent, printers] : body.at("asked").items())
    operation->asked[agent] = printers.get<std::vector<std::string>>();
  for (const auto& [agent, printers] : operation->asked) operation->agents[agent] = Reach::finished;
  for (const json& agent : body.at("open")) operation->agents[agent] = Reach::waiting;
  if (body.contains("missed"))
    for (const json& one : body["missed"])
      operation->missed.insert(
          PrinterKey{one.at("agent").get<std::string>(), one.at("printer").get<std::string>()});
  for (const json& told : body.at("printers")) {
    Answer answer;
    if (told.at("outcome").is_string()) answer.outcome = told["outcome"];
    answer.state = told.at("state");
    answer.result = told.at("result");
    answer.message = told.at("message");
    answer.final_answer = told.at("final");
    operation->answers[{told.at("agent"), told.at("printer")}] = std::move(answer);
  }
  return operation;
}

Result<void> Operations::resume() {
  auto rows = store_.waiting_operations();
  if (!rows) return fail(rows.error());
  for (const OperationRow& row : *rows) {
    std::shared_ptr<Operation> operation;
    try {
      operation = restore(row);
    } catch (const json::exception& e) {
      log::error("operation {} cannot be read back and is left alone: {}", row.id, e.what());
      continue;
    }
    resume_one(row, operation);
  }
  return {};
}

void Operations::resume_one(const OperationRow& row, const std::shared_ptr<Operation>& operation) {
  std::vector<StopTarget> targets;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [agent, reach] : operation->agents)
      if (reach == Reach::waiting) targets.push_back({agent, operation->asked[agent]});
    keep(operation);
    for (const PrinterKey& printer : operation->missed)
      remember_missed(*operation, printer, operation->answers[printer].result == "unknown");
    if (targets.empty()) settle(*operation);
  }
  const auto age = clock_.wall() - WallTime{std::chrono::milliseconds{row.created_ms}};
  const auto left = std::chrono::ceil<std::chrono::seconds>(stop_retry_.load() - age);
  if (row.kind == "stop" && left.count() > 0 && !targets.empty()) {
    log::warning("stop {} is taken up again for {} agents", row.id, targets.size());
    link_.send_stop(std::move(targets), row.id, operation->requester.who,
                    std::min(left, stop_retry_.load()));
    return;
  }
  for (const StopTarget& target : targets) {
    CommandUpdate lost;
    lost.operation = row.id;
    lost.agent = target.agent;
    lost.final_answer = true;
    lost.gave_up = row.kind == "stop";
    lost.outcome_unknown = true;
    lost.error = lost.gave_up ? "its time passed while the coordinator was away"
                              : "the coordinator was restarted meanwhile; look at the printer's "
                                "state";
    on_update(lost);
  }
}

}  // namespace firebreak::coordinator
