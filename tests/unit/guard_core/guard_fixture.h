#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "agent/guard/core/guard_core.h"
#include "agent/guard/stop/estop_loop.h"
#include "agent/guard/supervisor/supervisor.h"
#include "tests/unit/guard_core/fake_board.h"

namespace firebreak::guard {

/// Keeps descriptors in the process, as a service manager keeps them over a restart.
class FakeKeeper final : public DescriptorKeeper {
 public:
  std::map<std::string, int, std::less<>> kept;

  std::optional<int> take(std::string_view name) override {
    const auto entry = kept.find(name);
    if (entry == kept.end()) return std::nullopt;
    return dup(entry->second);
  }
  void keep(std::string_view name, int fd) override { kept[std::string(name)] = dup(fd); }
  void forget(std::string_view name) override { kept.erase(std::string(name)); }
};

inline HeaterProfile heater(const std::string& name, HeaterKind kind, double limit) {
  HeaterProfile profile;
  profile.name = name;
  profile.kind = kind;
  profile.limit_celsius = limit;
  profile.safe_celsius = kind == HeaterKind::hotend ? 60 : 50;
  profile.minimum_celsius = 0;
  profile.fastest_rise_kelvin_per_s = 5;
  profile.watch_period = std::chrono::seconds{40};
  profile.watch_kelvin = 2;
  profile.hysteresis_period = std::chrono::seconds{40};
  profile.hysteresis_kelvin = 4;
  profile.overshoot_kelvin = 15;
  return profile;
}

inline PrinterConfig printer(const std::string& name, const std::string& relay) {
  PrinterConfig config;
  config.name = name;
  config.relay = relay;
  config.profile.name = "generic";
  config.profile.firmware = "marlin";
  config.profile.heaters = {heater("hotend", HeaterKind::hotend, 290),
                            heater("bed", HeaterKind::bed, 125)};
  config.profile.boot_time = std::chrono::seconds{5};
  return config;
}

/// Two printers behind two relays (heartbeat with a drop line, and plain), a third without one;
/// a button for all. Ports are pipes, so a test reads what the port took. Time is the test's own.
class GuardCase : public ::testing::Test {
 protected:
  static constexpr std::int64_t millisecond = 1'000'000;

  void SetUp() override {
    GuardConfig config;
    config.agent = "test";
    config.printers = {printer("p1", "r1"), printer("p2", "r2"), printer("p3", "")};
    core = std::make_unique<GuardCore>(config);
    for (std::size_t i = 0; i < config.printers.size(); ++i) {
      core->printers.push_back(std::make_unique<PrinterRuntime>(config.printers[i], i));
    }
    core->stop_event = eventfd(0, EFD_NONBLOCK);
    auto fake = std::make_unique<FakeBoard>(std::map<std::string, bool>{
        {"button", true}, {"r1_feedback", true}, {"r2_feedback", true}});
    board = fake.get();
    core->board = std::move(fake);
    core->mapped = *MappedState::open(keeper, "boot");
    add_input();
    add_relay("r1", true, 0);
    add_relay("r2", false, 1);
    for (auto& entry : core->printers) open_port(*entry);
    now_ns = clock.now().time_since_epoch().count();
    core->mapped->layout().last_pulse_ns.store(now_ns);
    loop = std::make_unique<EstopLoop>(*core, events, clock);
    for (auto& entry : core->printers) arm(*entry);
    loop->pass(now_ns, {}, false);
  }
  void TearDown() override {
    for (const int fd : read_ends) close(fd);
    close(core->stop_event);
  }

  void add_input() {
    auto input = std::make_unique<InputRuntime>();
    input->config.name = "button";
    input->line = *core->board->claim_input("button");
    input->pressed.store(false);
    input->zone = {0, 1, 2};
    core->inputs.push_back(std::move(input));
  }
  void add_relay(const std::string& name, bool heartbeat, std::size_t member) {
    RelayConfig config;
    config.name = name;
    config.heartbeat = heartbeat;
    config.line = name + "_line";
    if (heartbeat) config.drop_line = name + "_drop";
    config.feedback_line = name + "_feedback";
    config.hold = std::chrono::milliseconds{1500};
    core->relays.push_back(*Relay::claim(config, *core->board, heartbeat));
    core->relays.back()->members = {member};
    core->printers[member]->relay = core->relays.back().get();
    core->printers[member]->covered = true;
  }
  void open_port(PrinterRuntime& entry) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
    read_ends.push_back(ends[0]);
    entry.shared.port_fd.store(ends[1]);
    entry.mapped = &core->mapped->layout().printers[entry.index];
  }
  void arm(PrinterRuntime& entry) {
    entry.memory.state = machine::State::armed;
    entry.memory.relay_closed = entry.relay != nullptr;
    entry.seen.store(entry.memory);
  }

  void pass_after(std::int64_t milliseconds) {
    now_ns += milliseconds * millisecond;
    clock.advance(std::chrono::milliseconds{milliseconds});
    core->mapped->layout().last_pulse_ns.store(now_ns);
    loop->pass(now_ns, {}, false);
  }
  void press(bool level = false) {
    const InputEdge edge{core->inputs[0]->line, level, now_ns};
    loop->pass(now_ns, {&edge, 1}, false);
  }
  std::string port_took(std::size_t index) {
    char bytes[4096];
    const ssize_t size = read(read_ends[index], bytes, sizeof(bytes));
    return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
  }
  machine::State state(std::size_t index) { return core->printers[index]->memory.state; }

  ManualClock clock;
  FakeKeeper keeper;
  EventQueue events{1024};
  std::unique_ptr<GuardCore> core;
  FakeBoard* board = nullptr;
  std::unique_ptr<EstopLoop> loop;
  std::vector<int> read_ends;
  std::int64_t now_ns = 0;
};

}  // namespace firebreak::guard
