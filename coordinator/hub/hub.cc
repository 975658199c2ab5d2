#include "coordinator/hub/hub.h"

#include <nlohmann/json.hpp>

#include "common/wire/cbor.h"
#include "coordinator/hub/hub_core.h"

namespace firebreak::coordinator {

struct Hub::Impl {
  std::shared_ptr<HubCore> core;

  template <class Function>
  void on_strand(Function function) {
    asio::post(core->executor(),
               [core = core, function = std::move(function)]() mutable { function(*core); });
  }
};

Hub::Hub(asio::io_context& io, Ports ports, HubOptions options) : impl_(std::make_shared<Impl>()) {
  impl_->core = std::make_shared<HubCore>(io, ports, std::move(options));
}

Hub::~Hub() { impl_->core->join(); }

Result<void> Hub::start() { return impl_->core->listen(); }
void Hub::stop() { impl_->core->stop(); }
std::uint16_t Hub::port() const { return impl_->core->port(); }

void Hub::send_stop(std::vector<StopTarget> targets, std::string operation, std::string who,
                    std::chrono::seconds within) {
  impl_->on_strand([targets = std::move(targets), operation = std::move(operation),
                    who = std::move(who), within](HubCore& core) mutable {
    core.send_stop(std::move(targets), operation, who, within);
  });
}

void Hub::send_grant(GrantRequest request) {
  impl_->on_strand([request = std::move(request)](HubCore& core) mutable {
    core.send_grant(std::move(request));
  });
}

void Hub::send_command(std::string agent, std::string operation, std::string verb,
                       std::string arguments, std::chrono::milliseconds ttl) {
  impl_->on_strand([agent = std::move(agent), operation = std::move(operation),
                    verb = std::move(verb), arguments = std::move(arguments),
                    ttl](HubCore& core) mutable {
    auto parsed = wire::parse_json(arguments);
    core.send_command(agent, operation, verb,
                      parsed ? std::move(*parsed) : nlohmann::json::object(), ttl);
  });
}

void Hub::cut_off(std::string agent, std::string reason) {
  impl_->on_strand([agent = std::move(agent), reason = std::move(reason)](HubCore& core) {
    core.cut_off(agent, reason);
  });
}

bool Hub::approve_renewal(const std::string& agent) { return impl_->core->approve_renewal(agent); }

void Hub::tell_durable(std::string agent, LogPosition position) {
  impl_->on_strand([agent = std::move(agent), position = std::move(position)](HubCore& core) {
    core.tell_durable(agent, position);
  });
}

std::vector<std::string> Hub::connected_agents() const { return impl_->core->connected(); }

}  // namespace firebreak::coordinator
