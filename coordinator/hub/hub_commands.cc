// The half of the core that carries stops and commands.

#include <fmt/format.h>

#include <algorithm>

#include "common/base/hex.h"
#include "common/log/log.h"
#include "common/wire/grant.h"
#include "coordinator/hub/hub_core.h"

namespace firebreak::coordinator {
namespace {

/// An agent answers within this time beyond the command's own life, or not at all.
constexpr std::chrono::seconds answer_grace{5};
constexpr std::chrono::milliseconds grant_ttl{10'000};
constexpr std::size_t commands_max = 10'000;

/// A length of time as people say it; the next whole minute up.
std::string minutes_text(std::chrono::seconds time) {
  return fmt::format("{} min", std::chrono::ceil<std::chrono::minutes>(time).count());
}

std::vector<PrinterAnswer> answers(const wire::CommandResult& result) {
  std::vector<PrinterAnswer> out;
  for (const auto& p : result.printers) out.push_back({p.printer, p.outcome, p.state, p.message});
  return out;
}

}  // namespace

void HubCore::send_stop(std::vector<StopTarget> targets, const std::string& operation,
                        const std::string& who, std::chrono::seconds within) {
  const MonotonicTime now = ports_.clock.now();
  std::vector<OpenStop> away;
  // First everything that can leave leaves; only then is anything reported.
  for (StopTarget& target : targets) {
    OpenStop stop{operation,
                  std::move(target.agent),
                  std::move(target.printers),
                  who,
                  now + within,
                  {},
                  false,
                  false};
    const bool noted = stops_.add(stop);
    if (up(stop.agent) != nullptr) {
      send_stop_to(stop);
    } else {
      if (!noted) stop.expires = now;
      away.push_back(std::move(stop));
    }
  }
  for (const OpenStop& stop : away) {
    CommandUpdate update;
    update.operation = operation;
    update.agent = stop.agent;
    update.final_answer = stop.expires <= now;
    update.error =
        update.final_answer
            ? "not connected, and too many stops wait already"
            : "not connected; the stop is sent if it comes back within " + minutes_text(within);
    ports_.fleet.command_update(update);
  }
}

void HubCore::give_up(const OpenStop& stop, std::string why) {
  CommandUpdate update;
  update.operation = stop.operation;
  update.agent = stop.agent;
  update.final_answer = true;
  update.gave_up = true;
  update.outcome_unknown = stop.ever_sent;
  update.error = std::move(why) + (stop.ever_sent ? "; the stop was sent, its end was never told"
                                                  : "; the stop was never sent");
  ports_.fleet.command_update(update);
}

void HubCore::send_stop_to(const OpenStop& stop) {
  Session* session = up(stop.agent);
  if (session == nullptr) return;
  wire::Command command;
  command.id = stop.operation;
  command.epoch = epoch_;
  command.nonce = session->nonce().value_or(wire::Nonce{});
  command.ttl = std::chrono::duration_cast<std::chrono::milliseconds>(wire::ttl_max);
  command.verb = "stop";
  command.arguments["who"] = stop.who;
  if (stop.printers.empty()) {
    command.arguments["all"] = true;
  } else {
    command.arguments["printers"] = stop.printers;
  }
  session->send_urgent(wire::encode(command));
  stops_.sent(stop.operation, stop.agent, ports_.clock.now());
}

void HubCore::command(const std::string& agent, const std::string& id, const std::string& operation,
                      const std::string& verb, nlohmann::json arguments,
                      std::chrono::milliseconds ttl, std::optional<GrantRequest> grant) {
  Session* session = up(agent);
  if (session == nullptr || !session->nonce()) {
    return fail_command(operation, agent, "not connected; try again when it is", false, false);
  }
  if (is_cloned(agent)) {
    return fail_command(operation, agent,
                        "two processes use this agent's key; revoke and enroll it anew", true,
                        false);
  }
  if (commands_.size() >= commands_max || commands_.contains(id)) {
    return fail_command(operation, agent, "too many commands are open; try again", true, false);
  }
  wire::Command command{id, epoch_, *session->nonce(), ttl, verb, std::move(arguments)};
  commands_[id] = {operation, agent, ports_.clock.now() + ttl + answer_grace, std::move(grant)};
  session->send(wire::encode(command));
}

void HubCore::send_command(const std::string& agent, const std::string& operation,
                           const std::string& verb, nlohmann::json arguments,
                           std::chrono::milliseconds ttl) {
  command(agent, operation, operation, verb, std::move(arguments), ttl, std::nullopt);
}

void HubCore::send_grant(GrantRequest request) {
  const std::string agent = request.agent;
  const std::string operation = request.operation;
  nlohmann::json arguments{{"printer", request.printer}};
  command(agent, operation + ".c", operation, "challenge", std::move(arguments), grant_ttl,
          std::move(request));
}

void HubCore::on_challenge(Session& /*session*/, const GrantRequest& request,
                           const wire::CommandResult& result) {
  const auto give_up = [&](std::string why, bool refused) {
    fail_command(request.operation, request.agent, std::move(why), refused, false);
  };
  if (!result.error.empty()) return give_up(result.error, result.refused);
  const auto& data = result.data;
  const auto action = wire::grant_action(request.action);
  const bool has_challenge =
      data.is_object() && data.contains("challenge") && data["challenge"].is_string();
  const auto challenge = has_challenge
                             ? bytes_from_hex<32>(data["challenge"].get_ref<const std::string&>())
                             : std::nullopt;
  if (!challenge || !action || !data.contains("generation") ||
      !data["generation"].is_number_unsigned()) {
    return give_up("the guard's challenge cannot be read", false);
  }
  const auto generation = data["generation"].get<std::uint64_t>();
  if (generation != request.latch_number || generation > 0xffffffffu) {
    return give_up(fmt::format("the latch is number {} by now, not {}: look again at what happened",
                               generation, request.latch_number),
                   true);
  }
  const auto message = wire::grant_message(*challenge, *action,
                                           static_cast<std::uint32_t>(generation), request.printer);
  auto signature = options_.sign_grant
                       ? options_.sign_grant(message)
                       : Result<std::array<std::uint8_t, 64>>(
                             fail(ErrorCode::refused, "this coordinator has no reset key"));
  if (!signature) return give_up(signature.error().message, true);
  nlohmann::json arguments{{"printer", request.printer},
                           {"action", request.action},
                           {"challenge", data["challenge"]},
                           {"signature", to_hex(*signature)},
                           {"who", request.who}};
  command(request.agent, request.operation, request.operation, "grant", std::move(arguments),
          grant_ttl, std::nullopt);
}

void HubCore::answer(Session& session, const wire::CommandResult& result) {
  CommandUpdate update;
  update.operation = result.id;
  update.agent = session.agent();
  update.final_answer = result.final_answer;
  update.error = result.error;
  update.refused = result.refused;
  update.printers = answers(result);
  if (stops_.answered(result.id, session.agent(), result.final_answer)) {
    return ports_.fleet.command_update(update);
  }
  const auto found = commands_.find(result.id);
  if (found == commands_.end() || found->second.agent != session.agent()) {
    return log::warning("{}: an answer to nothing that was asked ('{}')", session.agent(),
                        result.id);
  }
  const PendingCommand pending = found->second;
  if (result.final_answer) commands_.erase(found);
  if (pending.grant) return on_challenge(session, *pending.grant, result);
  update.operation = pending.operation;
  if (result.data.is_object()) update.data = std::make_shared<const nlohmann::json>(result.data);
  ports_.fleet.command_update(update);
}

void HubCore::fail_command(const std::string& operation, const std::string& agent,
                           std::string error, bool refused, bool unknown) {
  CommandUpdate update;
  update.operation = operation;
  update.agent = agent;
  update.final_answer = true;
  update.error = std::move(error);
  update.refused = refused;
  update.outcome_unknown = unknown;
  ports_.fleet.command_update(update);
}

void HubCore::tick() {
  arm_tick();  // First: nothing below may end the ticking.
  const MonotonicTime now = ports_.clock.now();
  for (const OpenStop& stop : stops_.silent(now, options_.stop_resend)) send_stop_to(stop);
  for (const OpenStop& stop : stops_.take_expired(now)) {
    give_up(stop, stop.ever_sent ? "no final answer came in time" : "it did not come back in time");
  }
  for (auto at = commands_.begin(); at != commands_.end();) {
    if (at->second.deadline > now) {
      ++at;
      continue;
    }
    const PendingCommand pending = std::move(at->second);
    at = commands_.erase(at);
    fail_command(pending.operation, pending.agent, "no answer in time", false,
                 !pending.grant.has_value());
  }
  if (++ticks_ % 60 == 0) {
    if (reports_dropped_ > 0) log::warning("{} more refused connections", reports_dropped_);
    reports_dropped_ = 0;
    reports_left_ = reports_per_minute;
  }
}

}  // namespace firebreak::coordinator
