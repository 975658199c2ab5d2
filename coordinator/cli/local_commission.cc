// `firebreak local commission`, `models` and `approve-model`: learning the heaters of a printer.
#include <fmt/format.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>

#include "coordinator/cli/json_access.h"
#include "coordinator/cli/local.h"
#include "coordinator/cli/render.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;

/// The guard takes a command line that is silent for 4 s for closed, and ends the heat.
constexpr int look_every_ms = 500;
/// When the person is asked aloud.
constexpr std::int64_t ask_before_ms = 30'000;

/// The person's keyboard, read without the stream's buffer: what was typed before a question is no
/// answer to it.
class Keyboard {
 public:
  enum class Said { nothing, enter, closed };

  void forget() const { tcflush(STDIN_FILENO, TCIFLUSH); }

  /// Waits at most so long for a line.
  [[nodiscard]] Said wait(int limit_ms) const {
    pollfd in{STDIN_FILENO, POLLIN, 0};
    const int ready = poll(&in, 1, limit_ms);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return Said::nothing;
    char typed[256];
    const ssize_t size = ready < 0 ? -1 : read(STDIN_FILENO, typed, sizeof(typed));
    return size > 0 ? Said::enter : Said::closed;
  }
};

/// Whether what this program is given to read is a terminal of its own.
bool a_person_types(const Context& context) {
  return &context.in == &std::cin && isatty(STDIN_FILENO) == 1;
}

std::string reading_text(const json& heater) {
  const auto celsius = number_of(heater, "celsius");
  const auto target = number_of(heater, "target");
  return fmt::format("{} {}/{}", text_of(heater, "name"),
                     celsius ? fmt::format("{:.1f}", *celsius) : "?",
                     target ? fmt::format("{:.0f}", *target) : "?");
}

std::string progress_text(const json& progress) {
  std::string heaters;
  for (const auto& heater : list_of(progress, "heaters")) {
    heaters += (heaters.empty() ? "" : ", ") + reading_text(heater);
  }
  const auto left_s = whole_of(progress, "stage_left_ms").value_or(0) / 1000;
  const auto confirm_s = whole_of(progress, "confirm_in_ms").value_or(0) / 1000;
  return fmt::format(
      "{}/{} {}, {} {} s; {}; Enter within {} s", whole_of(progress, "stage_number").value_or(0),
      whole_of(progress, "stages").value_or(0), text_of(progress, "stage"),
      flag_of(progress, "until_reached") ? "at most" : "still", left_s, heaters, confirm_s);
}

Table learned_table(const json& result) {
  Table table;
  table.header = {"HEATER", "MODEL", "DETAIL"};
  table.cut = false;
  for (const auto& heater : list_of(result, "heaters")) {
    const bool learned = flag_of(heater, "learned");
    const auto detail = learned ? fmt::format("{:.2f} K/s at full power, residual {:.1f} %",
                                              number_of(heater, "rise_kelvin_per_s").value_or(0),
                                              100 * number_of(heater, "residual").value_or(0))
                                : text_of(heater, "why");
    table.rows.push_back({{text_of(heater, "name"), Tone::strong},
                          {learned ? "learned" : "refused", learned ? Tone::good : Tone::warning},
                          {detail}});
  }
  return table;
}

Done tell_result(Context& context, const std::string& printer, const json& result) {
  if (!list_of(result, "heaters").empty()) context.console.table(learned_table(result), "");
  const auto outcome = text_of(result, "outcome");
  if (outcome == "learned") {
    context.console.note("commissioned; the models are in use", Tone::good);
    return ExitStatus::done;
  }
  if (outcome == "refused") {
    return give_up(
        ExitStatus::check_says_no, "not every heater could be learned",
        "do what the table says, let it cool, and repeat: firebreak local commission " + printer);
  }
  return give_up(ExitStatus::failed, "the heat-up ended: " + text_of(result, "reason"),
                 "firebreak local status " + printer);
}

/// The checks as a table.
void show_checks(Context& context, const json& report) {
  Table table;
  table.header = {"CHECK", "STATE", "DETAIL", "NEXT"};
  table.cut = false;
  for (const auto& item : list_of(report, "items")) {
    const auto state = text_of(item, "state");
    table.rows.push_back({{text_of(item, "name"), Tone::strong},
                          {state, state == "done" ? Tone::good : Tone::warning},
                          {text_of(item, "detail")},
                          {text_of(item, "next")}});
  }
  context.console.table(table, "there is nothing to check");
}

/// One supervised heat-up, from the person's first Enter to its end.
class HeatUp {
 public:
  HeatUp(Context& context, GuardClient& guard, std::string printer)
      : context_(context), guard_(guard), printer_(std::move(printer)) {}

  Done run() {
    auto begun = ask("begin");
    if (!begun) return give_up(begun.error());
    for (json progress = *begun; flag_of(progress, "running");) {
      context_.console.progress(progress_text(progress));
      remind(progress);
      const auto said = keyboard_.wait(look_every_ms);
      if (said == Keyboard::Said::closed) return leave();
      if (said == Keyboard::Said::enter) reminded_ = false;
      auto next = ask(said == Keyboard::Said::enter ? "confirm" : "look");
      // A confirmation that came just as the heat-up ended is no failure: look how it ended.
      if (!next && next.error().status == ExitStatus::refused) next = ask("look");
      if (!next) return give_up(next.error());
      progress = std::move(*next);
      last_ = field(progress, "result");
    }
    context_.console.progress("");
    return tell_result(context_, printer_, last_);
  }

