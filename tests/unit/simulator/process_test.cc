// The process: ports, board socket, control socket and journal, in real time.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/unit/simulator/sim_fixture.h"

namespace firebreak::sim::test {
namespace {

using nlohmann::json;

constexpr char kConfig[] = R"(
control: sim.sock
journal: journal.jsonl
board:
  socket: board.sock
  buttons: [{name: stop, line: btn}]
  relays:
    - {name: r1, kind: plain, line: r1, feedback_line: r1_fb}
    - {name: r2, kind: heartbeat, pulse_line: r2_pulse, drop_line: r2_drop, hold_ms: 200}
  sensors: [{name: own, line: t1, printer: p1, heater: hotend}]
printers:
  - {name: p1, port: ports/p1, relay: r1, dialect: {boot_ms: 0}}
  - {name: p2, port: ports/p2, open_resets: true, dialect: {boot_ms: 0}}
)";

class SimProcess : public SimFixture {
 protected:
  SimProcess() : SimFixture(kConfig) {}
};

TEST_F(SimProcess, APrinterAnswersOnItsPort) {
  const int port = open_port("p1");
  write(port, "M115\nM105\n");
  EXPECT_NE(read_until(port, "ok T:").find("FIRMWARE_NAME:Marlin"), std::string::npos);
}

TEST_F(SimProcess, AStopIsRecordedAsItWasReadAndEndsHeat) {
  const int owner = connect("board.sock", SOCK_SEQPACKET);
  EXPECT_TRUE(board(owner, "claim r1 out 1").starts_with("ok r1 "));
  const int port = open_port("p1");
  write(port, "M104 S200\n");
  journal({{"fact", "heat"}, {"on", true}});
  write(port, "\nM112\n");
  read_until(port, "//action:poweroff");
  const auto read = journal({{"fact", "m112_read"}, {"printer", "p1"}})["ns"];
  const auto halted = journal({{"fact", "halted"}})["ns"];
  const auto off = journal({{"fact", "heat"}, {"on", false}})["ns"];
  EXPECT_LT(read, halted);
  EXPECT_LE(halted, off);
  EXPECT_EQ(ask({{"do", "state"}, {"printer", "p1"}})["m112_seen"], 1);
}

TEST_F(SimProcess, ARelayCutsTheHeatOfAWeldedSwitchAndItsFeedbackTells) {
  const int owner = connect("board.sock", SOCK_SEQPACKET);
  board(owner, "claim r1_fb in");
  const std::string claimed = board(owner, "claim r1 out 1");
  read_until(owner, "edge 0 1");
  ask({{"do", "fault"}, {"printer", "p1"}, {"fault", "heater_on"}});
  journal({{"fact", "heat"}, {"on", true}, {"watts", 40.0}});
  set(owner, "set 1 0");
  read_until(owner, "edge 0 0");
  const auto line = journal({{"fact", "line"}, {"line", "r1"}, {"level", false}})["ns"];
  const auto relay = journal({{"fact", "relay"}, {"relay", "r1"}, {"closed", false}})["ns"];
  const auto heat = journal({{"fact", "heat"}, {"on", false}})["ns"];
  EXPECT_LT(line, relay);
  EXPECT_LE(line, heat);
}

TEST_F(SimProcess, APlainRelayKeepsItsLevelWhenItsOwnerDiesAndAHeartbeatOpens) {
  const int owner = connect("board.sock", SOCK_SEQPACKET);
  board(owner, "claim r1 out 1");
  board(owner, "claim r2_pulse out 0");
  board(owner, "claim r2_drop out 1");
  set(owner, "set 1 1");
  journal({{"fact", "relay"}, {"relay", "r2"}, {"closed", true}});
  close_now(owner);
  journal({{"fact", "owner_gone"}});
  journal({{"fact", "relay"}, {"relay", "r2"}, {"closed", false}});
  const json relays = ask({{"do", "state"}})["boards"][0]["relays"];
  EXPECT_TRUE(relays[0]["closed"]);
  EXPECT_FALSE(relays[1]["closed"]);
}

TEST_F(SimProcess, ALineHasOneOwner) {
  const int first = connect("board.sock", SOCK_SEQPACKET);
  board(first, "claim btn in");
  const int second = connect("board.sock", SOCK_SEQPACKET);
  set(second, "claim btn in");
  EXPECT_EQ(read_until(second, "pid"),
            "error line btn is held by pid " + std::to_string(::getpid()));
  set(second, "claim btn out 1");
  EXPECT_TRUE(read_until(second, "error").starts_with("error"));
}

TEST_F(SimProcess, APressReachesTheOwnerWithItsTime) {
  const int owner = connect("board.sock", SOCK_SEQPACKET);
  EXPECT_EQ(board(owner, "claim btn in"), "ok btn 0 1");
  const json answer = ask({{"do", "press"}, {"button", "stop"}});
  EXPECT_EQ(read_until(owner, "edge"),
            "edge 0 0 " + std::to_string(answer["pressed_ns"].get<std::int64_t>()));
}

TEST_F(SimProcess, ThePrinterItselfIsMeasuredByTheBoardsOwnSensor) {
  const int owner = connect("board.sock", SOCK_SEQPACKET);
  ask({{"do", "set_temperature"}, {"printer", "p1"}, {"celsius", 180}});
  board(owner, "claim t1 in");
  const std::string packet = read_until(owner, "celsius 0 1");
  EXPECT_NEAR(std::stod(packet.substr(packet.rfind(' '))), 180, 15) << packet;
}

TEST_F(SimProcess, ACableThatIsPulledEndsTheHostsPortAndComesBackUnderItsName) {
  const int port = open_port("p1");
  ask({{"do", "unplug"}, {"printer", "p1"}});
  EXPECT_TRUE(read_until(port, "never").starts_with("end after"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/ports/p1"));
  ask({{"do", "replug"}, {"printer", "p1"}});
  const int again = open_port("p1");
  write(again, "M105\n");
  EXPECT_NE(read_until(again, "ok T:").find("ok T:"), std::string::npos);
}

TEST_F(SimProcess, SpeedZeroIsTheDtrPulseThatResetsTheBoard) {
  const int port = open_port("p1");
  write(port, "M112\n");
  read_until(port, "//action:poweroff");
  termios settings{};
  ASSERT_EQ(tcgetattr(port, &settings), 0);
  cfsetspeed(&settings, B0);
  tcsetattr(port, TCSANOW, &settings);
  journal({{"fact", "dtr"}, {"level", false}});
  cfsetspeed(&settings, B115200);
  tcsetattr(port, TCSANOW, &settings);
  read_until(port, "start\n");
  journal({{"fact", "dtr"}, {"level", true}});
}

TEST_F(SimProcess, OpeningsAreCountedAndResetABoardThatIsWiredSo) {
  const int port = open_port("p2");
  EXPECT_EQ(journal({{"fact", "port_open"}, {"printer", "p2"}})["open_by_hosts"], 1);
  read_until(port, "start\n");
  close_now(port);
  EXPECT_EQ(journal({{"fact", "port_close"}, {"printer", "p2"}})["open_by_hosts"], 0);
}

TEST_F(SimProcess, APrinterThatDoesNotReadIsNotRead) {
  const int port = open_port("p1");
  ask({{"do", "fault"}, {"printer", "p1"}, {"fault", "not_reading"}});
  write(port, "M112\n");
  EXPECT_EQ(ask({{"do", "state"}, {"printer", "p1"}})["m112_seen"], 0);
  ask({{"do", "fault"}, {"printer", "p1"}, {"fault", "not_reading"}, {"on", false}});
  read_until(port, "//action:poweroff");
}

TEST_F(SimProcess, AResetBoardNeverReadsWhatWasSentToItBefore) {
  const int port = open_port("p1");
  ask({{"do", "fault"}, {"printer", "p1"}, {"fault", "not_reading"}});
  write(port, "M112\n");
  while (ask({{"do", "state"}, {"printer", "p1"}})["bytes_unread"] != 5) ::poll(nullptr, 0, 1);
  ask({{"do", "reset"}, {"printer", "p1"}});
  ask({{"do", "fault"}, {"printer", "p1"}, {"fault", "not_reading"}, {"on", false}});
  read_until(port, "start\n");
  EXPECT_EQ(ask({{"do", "state"}, {"printer", "p1"}})["m112_seen"], 0);
}

TEST_F(SimProcess, RefusesWhatItDoesNotUnderstandAndGoesOn) {
  for (const json& request :
       {json({{"do", "nonsense"}}), json({{"do", "press"}, {"button", "none"}}), json(42),
        json({{"do", "fault"}, {"printer", "p1"}, {"fault", "none"}}), json::array(),
        json({{"do", 7}}), json({{"do", "fault"}, {"printer", "p9"}, {"fault", "hung"}})}) {
    const json answer = ask(request);
    EXPECT_FALSE(answer["ok"]) << request;
    EXPECT_FALSE(answer["message"].get<std::string>().empty());
  }
  EXPECT_TRUE(ask({{"do", "alarm"}})["ok"]);
}

TEST(SimConfig, RefusesWhatItDoesNotKnowWithItsLine) {
  const std::string path = testing::TempDir() + "/sim-config-test.yaml";
  const auto error_of = [&path](const std::string& text) {
    std::ofstream(path) << text;
    std::string error;
    EXPECT_FALSE(load_config(path, &error)) << text;
    return error.substr(path.size());
  };
  EXPECT_EQ(error_of("control: a\nspeed: 3\n"), ":2: unknown key 'speed'");
  EXPECT_EQ(error_of("control: a\ncontrol: b\n"), ":2: key 'control' twice");
  EXPECT_EQ(error_of("journal: a\n"), ":1: 'control' is missing");
  EXPECT_EQ(error_of("control: a\nprinters: [{name: p1, port: p, relay: r9}]\n"),
            ":2: no relay 'r9' on board ''");
  EXPECT_EQ(error_of("control: a\nseed: many\n"), ":2: wrong value for 'seed'");
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace firebreak::sim::test
