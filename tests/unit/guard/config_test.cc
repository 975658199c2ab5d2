#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "agent/guard/config/guard_config.h"

namespace firebreak::guard {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

const char* const good_board = R"(name: bench
kind: sim
socket: board.sock
inputs:
  - { name: button, line: button, kind: button, zone: all }
relays:
  - { name: r1, kind: heartbeat, pulse_line: a, drop_line: b, hold_ms: 1500, )"
                               R"(feedback_line: c, covers: [p1/hotend, p1/bed], rating: "10 A" }
alarm: { line: alarm }
)";

const char* const good_guard = R"(agent: garage
run_dir: run
state_dir: /var/lib/firebreak
board: board.yaml
printers:
  - { name: p1, profile: generic-marlin, port: /dev/ttyUSB0, relay: r1, identity: { uuid: abc } }
)";

/// A folder with a guard.yaml and a board.yaml that tests change line by line.
class GuardConfigFile : public ::testing::Test {
 protected:
  GuardConfigFile() {
    std::string name = (fs::temp_directory_path() / "guard-config-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    write("guard.yaml", good_guard);
    write("board.yaml", good_board);
  }
  ~GuardConfigFile() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }

  /// The good file with one piece of its text replaced.
  void change(const std::string& name, const std::string& from, const std::string& to) {
    std::ifstream in(folder_ / name);
    std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write(name, text.replace(at, from.size(), to));
  }

  Result<GuardConfig> load() { return load_guard_config(folder_ / "guard.yaml"); }

  /// The message of a refusal; empty if it was accepted.
  std::string refusal() {
    const auto config = load();
    if (config) return {};
    EXPECT_EQ(config.error().code, ErrorCode::bad_input) << config.error().message;
    return config.error().message;
  }

  std::string warnings() {
    const auto config = load();
    if (!config) return "refused: " + config.error().message;
    std::string all;
    for (const auto& warning : config->warnings) all += warning + "\n";
    return all;
  }

  fs::path folder_;
};

TEST_F(GuardConfigFile, AGoodFileIsReadWhole) {
  const auto config = load();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->agent, "garage");
  EXPECT_EQ(config->run_dir, folder_ / "run");
  EXPECT_EQ(config->state_dir, "/var/lib/firebreak");
  ASSERT_EQ(config->printers.size(), 1U);
  const auto& printer = config->printers[0];
  EXPECT_EQ(printer.baud, 115200);
  EXPECT_EQ(printer.pty, "p1");
  EXPECT_EQ(printer.expected_uuid, "abc");
  EXPECT_EQ(printer.relay, "r1");
  ASSERT_EQ(printer.profile.heaters.size(), 2U);
  EXPECT_EQ(printer.profile.heaters[0].name, "hotend");
  EXPECT_EQ(printer.profile.heaters[1].kind, HeaterKind::bed);
  EXPECT_EQ(config->board.socket, folder_ / "board.sock");
  ASSERT_EQ(config->board.relays.size(), 1U);
  EXPECT_TRUE(config->board.relays[0].heartbeat);
  EXPECT_EQ(config->board.relays[0].line, "a");
  EXPECT_EQ(config->board.relays[0].hold, std::chrono::milliseconds(1500));
  ASSERT_EQ(config->board.inputs.size(), 1U);
  EXPECT_TRUE(config->board.inputs[0].whole_host);
  EXPECT_EQ(config->board.alarm_line, "alarm");
  EXPECT_EQ(config->warnings, std::vector<std::string>{});
}

