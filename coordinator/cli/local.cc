#include "coordinator/cli/local.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "coordinator/cli/json_access.h"
#include "coordinator/cli/render.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;
using Time = std::chrono::steady_clock;

constexpr int poll_interval_ms = 100;
// When a wait becomes worth a line of its own.
constexpr std::chrono::seconds progress_after{1};

Outcome<json> ask_guard(Context& context, const json& request) {
  auto guard = GuardClient::connect(context.guard_socket());
  if (!guard) return give_up(guard.error());
  return guard->ask(request);
}

const json* find_printer(const json& status, const std::string& name) {
  for (const auto& printer : list_of(status, "printers")) {
    if (text_of(printer, "name") == name) return &printer;
  }
  return nullptr;
}

StopAnswer answer_from(const json& printer) {
  StopAnswer answer;
  answer.printer = text_of(printer, "name");
  answer.state = text_of(printer, "state");
  answer.outcome = text_of(printer, "outcome");
  if (answer.outcome == "none") answer.outcome.clear();
  // In these states the guard has decided; in all others it is still at work.
  answer.final = !answer.outcome.empty() && (answer.state == "tripped" ||
                                             answer.state == "parked" || answer.state == "not_cut");
  if (answer.state == "not_cut") answer.message = "the relay did not open";
  return answer;
}

void show_host(Console& console, const json& status) {
  const auto& host = field(status, "host");
  std::string line =
      "agent " + text_of(status, "agent") + ", up " + age_text(whole_of(status, "uptime_ms"));
  console.heading(line, Tone::strong);
  if (flag_of(host, "latched")) {
    console.heading(
        fmt::format("HOST LATCHED, number {}: {}", whole_of(host, "latch_number").value_or(0),
                    joined(list_of(host, "causes"))),
        Tone::alarm);
  }
  for (const auto& input : list_of(host, "inputs")) {
    const auto state = text_of(input, "state");
    if (state != "released") {
      console.heading("input " + text_of(input, "name") + ": " + state, Tone::alarm);
    }
  }
  if (flag_of(status, "alarm")) console.heading("ALARM is sounding", Tone::alarm);
  const auto& store = field(status, "store");
  if (store.is_object() && !flag_of(store, "ok")) {
    console.heading("black box: " + text_of(store, "detail"), Tone::warning);
  }
  for (const auto& warning : list_of(status, "warnings")) {
    if (warning.is_string())
      console.heading("warning: " + warning.get<std::string>(), Tone::warning);
  }
}

Failure no_such_printer(const std::string& name, const json& status) {
  std::vector<std::string> names;
  std::string known;
  for (const auto& printer : list_of(status, "printers")) {
    known += (known.empty() ? "" : ", ") + text_of(printer, "name");
  }
  return {ExitStatus::not_found,
          "this host has no printer '" + name + "'; it has: " + (known.empty() ? "none" : known),
          "firebreak local status"};
}

// Sends one stop; names that the guard does not know must not keep the others from stopping, so a
// refusal of several names is repeated name by name.
Outcome<void> send_stop(GuardClient& guard, json request, const std::string& agent,
                        StopReport& report) {
  auto answer = guard.ask(request, std::chrono::seconds{3});
  if (answer) {
    if (request.contains("printers")) {
      for (const auto& name : request["printers"]) report.expect(name.get<std::string>(), agent);
    }
    return {};
  }
  if (!request.contains("printers")) return give_up(answer.error());
  const json names = request["printers"];
  bool any = false;
  Failure last = answer.error();
  for (const auto& name : names) {
    request["printers"] = json::array({name});
    auto single = guard.ask(request, std::chrono::seconds{3});
    if (single) {
      any = true;
      report.expect(name.get<std::string>(), agent);
    } else if (single.error().status == ExitStatus::not_found) {
      report.unknown_name(name.get<std::string>());
    } else {
      last = single.error();
      report.update({name.get<std::string>(), agent, "not_sent", "", last.message, true});
    }
  }
  if (any || last.status == ExitStatus::not_found) return {};
  return give_up(last);
}

void print_events(Context& context, const json& answer) {
  for (const auto& event : list_of(answer, "events")) {
    if (context.console.json()) {
      context.console.document(event);
    } else {
      context.console.row(event_cells(event), event_widths());
    }
  }
}

std::uint64_t newest_of(const json& answer, std::uint64_t before) {
  for (const auto& event : list_of(answer, "events")) {
    before = std::max(before, static_cast<std::uint64_t>(whole_of(event, "seq").value_or(0)));
  }
  return before;
}

// Where the newest `limit` events of the current log begin.
std::uint64_t tail_of(const json& status, int limit) {
  const auto last = whole_of(field(status, "store"), "last_seq").value_or(0);
  return last > limit ? static_cast<std::uint64_t>(last - limit) : 0;
}

}  // namespace

std::string Context::guard_socket() const {
  if (!socket.empty()) return socket;
  return env("FIREBREAK_SOCKET").value_or(default_guard_socket);
}

std::string Context::who() const { return env("USER").value_or("somebody") + " by firebreak"; }

Done local_status(Context& context, const std::string& printer) {
  auto status = ask_guard(context, {{"do", "status"}});
  if (!status) return give_up(status.error());
  status->erase("ok");
  if (!printer.empty()) {
    const json* found = find_printer(*status, printer);
    if (found == nullptr) return give_up(no_such_printer(printer, *status));
    if (context.console.json())
      context.console.document(*found);
    else
      context.console.table(printer_facts(*found), "");
    return ExitStatus::done;
  }
  if (context.console.json()) {
    context.console.document(*status);
    return ExitStatus::done;
  }
  show_host(context.console, *status);
  context.console.table(printers_table(list_of(*status, "printers"), false),
                        "this guard has no printers; add them to guard.yaml");
  return ExitStatus::done;
}

