#include "coordinator/cli/operation.h"

#include <poll.h>

#include <nlohmann/json.hpp>

#include "coordinator/cli/json_access.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;
using Time = std::chrono::steady_clock;

constexpr int poll_interval_ms = 300;

}  // namespace

Outcome<void> follow_operation(Api& api, const std::string& id, std::chrono::seconds wait,
                               const std::function<bool(const json&)>& on_answer,
                               const std::function<void(std::chrono::seconds)>& on_tick) {
  const auto started = Time::now();
  const auto path = "/api/v1/operations/" + url_part(id);
  bool heard_enough = false;
  const auto tick = [&] {
    on_tick(std::chrono::floor<std::chrono::seconds>(Time::now() - started));
    return true;
  };
  const auto on_event = [&](const SseEvent& event) {
    if (event.type == "done") return false;
    const auto value = json::parse(event.data, nullptr, false);
    if (value.is_object() && !on_answer(value)) heard_enough = true;
    return !heard_enough;
  };
  if (wait.count() > 0) (void)api.follow(path + "/events", {}, wait, on_event, tick);
  // The last word is the operation itself: it also has what a broken stream lost.
  for (;;) {
    if (heard_enough) return {};
    const auto operation = api.get(path);
    if (operation) {
      for (const auto& answer : list_of(*operation, "printers")) {
        if (!on_answer(answer)) heard_enough = true;
      }
      if (heard_enough || text_of(*operation, "state") == "done") return {};
    }
    if (Time::now() - started >= wait) {
      if (!operation) return give_up(operation.error());
      return {};
    }
    tick();
    poll(nullptr, 0, poll_interval_ms);
  }
}

}  // namespace firebreak::cli