TEST_F(GuardConfigFile, WhatRefersToNothingIsRefusedWithItsPlace) {
  struct Row {
    const char *file, *from, *to, *place, *says;
  };
  for (const auto& row : {
           Row{"guard.yaml", "relay: r1", "relay: r9", "guard.yaml:6:", "no relay r9"},
           Row{"guard.yaml", "generic-marlin", "generic-martin", "guard.yaml:6:", "shipped:"},
           Row{"guard.yaml", "board.yaml", "nothing.yaml", "guard.yaml:4:", "nothing.yaml"},
           Row{"board.yaml", "p1/bed", "p1/chamber", "board.yaml:7:", "p1 has no heater chamber"},
           Row{"board.yaml", "p1/bed", "p2/bed", "board.yaml:7:", "no printer p2"},
           Row{"board.yaml", "zone: all", "zone: [p1, p3]", "board.yaml:5:", "no printer p3"},
           Row{"board.yaml", "zone: all", "zone: []", "board.yaml:5:", "stop nothing"},
           Row{"board.yaml", "zone: all", "zone: everything", "board.yaml:5:", "must be all"},
           Row{"board.yaml", "zone: all", "zone: [p1, p1]", "board.yaml:5:", "listed twice"},
           Row{"board.yaml", "alarm:",
               "sensors: [{ name: s, line: t, printer: p1, heater: nose }]"
               "\nalarm:",
               "board.yaml:8:", "p1 has no heater nose"},
           Row{"board.yaml", "line: button", "line: a", "board.yaml:7:", "line a is used already"},
           Row{"board.yaml", "drop_line: b", "drop_line: a", "board.yaml:7:", "used already"},
           Row{"board.yaml", "{ line: alarm }", "{ line: c }", "board.yaml:8:", "used already"},
           Row{"board.yaml", "hold_ms: 1500", "hold_ms: 999", "board.yaml:7:", "1000"},
           Row{"board.yaml", "hold_ms: 1500", "hold_ms: 2001", "board.yaml:7:", "2000"},
           Row{"board.yaml", "hold_ms: 1500, ", "", "board.yaml:7:", "hold_ms is missing"},
           Row{"board.yaml", "kind: heartbeat", "kind: plain", "board.yaml:7:", "line is missing"},
           Row{"board.yaml", "pulse_line: a", "line: a", "board.yaml:7:", "pulse_line is missing"},
           Row{"board.yaml", "rating: \"10 A\"", "rating: \"\"", "board.yaml:7:", "rating"},
           Row{"board.yaml", "socket: board.sock\n", "", "board.yaml:1:", "socket is missing"},
           Row{"board.yaml", "kind: sim", "kind: gpio", "board.yaml:2:", "sim"},
           Row{"guard.yaml", "agent: garage", "agent: Garage", "guard.yaml:1:", "agent"},
           Row{"guard.yaml", "agent: garage", "agent: no", "guard.yaml:1:", "no"},
           Row{"guard.yaml", "relay: r1", "relais: r1", "guard.yaml:6:", "relay"},
           Row{"guard.yaml", "relay: r1", "relay: r1, baud: 115201", "guard.yaml:6:", "115200"},
           Row{"guard.yaml", "relay: r1", "relay: r1, baud: 0115200", "guard.yaml:6:", "0115200"},
           Row{"guard.yaml", "relay: r1", "relay: r1, pty: ../x", "guard.yaml:6:", "pty"},
           Row{"guard.yaml", "port: /dev/ttyUSB0", "port: ttyUSB0", "guard.yaml:6:", "port"},
           Row{"guard.yaml", "run_dir: run", "run_dir: run\nrun_dir: run",
               "guard.yaml:3:", "run_dir"},
       }) {
    write("guard.yaml", good_guard);
    write("board.yaml", good_board);
    change(row.file, row.from, row.to);
    const auto message = refusal();
    EXPECT_THAT(message, HasSubstr(row.place)) << row.to;
    EXPECT_THAT(message, HasSubstr(row.says)) << row.to;
  }
}

TEST_F(GuardConfigFile, EveryProblemIsToldAtOnce) {
  change("guard.yaml", "relay: r1", "relay: r9");
  change("board.yaml", "drop_line: b", "drop_line: a");
  const auto message = refusal();
  EXPECT_THAT(message, HasSubstr("guard.yaml:6:"));
  EXPECT_THAT(message, HasSubstr("board.yaml:7:"));
}

TEST_F(GuardConfigFile, TwoPrintersShareNoNamePortOrPty) {
  struct Row {
    const char *second, *says;
  };
  const std::string board = "name: b\nkind: sim\nsocket: s\n";
  for (const auto& row : {
           Row{"{ name: p1, profile: generic-marlin, port: /dev/b }", "is the name of printer p1"},
           Row{"{ name: p2, profile: generic-marlin, port: /dev/ttyUSB0 }",
               "is the port of printer p1"},
           Row{"{ name: p2, profile: generic-marlin, port: /dev/../dev/ttyUSB0 }",
               "is the port of printer p1"},
           Row{"{ name: p2, profile: generic-marlin, port: /dev/b, pty: p1 }",
               "is the pty of printer p1"},
       }) {
    write("board.yaml", board);
    write("guard.yaml", std::string(good_guard) + "  - " + row.second + "\n");
    change("guard.yaml", "relay: r1, ", "");
    EXPECT_THAT(refusal(), HasSubstr(row.says)) << row.second;
  }
}

TEST_F(GuardConfigFile, TwoNamesOfOneDeviceAreOnePort) {
  write("tty", "");
  fs::create_symlink(folder_ / "tty", folder_ / "by-path");
  write("board.yaml", "name: b\nkind: sim\nsocket: s\n");
  write("guard.yaml",
        "agent: a\nrun_dir: r\nstate_dir: s\nboard: board.yaml\nprinters:\n"
        "  - { name: p1, profile: generic-marlin, port: " +
            (folder_ / "tty").string() + " }\n  - { name: p2, profile: generic-marlin, port: " +
            (folder_ / "by-path").string() + " }\n");
  EXPECT_THAT(refusal(), HasSubstr("is the port of printer p1"));
}

TEST_F(GuardConfigFile, ARelayMustBeNamedTheSameInBothFiles) {
  change("guard.yaml", ", relay: r1", "");
  EXPECT_THAT(refusal(), HasSubstr("p1 has no relay"));
}

TEST_F(GuardConfigFile, ARelayThatCoversNothingOfItsPrinterIsRefused) {
  write("guard.yaml", std::string(good_guard) +
                          "  - { name: p2, profile: generic-marlin, port: /dev/b, relay: r1 }\n");
  EXPECT_THAT(refusal(), HasSubstr("covers no heater of p2"));
}