Outcome<void> LocalStop::send() {
  auto guard = GuardClient::connect(context_.guard_socket());
  if (!guard) return give_up(guard.error());
  guard_.emplace(std::move(*guard));
  json request = {{"do", "stop"}, {"cause", "person"}, {"who", context_.who()}};
  if (order_.printers.empty())
    request["all"] = true;
  else
    request["printers"] = order_.printers;
  sent_ = Time::now();
  return send_stop(*guard_, request, order_.agent, report_);
}

void LocalStop::follow() {
  for (;;) {
    look();
    if (report_.complete()) return;
    const auto waited = Time::now() - sent_;
    if (waited >= order_.wait) return;
    if (waited >= progress_after) {
      context_.console.progress(
          fmt::format("sent; waiting for proof: {} ({} s)", report_.waiting_for(),
                      std::chrono::floor<std::chrono::seconds>(waited).count()));
    }
    poll(nullptr, 0, poll_interval_ms);
  }
}

bool LocalStop::is_asked(const std::string& printer) const {
  const auto& names = order_.printers;
  return names.empty() || std::find(names.begin(), names.end(), printer) != names.end();
}

void LocalStop::look() {
  auto status = guard_->ask({{"do", "status"}}, std::chrono::seconds{2});
  if (!status) {
    // The stop was accepted; a guard that restarts at this moment is asked again.
    poll(nullptr, 0, poll_interval_ms);
    if (auto again = GuardClient::connect(context_.guard_socket())) *guard_ = std::move(*again);
    return;
  }
  for (const auto& printer : list_of(*status, "printers")) {
    StopAnswer answer = answer_from(printer);
    answer.agent = order_.agent;
    if (is_asked(answer.printer)) report_.update(answer);
  }
}

Done local_stop(Context& context, const StopOrder& order) {
  StopReport report(context.console, "firebreak local status");
  LocalStop stop(context, order, report);
  if (auto sent = stop.send(); !sent) {
    Failure failure = sent.error();
    for (const auto& name : order.printers) report.expect(name, "");
    if (!report.empty()) report.finish(false);
    failure.message += ". NOT SENT: pull the power";
    return give_up(failure);
  }
  stop.follow();
  return report.finish(true);
}

Done local_reset(Context& context, const ResetOrder& order) {
  json request = {{"do", "reset"}};
  if (order.all)
    request["all"] = true;
  else if (order.host)
    request["host"] = true;
  else
    request["printer"] = order.printer;
  if (order.latch_number >= 0) request["latch_number"] = order.latch_number;
  if (!order.reason.empty()) request["reason"] = order.reason;
  if (!order.measured_celsius.empty()) {
    request["measured_celsius"] = json::parse(order.measured_celsius, nullptr, false);
  }
  auto answer = ask_guard(context, request);
  if (!answer) return give_up(answer.error());
  if (context.console.json()) context.console.document(*answer);
  context.console.note(
      order.host ? "the host's latch is clear; reset each printer now"
                 : "reset; probation has begun. When it is clean: firebreak local release " +
                       (order.all ? std::string("PRINTER") : order.printer));
  return ExitStatus::done;
}

Done local_order(Context& context, const PlainOrder& order) {
  json request = {{"do", order.verb}};
  if (!order.printer.empty()) request["printer"] = order.printer;
  if (order.verb == "watch") request["hours"] = order.hours;
  auto answer = ask_guard(context, request);
  if (!answer) return give_up(answer.error());
  answer->erase("ok");
  if (context.console.json()) {
    (*answer)["ok"] = true;
    context.console.document(*answer);
    return ExitStatus::done;
  }
  for (const auto& [name, value] : answer->items()) {
    context.console.row(
        {{name, Tone::dim}, {value.is_string() ? value.get<std::string>() : value.dump()}}, {16});
  }
  context.console.note("done: " + order.verb +
                       (order.printer.empty() ? std::string{} : " " + order.printer));
  return ExitStatus::done;
}

Done local_events(Context& context, const EventsQuery& query) {
  auto guard = GuardClient::connect(context.guard_socket());
  if (!guard) return give_up(guard.error());
  std::uint64_t after = 0;
  if (query.after >= 0) {
    after = static_cast<std::uint64_t>(query.after);
  } else if (query.log.empty()) {
    auto status = guard->ask({{"do", "status"}});
    if (!status) return give_up(status.error());
    after = tail_of(*status, query.limit);
  }
  std::string current_log;
  for (int left = query.limit;;) {
    json request = {{"do", "events"}, {"after", after}};
    request["limit"] = query.follow ? 500 : std::clamp(left, 1, 500);
    if (!query.log.empty()) request["log"] = query.log;
    if (query.follow) request["wait_ms"] = 5000;
    auto answer = guard->ask(request, std::chrono::seconds{10});
    if (!answer) return give_up(answer.error());
    const auto log = text_of(*answer, "log");
    if (!current_log.empty() && log != current_log) {
      // The black box was replaced: the new log counts from 1.
      current_log = log;
      after = 0;
      continue;
    }
    current_log = log;
    print_events(context, *answer);
    const auto count = static_cast<int>(list_of(*answer, "events").size());
    after = newest_of(*answer, after);
    left -= count;
    if (!query.follow && (count == 0 || left <= 0)) return ExitStatus::done;
    if (context.console.out_is_broken()) return ExitStatus::failed;
  }
}

}  // namespace firebreak::cli