 private:
  Outcome<json> ask(const char* step) {
    return guard_.ask({{"do", "commission"}, {"printer", printer_}, {"step", step}});
  }

  void remind(const json& progress) {
    const auto left_ms = whole_of(progress, "confirm_in_ms").value_or(0);
    if (left_ms > ask_before_ms || reminded_) return;
    reminded_ = true;
    context_.console.note(
        "\aLook at the machine. Is everything as it should be? Press Enter; "
        "anything else: firebreak local stop",
        Tone::strong);
  }

  Done leave() {
    (void)ask("cancel");
    return give_up(ExitStatus::failed, "the terminal was closed: heat is being ended by a stop",
                   "firebreak local status " + printer_);
  }

  Context& context_;
  GuardClient& guard_;
  const std::string printer_;
  Keyboard keyboard_;
  json last_;
  bool reminded_ = false;
};

void explain(Console& console, const std::string& printer) {
  console.note("The guard now heats " + printer +
               " by itself, about 10 to 20 minutes: each hotend, then the bed. Nothing may be on "
               "the bed, the nozzle clean, no filament moving. Stay with it: every 60 s it wants "
               "an Enter; without one, or when this is closed, the printer is stopped.");
  console.note("Press Enter to begin, Ctrl-C to leave.", Tone::strong);
}

}  // namespace

Done local_commission(Context& context, const std::string& printer) {
  auto guard = GuardClient::connect(context.guard_socket());
  if (!guard) return give_up(guard.error());
  auto report = guard->ask({{"do", "commission"}, {"printer", printer}});
  if (!report) return give_up(report.error());
  auto& console = context.console;
  const bool complete = flag_of(*report, "complete");
  if (console.json()) {
    console.document(*report);
    return complete ? ExitStatus::done : ExitStatus::check_says_no;
  }
  show_checks(context, *report);
  if (!flag_of(*report, "ready")) {
    for (const auto& blocker : list_of(*report, "blockers")) {
      if (blocker.is_string()) console.note("first: " + blocker.get<std::string>(), Tone::warning);
    }
    return give_up(ExitStatus::check_says_no, "commissioning is not complete",
                   "do what the list says, then repeat: firebreak local commission " + printer);
  }
  // Nothing heats without a person; a pipe is none.
  if (!a_person_types(context)) {
    if (complete) return ExitStatus::done;
    return give_up(ExitStatus::check_says_no,
                   "the checks are done; the heat-up needs a person at a terminal",
                   "firebreak local commission " + printer);
  }
  const Keyboard keyboard;
  keyboard.forget();
  explain(console, printer);
  if (keyboard.wait(-1) != Keyboard::Said::enter) {
    return give_up(ExitStatus::check_says_no, "not begun: nothing was heated",
                   "firebreak local commission " + printer);
  }
  // The checks may be old by now; the guard makes them again.
  guard = GuardClient::connect(context.guard_socket());
  if (!guard) return give_up(guard.error());
  return HeatUp(context, *guard, printer).run();
}

Done local_models(Context& context, const std::string& printer) {
  auto guard = GuardClient::connect(context.guard_socket());
  if (!guard) return give_up(guard.error());
  json request = {{"do", "models"}};
  if (!printer.empty()) request["printer"] = printer;
  auto answer = guard->ask(request);
  if (!answer) return give_up(answer.error());
  if (context.console.json()) {
    context.console.document({{"models", list_of(*answer, "models")}});
    return ExitStatus::done;
  }
  const auto words = [](const json& stored) {
    if (!stored.is_object()) return std::string("-");
    return fmt::format("{:.2f} K/s, residual {:.1f} %, by {}",
                       number_of(stored, "rise_kelvin_per_s").value_or(0),
                       100 * number_of(stored, "residual").value_or(0), text_of(stored, "by"));
  };
  Table table;
  table.header = {"PRINTER", "HEATER", "IN USE", "MODEL", "PROPOSAL", "ASKS AGAIN"};
  table.cut = false;
  for (const auto& entry : list_of(*answer, "models")) {
    const auto why = text_of(field(entry, "model"), "asks_again");
    const bool used = flag_of(entry, "in_use");
    table.rows.push_back({{text_of(entry, "printer"), Tone::strong},
                          {text_of(entry, "heater")},
                          {used ? "model" : "wide limits", used ? Tone::good : Tone::warning},
                          {words(field(entry, "model"))},
                          {words(field(entry, "proposal"))},
                          {why.empty() ? "-" : why, Tone::warning}});
  }
  context.console.table(table, "this guard has no printers; add them to guard.yaml");
  return ExitStatus::done;
}

Done local_approve_model(Context& context, const std::string& printer, const std::string& heater) {
  auto guard = GuardClient::connect(context.guard_socket());
  if (!guard) return give_up(guard.error());
  json request = {{"do", "approve_model"}, {"printer", printer}};
  if (!heater.empty()) request["heater"] = heater;
  auto answer = guard->ask(request);
  if (!answer) return give_up(answer.error());
  if (context.console.json()) context.console.document(*answer);
  context.console.note("approved; in use from the next reading on", Tone::good);
  return ExitStatus::done;
}

}  // namespace firebreak::cli
