#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "agent/uplink/printers/http_worker.h"
#include "agent/uplink/printers/polling_client.h"
#include "common/base/clock.h"
#include "tests/unit/uplink/fake_service.h"

namespace firebreak::test {

/// A network printer's client and its service over the loopback, on one io_context that the test
/// turns by hand. Ages are judged by a clock that the test owns.
class UplinkBench : public ::testing::Test {
 protected:
  UplinkBench() {
    std::string name = "/tmp/firebreak-uplink-XXXXXX";
    folder = ::mkdtemp(name.data());
  }
  ~UplinkBench() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  /// Turns the io_context until `done`, or fails the test after a time that only a hang reaches.
  void turn_until(const std::function<bool()>& done, const char* what) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (!done()) {
      io.restart();
      io.run_one_for(std::chrono::milliseconds{10});
      if (std::chrono::steady_clock::now() > limit) FAIL() << "never came: " << what;
    }
  }

  uplink::PollingClient::Parts parts(std::chrono::milliseconds every) {
    auto access = std::make_shared<uplink::HttpAccess>();
    access->base_url = service.url();
    return {io, clock, http, access, every, expected_uuid, expected_machine};
  }

  /// Starts a client that tells this bench everything.
  void start(std::shared_ptr<uplink::PollingClient> of) {
    client = std::move(of);
    client->start({[this](const uplink::PrinterFacts& now) {
                     facts = now;
                     ++told;
                   },
                   [this](uplink::PrinterEvent event, const std::string& words) {
                     events.emplace_back(event, words);
                   }});
  }
  /// The facts of a whole round that begins now.
  const uplink::PrinterFacts& next_facts() {
    const int before = told;
    turn_until([&] { return told >= before + 2; }, "another round of questions");
    return facts;
  }
  void TearDown() override {
    if (client) client->close();
  }

  std::string folder;
  asio::io_context io;
  ManualClock clock;
  FakeService service{io};
  uplink::HttpWorker http{io};
  std::string expected_uuid, expected_machine;
  std::shared_ptr<uplink::PollingClient> client;
  uplink::PrinterFacts facts;
  int told = 0;
  std::vector<std::pair<uplink::PrinterEvent, std::string>> events;
};

}  // namespace firebreak::test