TEST_F(GuardConfigFile, APrinterWithoutRelayIsAllowedAndWarned) {
  write("board.yaml", "name: b\nkind: sim\nsocket: s\n");
  change("guard.yaml", ", relay: r1", "");
  const auto told = warnings();
  EXPECT_THAT(told, HasSubstr("printer p1 has no relay: it has no independent stop"));
  EXPECT_THAT(told, HasSubstr("no stop input"));
  EXPECT_THAT(told, HasSubstr("no alarm output"));
}

TEST_F(GuardConfigFile, WhatDoesNotFailSafeIsWarned) {
  change("board.yaml",
         "kind: heartbeat, pulse_line: a, drop_line: b, hold_ms: 1500, feedback_line: c",
         "kind: plain, line: a");
  const auto told = warnings();
  EXPECT_THAT(told, HasSubstr("relay r1 is plain: it does not fail safe"));
  EXPECT_THAT(told, HasSubstr("relay r1 has no feedback"));
}

TEST_F(GuardConfigFile, AHeartbeatRelayWithoutDropLineIsWarned) {
  change("board.yaml", "drop_line: b, ", "");
  EXPECT_THAT(warnings(), HasSubstr("opens only 1500 ms after the pulses end"));
}

TEST_F(GuardConfigFile, AHeaterThatNoRelayCoversIsWarned) {
  change("board.yaml", ", p1/bed", "");
  EXPECT_THAT(warnings(), HasSubstr("p1/bed is covered by no relay"));
}

TEST_F(GuardConfigFile, APrinterWithoutIdentityIsWarned) {
  change("guard.yaml", ", identity: { uuid: abc }", "");
  EXPECT_THAT(warnings(), HasSubstr("printer p1 has no identity"));
}

TEST_F(GuardConfigFile, AProfileBesideTheFileIsTaken) {
  std::ifstream shipped(fs::path(FIREBREAK_SOURCE_DIR) / "boards/printers/generic-marlin.yaml");
  std::string text((std::istreambuf_iterator<char>(shipped)), {});
  text.replace(text.find("name: generic-marlin"), 20, "name: mine");
  write("printers/mine.yaml", text);
  change("guard.yaml", "generic-marlin", "mine");
  const auto config = load();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->printers[0].profile.name, "mine");
}

TEST_F(GuardConfigFile, ABrokenProfileIsRefusedAtItsOwnLine) {
  write("printers/mine.yaml",
        "name: mine\nfirmware: marlin\nboot_time_s: 9\nheaters:\n"
        "  - { name: bed, limit_celsius: 60, safe_celsius: 55, "
        "fastest_rise_k_per_s: 1, watch_period_s: 60, watch_kelvin: 2, "
        "hysteresis_period_s: 30, hysteresis_kelvin: 4, overshoot_kelvin: 9 }\n"
        "stop: { tools: 1 }\n");
  change("guard.yaml", "generic-marlin", "mine");
  change("board.yaml", "p1/hotend, ", "");
  EXPECT_THAT(refusal(), HasSubstr("mine.yaml:5: heaters[0].safe_celsius"));
}

TEST_F(GuardConfigFile, TheShippedSimBoardIsFoundByItsPlaceAndByItsName) {
  for (const auto* name : {"boards/hosts/sim.yaml", "sim"}) {
    write("guard.yaml", good_guard);
    change("guard.yaml", "board.yaml", name);
    const auto config = load();
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->board.name, "sim");
  }
}

TEST_F(GuardConfigFile, TheEnvironmentMayNameTheShippedFiles) {
  write("shipped/hosts/other.yaml", good_board);
  ::setenv("FIREBREAK_BOARDS", (folder_ / "shipped").c_str(), 1);
  change("guard.yaml", "board.yaml", "other");
  const auto config = load();
  ::unsetenv("FIREBREAK_BOARDS");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->board.name, "bench");
}

TEST_F(GuardConfigFile, TheGrantKeyIsReadFromItsFile) {
  change("guard.yaml", "board: board.yaml", "board: board.yaml\ngrant_key: reset.pub");
  EXPECT_THAT(warnings(), HasSubstr("no grant is accepted")) << "absent: protection goes on";
  write("reset.pub", std::string(64, 'a') + "\n");
  const auto config = load();
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->grant_key_hex, std::string(64, 'a'));
  for (const auto& bad : {std::string(63, 'a'), std::string(64, 'z'), std::string(65, 'a'),
                          std::string(1000, 'a'), std::string()}) {
    write("reset.pub", bad);
    EXPECT_THAT(refusal(), HasSubstr("does not hold 64 hex digits")) << bad;
  }
}

TEST_F(GuardConfigFile, AMissingFileIsRefused) {
  fs::remove(folder_ / "guard.yaml");
  EXPECT_THAT(refusal(), HasSubstr("guard.yaml"));
}

TEST_F(GuardConfigFile, SocketsMustFitIntoTheirAddress) {
  change("guard.yaml", "run_dir: run", "run_dir: /" + std::string(100, 'x'));
  EXPECT_THAT(refusal(), HasSubstr("at most 107 bytes"));
}

}  // namespace
}  // namespace firebreak::guard
