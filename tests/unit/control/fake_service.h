#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/guard/control/service.h"

namespace firebreak::guard {

/// A guard that only writes down what it was asked, one readable line each.
class FakeService final : public GuardService {
 public:
  std::string served;  ///< Of serve(); the descriptor is the test's.
  int served_fd = -1;
  nlohmann::json status() override {
    calls.push_back("status");
    return {{"agent", "garage"},
            {"printers", nlohmann::json::array()},
            {"store", {{"log", "fedcba9876543210"}, {"last_seq", 7}}}};
  }
  Result<void> stop(const StopRequest& request, const Peer&) override {
    std::string line = request.all ? "stop all" : "stop";
    for (const auto& name : request.printers) line += " " + name;
    if (request.by_coordinator) line += " by coordinator";
    return say(line);
  }
  Result<void> reset(const ResetRequest& request, const Peer&) override {
    last_reset = request;
    return say("reset " +
               (request.host  ? "host"
                : request.all ? "all"
                              : request.printer) +
               " " + std::to_string(request.latch_number));
  }
  Result<void> release(const std::string& printer, const Peer&) override {
    if (while_releasing) while_releasing();
    return say("release " + printer);
  }
  Result<void> confirm(const std::string& printer, const Peer&) override {
    return say("confirm " + printer);
  }
  Result<void> arm(const std::string& printer, const Peer&) override {
    return say("arm " + printer);
  }
  Result<void> watch(const std::string& printer, int hours, const Peer&) override {
    return say("watch " + printer + " " + std::to_string(hours));
  }
  Result<nlohmann::json> commission(const std::string& printer, const std::string& step,
                                    const Peer&) override {
    say("commission " + printer + " " + step);
    return nlohmann::json{{"next", "press the button"}};
  }
  Result<nlohmann::json> models(const std::string& printer) override {
    say("models " + printer);
    return nlohmann::json{{"models", nlohmann::json::array()}};
  }
  Result<void> approve_model(const std::string& printer, const std::string& heater,
                             const Peer&) override {
    return say("approve_model " + printer + " " + heater);
  }
  Result<void> restart(const Peer&) override { return say("restart"); }
  Result<void> silence(const Peer&) override { return say("silence"); }
  Result<void> unpark(const Peer&) override { return say("unpark"); }
  Result<nlohmann::json> events(const std::string& log, std::uint64_t after, int limit) override {
    ++event_looks;
    if (throw_on_events) throw std::runtime_error("made up");
    auto list = nlohmann::json::array();
    for (const auto& event : stored) {
      if (event.at("seq").get<std::uint64_t>() > after && list.size() < std::size_t(limit)) {
        list.push_back(event);
      }
    }
    if (bare_list) return list;
    return nlohmann::json{{"log", log.empty() ? "0123456789abcdef" : log},
                          {"logs", nlohmann::json::array()},
                          {"events", list}};
  }
  Result<void> mark_durable(const std::string& log, std::uint64_t sequence) override {
    return say("durable " + log + " " + std::to_string(sequence));
  }
  Result<nlohmann::json> challenge(const std::string& printer, const Peer&) override {
    say("challenge " + printer);
    return nlohmann::json{{"challenge", std::string(64, 'a')}, {"generation", 3}};
  }
  Result<void> grant(const GrantAnswer& answer, const Peer&) override {
    return say("grant " + answer.printer + " " + answer.action);
  }
  Result<void> may_serve(const std::string& printer, const std::string& kind) override {
    if (kind != "moonraker") return fail(ErrorCode::refused, printer + " is of another kind");
    return {};
  }
  void serve(const std::string& printer, int fd) override {
    served = printer;
    served_fd = fd;
  }
  Result<void> add_event(const nlohmann::json& event, const Peer&) override {
    return say("event " + event.at("kind").get<std::string>());
  }
  Result<void> forget_restarts(const Peer&) override { return say("forget_restarts"); }

  std::function<void()> while_releasing;  ///< As a service that watches for an effect.
  std::vector<std::string> calls;
  std::vector<nlohmann::json> stored;
  ResetRequest last_reset;
  Result<void> answer;  ///< What every verb answers that has no data.
  int event_looks = 0;
  bool throw_on_events = false;
  bool bare_list = false;  ///< events() answers with the list alone.

 private:
  Result<void> say(std::string line) {
    calls.push_back(std::move(line));
    return answer;
  }
};

}  // namespace firebreak::guard
