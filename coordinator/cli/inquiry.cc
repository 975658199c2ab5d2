#include "coordinator/cli/inquiry.h"

#include <poll.h>

#include <nlohmann/json.hpp>

#include "coordinator/cli/json_access.h"

namespace firebreak::cli {
namespace {

using Time = std::chrono::steady_clock;

constexpr int ask_every_ms = 500;
/// The coordinator itself gives up after 65 s.
constexpr std::chrono::seconds wait_max{75};

}  // namespace

Outcome<nlohmann::json> await_inquiry(Api& api, const std::string& id,
                                      const std::function<void(std::chrono::seconds)>& waited) {
  const auto began = Time::now();
  for (;;) {
    const auto inquiry = api.get("/api/v1/inquiries/" + url_part(id));
    if (!inquiry) return give_up(inquiry.error());
    const auto state = text_of(*inquiry, "state");
    const auto agent = text_of(*inquiry, "agent");
    if (state == "done") return field(*inquiry, "answer");
    if (state == "refused" || state == "failed") {
      return give_up(state == "refused" ? ExitStatus::refused : ExitStatus::failed,
                     agent + ": " + text_of(*inquiry, "error"), "firebreak agents");
    }
    if (Time::now() - began > wait_max)
      return give_up(ExitStatus::failed, agent + ": no answer in time", "firebreak agents");
    waited(std::chrono::floor<std::chrono::seconds>(Time::now() - began));
    poll(nullptr, 0, ask_every_ms);
  }
}

}  // namespace firebreak::cli
