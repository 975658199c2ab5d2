#include "coordinator/cli/stop_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "coordinator/cli/render.h"

namespace firebreak::cli {
namespace {

std::vector<int> widths() { return {16, 12, 34}; }

Tone tone_of(const std::string& outcome) { return outcome == "proven" ? Tone::good : Tone::alarm; }

}  // namespace

StopReport::Entry* StopReport::find(const std::string& printer, const std::string& agent) {
  for (auto& entry : entries_) {
    if (entry.answer.printer == printer && entry.answer.agent == agent) return &entry;
  }
  return nullptr;
}

void StopReport::expect(const std::string& printer, const std::string& agent) {
  if (find(printer, agent) != nullptr) return;
  Entry entry;
  entry.answer.printer = printer;
  entry.answer.agent = agent;
  entries_.push_back(std::move(entry));
}

void StopReport::unknown_name(const std::string& name) {
  unknown_names_.push_back(name);
  ++tally_.unknown_names;
}

void StopReport::update(const StopAnswer& answer) {
  expect(answer.printer, answer.agent);
  Entry& entry = *find(answer.printer, answer.agent);
  if (entry.printed) return;
  entry.answer = answer;
  if (answer.final) print(entry);
}

bool StopReport::complete() const {
  for (const auto& entry : entries_) {
    if (!entry.printed) return false;
  }
  return true;
}

std::string StopReport::waiting_for() const {
  std::string text;
  for (const auto& entry : entries_) {
    if (entry.printed) continue;
    const auto& answer = entry.answer;
    text += (text.empty() ? "" : ", ") + answer.printer;
    if (!answer.state.empty()) text += " " + answer.state;
  }
  return text;
}

void StopReport::print(Entry& entry) {
  entry.printed = true;
  const StopAnswer& answer = entry.answer;
  if (answer.outcome == "proven")
    ++tally_.proven;
  else if (answer.outcome == "sent")
    ++tally_.sent;
  else
    ++tally_.not_sent;
  if (console_.json()) {
    const auto or_null = [](const std::string& text) {
      return text.empty() ? nlohmann::json() : nlohmann::json(text);
    };
    console_.document({{"type", "printer"},
                       {"printer", answer.printer},
                       {"agent", or_null(answer.agent)},
                       {"outcome", answer.outcome},
                       {"state", or_null(answer.state)},
                       {"message", or_null(answer.message)}});
    return;
  }
  const auto dash = [](const std::string& text) { return text.empty() ? "-" : text; };
  console_.row({{answer.printer, Tone::strong},
                {dash(answer.agent)},
                {outcome_text(answer.outcome), tone_of(answer.outcome)},
                {dash(answer.message), Tone::dim}},
               widths());
}

ExitStatus StopReport::finish(bool accepted) {
  for (auto& entry : entries_) {
    if (entry.printed) continue;
    StopAnswer& answer = entry.answer;
    const bool unanswered = accepted && answer.outcome.empty();
    if (answer.outcome.empty()) answer.outcome = "not_sent";
    if (unanswered && answer.message.empty()) answer.message = "no answer yet; nobody knows";
    print(entry);
    if (unanswered) {
      --tally_.not_sent;
      ++tally_.unanswered;
    }
  }
  for (const auto& name : unknown_names_) {
    console_.note("no printer is called '" + name + "': nothing was stopped for that name",
                  Tone::alarm);
  }
  const auto status = status_of_stop(tally_);
  if (console_.json()) {
    console_.document({{"type", "summary"},
                       {"proven", tally_.proven},
                       {"sent", tally_.sent},
                       {"not_sent", tally_.not_sent},
                       {"unanswered", tally_.unanswered},
                       {"unknown_names", unknown_names_},
                       {"exit_status", static_cast<int>(status)}});
    return status;
  }
  if (entries_.empty() && unknown_names_.empty()) {
    console_.note("there is no printer to stop; nothing was stopped", Tone::alarm);
  }
  const int unproven = tally_.sent + tally_.not_sent + tally_.unanswered;
  if (unproven > 0) {
    console_.note(fmt::format("{} of {} not proven: go there and pull the power", unproven,
                              unproven + tally_.proven),
                  Tone::alarm);
  }
  if (status != ExitStatus::done) console_.note("next: " + next_);
  return status;
}

}  // namespace firebreak::cli
