#pragma once

#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/uplink/enroll.h"
#include "agent/uplink/uplink.h"
#include "common/base/clock.h"
#include "common/identity/authority.h"
#include "common/identity/time_floor.h"
#include "common/wire/enrolment_token.h"
#include "coordinator/hub/hub.h"
#include "tests/unit/wire/fake_coordinator.h"
#include "tests/unit/wire/fake_guard.h"

namespace firebreak::test {

/// The present of these tests; certificates are made around it.
inline constexpr WallTime today{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1}};

/// A hub, a fake guard and an uplink in one process, over real TLS on the loopback and one
/// io_context that the test turns by hand.
class Farm : public ::testing::Test {
 protected:
  Farm();
  ~Farm() override;

  /// Turns the io_context until `done`, or fails the test after a time that only a hang reaches.
  void turn_until(const std::function<bool()>& done, const char* what);
  /// Turns it for as long as the loopback needs to bring what is under way.
  void turn_for(std::chrono::milliseconds time);

  void start_hub(std::uint16_t port = 0);
  void stop_hub();
  wire::EnrolmentToken make_token(const std::string& agent);
  /// Runs the enrolment on its own thread while the hub is turned here.
  Result<void> enroll(const wire::EnrolmentToken& token, const std::string& agent = "garage");
  uplink::Settings settings(const std::string& agent = "garage");
  void start_uplink();
  void stop_uplink();
  /// Hub, guard, enrolment, uplink: connected.
  void start_all();

  std::string folder;
  asio::io_context io;
  SystemClock real_clock;
  ManualClock clock;  ///< The coordinator's, and the uplink's judgement of time.
  std::optional<identity::Authority> authority;
  std::optional<identity::TimeFloor> hub_time;
  coordinator::HubOptions hub_options;
  FakeCoordinator coordinator;
  std::unique_ptr<coordinator::Hub> hub;
  std::unique_ptr<FakeGuard> guard;
  std::shared_ptr<uplink::Uplink> agent;
  uplink::Uplink::Rhythm rhythm;
};

}  // namespace firebreak::test
