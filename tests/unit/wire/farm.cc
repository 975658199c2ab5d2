#include "tests/unit/wire/farm.h"

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "common/identity/bytes.h"

namespace firebreak::test {

Farm::Farm() {
  std::string name = "/tmp/firebreak-wire-XXXXXX";
  folder = ::mkdtemp(name.data());
  clock.set_wall(today);
  hub_time.emplace(clock, "");
  hub_time->raise(today);
  authority = identity::Authority::create(today).value();
  auto server = authority->issue_server({"127.0.0.1"}, today, std::chrono::hours{24 * 365}).value();
  hub_options.credentials = {server.certificate_chain_pem, server.key_pem};
  hub_options.sign_grant = [](std::span<const std::uint8_t>) {
    return std::array<std::uint8_t, 64>{};
  };
  hub_options.stop_resend = std::chrono::milliseconds{200};
  rhythm.telemetry = std::chrono::milliseconds{20};
  guard = std::make_unique<FakeGuard>(io, folder + "/uplink.sock");
}

Farm::~Farm() {
  stop_uplink();
  stop_hub();
  guard.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

void Farm::turn_until(const std::function<bool()>& done, const char* what) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  while (!done()) {
    io.restart();
    io.run_one_for(std::chrono::milliseconds{10});
    if (std::chrono::steady_clock::now() > limit) FAIL() << "never came: " << what;
  }
}

void Farm::turn_for(std::chrono::milliseconds time) {
  io.restart();
  io.run_for(time);
}

void Farm::start_hub(std::uint16_t port) {
  hub_options.port = port;
  hub = std::make_unique<coordinator::Hub>(
      io,
      coordinator::Hub::Ports{coordinator, coordinator, coordinator, *authority, *hub_time, clock},
      hub_options);
  const auto started = hub->start();
  ASSERT_TRUE(started) << started.error().message;
}

void Farm::stop_hub() {
  if (!hub) return;
  hub->stop();
  turn_for(std::chrono::milliseconds{50});
  hub.reset();
}

wire::EnrolmentToken Farm::make_token(const std::string& agent_name) {
  wire::EnrolmentToken token;
  token.host = "127.0.0.1";
  token.port = hub->port();
  token.authority = authority->certificate().fingerprint;
  token.secret = identity::random_bytes<32>();
  token.agent = agent_name;
  const std::scoped_lock lock(coordinator.mutex);
  coordinator.enrolments[to_hex(identity::sha256(token.secret))] = {agent_name, false, false};
  return token;
}

uplink::Settings Farm::settings(const std::string& agent_name) {
  uplink::Settings out;
  out.agent = agent_name;
  out.guard_socket = folder + "/uplink.sock";
  out.state_dir = folder + "/" + agent_name;
  out.reconnect_min = std::chrono::milliseconds{5};
  out.reconnect_max = std::chrono::milliseconds{40};
  return out;
}

Result<void> Farm::enroll(const wire::EnrolmentToken& token, const std::string& agent_name) {
  std::optional<Result<void>> result;
  std::atomic<bool> finished = false;
  std::thread person([&] {
    result = uplink::enroll(settings(agent_name), wire::encode_token(token), clock);
    finished = true;
  });
  turn_until([&] { return finished.load(); }, "the end of the enrolment");
  person.join();
  return *result;
}

void Farm::start_uplink() {
  agent = uplink::Uplink::create(io, clock, settings(), rhythm);
  const auto started = agent->start();
  ASSERT_TRUE(started) << started.error().message;
}

void Farm::stop_uplink() {
  if (!agent) return;
  agent->stop();
  turn_for(std::chrono::milliseconds{20});
  agent.reset();
}

void Farm::start_all() {
  start_hub();
  guard->open();
  const auto enrolled = enroll(make_token("garage"));
  ASSERT_TRUE(enrolled) << enrolled.error().message;
  start_uplink();
  turn_until([&] { return agent->is_up() && !coordinator.newest["garage"].is_null(); },
             "a session with telemetry");
}

}  // namespace firebreak::test
