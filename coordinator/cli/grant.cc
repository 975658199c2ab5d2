#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "coordinator/cli/json_access.h"
#include "coordinator/cli/operation.h"
#include "coordinator/cli/remote.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;

Done verdict(const GrantOrder& order, const json& answer, const char* word) {
  const auto result = text_of(answer, "result");
  const auto message = text_of(answer, "message");
  const std::string next = "firebreak status --printer " + order.printer;
  if (result == "done") return ExitStatus::done;
  if (result == "refused") {
    return give_up(ExitStatus::refused, fmt::format("{} refused: {}", word, message), next);
  }
  if (result == "failed") {
    const bool offline = text_of(answer, "code") == "agent_offline";
    return give_up(
        ExitStatus::failed, fmt::format("{} failed: {}", word, message),
        offline ? "at the machine: firebreak local " + std::string(word) + " " + order.printer
                : next);
  }
  return give_up(ExitStatus::outcome_unknown,
                 fmt::format("{} was sent, but {} has not answered{}{}", word, order.printer,
                             message.empty() ? "" : ": ", message),
                 next);
}

}  // namespace

Done fleet_grant(Context& context, const GrantOrder& order) {
  const char* word = order.release ? "release" : "reset";
  if (!order.release && order.latch_number < 0) {
    return give_up(ExitStatus::usage,
                   "a reset names the latch number that the printer shows, so that a newer cause "
                   "is never reset unseen",
                   "firebreak status --printer " + order.printer + "; then firebreak reset " +
                       order.printer + " --latch N --reason \"what you found\"");
  }
  auto api = Api::open(context);
  if (!api) return give_up(api.error());
  json body = json::object();
  if (!order.release) body["latch_number"] = order.latch_number;
  if (!order.reason.empty()) body["reason"] = order.reason;
  const auto started = api->post("/api/v1/printers/" + url_part(order.printer) + "/" + word, body);
  if (!started) return give_up(started.error());
  json newest;
  const auto followed = follow_operation(
      *api, text_of(*started, "operation"), order.wait,
      [&](const json& answer) {
        newest = answer;
        return !flag_of(answer, "final");
      },
      [&](std::chrono::seconds waited) {
        if (waited.count() < 1) return;
        context.console.progress(
            fmt::format("{}: waiting for {} ({} s)", word, order.printer, waited.count()));
      });
  if (!followed) context.console.note(followed.error().message);
  if (context.console.json() && newest.is_object()) context.console.document(newest);
  auto done = verdict(order, newest, word);
  if (done) {
    context.console.note(order.release ? order.printer + " is released: armed, cold"
                                       : order.printer +
                                             " is reset; probation has begun. When it "
                                             "is clean: firebreak release " +
                                             order.printer);
  }
  return done;
}

}  // namespace firebreak::cli
