// The kinds of printers on their real sockets: what they answer, their stop, and what goes wrong.
#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/simulator/kinds/hash.h"
#include "tests/unit/simulator/sim_fixture.h"

namespace firebreak::sim::test {
namespace {

using nlohmann::json;

constexpr char kConfig[] = R"(
control: sim.sock
journal: journal.jsonl
printers:
  - {name: k1, kind: klipper, socket: k1.sock}
  - {name: m1, kind: moonraker, socket: m1.sock, api_key: right}
  - {name: o1, kind: octoprint, api_key: right, dialect: {boot_ms: 0, baud: 0}}
  - {name: l1, kind: prusalink, user: maker, password: pass, api_key: right, serial: SN1,
     dialect: {boot_ms: 0}}
  - {name: r1, kind: reprapfirmware, password: reprap, serial: U1}
)";

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  bool whole = false;  // as long as Content-Length says
  json parsed() const { return json::parse(body, nullptr, false); }
};

class SimKinds : public SimFixture {
 protected:
  SimKinds() : SimFixture(kConfig) {}

  void fault(const std::string& printer, const std::string& name, bool on = true,
             double value = 1) {
    const json answer =
        ask({{"do", "fault"}, {"printer", printer}, {"fault", name}, {"on", on}, {"value", value}});
    EXPECT_TRUE(answer["ok"]) << answer;
  }
  json state(const std::string& printer) { return ask({{"do", "state"}, {"printer", printer}}); }
  // Asks until `good` is true of the printer's state.
  template <typename Good>
  json wait_for(const std::string& printer, Good good) {
    json last;
    for (int i = 0; i < kPatienceMs / 5; ++i) {
      last = state(printer);
      if (good(last)) return last;
      ::poll(nullptr, 0, 5);
    }
    ADD_FAILURE() << "it never became so: " << last;
    return last;
  }
  void wait_for_klippy(const std::string& printer, const std::string& wanted) {
    wait_for(printer, [&](const json& now) { return now["klippy_state"] == wanted; });
  }

  int connect_tcp(const std::string& printer) {
    const std::string address = state(printer)["address"];
    const int port = std::stoi(address.substr(address.rfind(':') + 1));
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    open_.push_back(fd);
    return ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0 ? fd : -1;
  }
  // Reads to the end of the connection, at most `limit` bytes.
  std::string read_all(int fd, std::size_t limit = std::size_t{64} << 20) {
    std::string all;
    char buffer[65536];
    while (all.size() < limit) {
      pollfd wait{fd, POLLIN, 0};
      if (::poll(&wait, 1, kPatienceMs) <= 0) return "nothing after: " + all;
      const ssize_t count = ::read(fd, buffer, sizeof buffer);
      if (count <= 0) break;
      all.append(buffer, static_cast<std::size_t>(count));
    }
    return all;
  }
  std::string request_text(const std::string& method, const std::string& target,
                           const std::string& headers, const std::string& body) {
    return method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  Answer http(const std::string& printer, const std::string& method, const std::string& target,
              const std::string& headers = "X-Api-Key: right\r\n", const std::string& body = "",
              std::size_t limit = std::size_t{64} << 20) {
    const int fd = connect_tcp(printer);
    if (fd < 0) return {};
    write(fd, request_text(method, target, headers, body));
    return parse(read_all(fd, limit));
  }
  static Answer parse(const std::string& text) {
    Answer answer;
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos) return answer;
    answer.head = text.substr(0, end + 2);
    answer.body = text.substr(end + 4);
    answer.status = std::stoi(text.substr(9, 3));
    const std::size_t length = answer.head.find("Content-Length: ");
    answer.whole = length != std::string::npos &&
                   std::stoul(answer.head.substr(length + 16)) == answer.body.size();
    return answer;
  }
  json klipper(int fd, const json& request) {
    write(fd, request.dump() + "\x03");
    const std::string text = read_until(fd, "\x03");
    return json::parse(text.substr(0, text.find('\x03')), nullptr, false);
  }
};

TEST_F(SimKinds, KlippersSocketStopsAndTellsThatItWasSeen) {
  wait_for_klippy("k1", "ready");
  const int fd = connect("k1.sock", SOCK_STREAM);
  klipper(fd, {{"id", 1}, {"method", "gcode/script"}, {"params", {{"script", "M104 S200"}}}});
  journal({{"fact", "heat"}, {"printer", "k1"}, {"on", true}});
  EXPECT_EQ(klipper(fd, {{"id", 2}, {"method", "emergency_stop"}})["result"], json::object());
  const auto seen = journal({{"fact", "stop_read"}, {"printer", "k1"}});
  const auto off = journal({{"fact", "heat"}, {"printer", "k1"}, {"on", false}});
  EXPECT_EQ(seen["how"], "emergency_stop");
  EXPECT_GE(off["ns"].get<std::int64_t>(), seen["ns"].get<std::int64_t>() - 20'000'000);
  EXPECT_EQ(klipper(fd, {{"id", 3}, {"method", "info"}})["result"]["state"], "shutdown");
}

TEST_F(SimKinds, AFirmwareRestartClosesKlippersSocketAndLeadsBackToReady) {
  wait_for_klippy("k1", "ready");
  const int fd = connect("k1.sock", SOCK_STREAM);
  klipper(fd, {{"id", 1}, {"method", "emergency_stop"}});
  klipper(fd, {{"id", 2}, {"method", "gcode/firmware_restart"}});
  EXPECT_TRUE(read_until(fd, "never").starts_with("end after"));
  wait_for_klippy("k1", "ready");
  const int again = connect("k1.sock", SOCK_STREAM);
  EXPECT_EQ(klipper(again, {{"id", 1}, {"method", "info"}})["result"]["state"], "ready");
}

TEST_F(SimKinds, KlippersAnswersGoWrongAsTold) {
  wait_for_klippy("k1", "ready");
  const json question = {{"id", 1}, {"method", "info"}};
  fault("k1", "wrong_shape");
  EXPECT_TRUE(klipper(connect("k1.sock", SOCK_STREAM), question).is_array());
  fault("k1", "wrong_shape", false);
  fault("k1", "invalid_utf8");
  EXPECT_TRUE(klipper(connect("k1.sock", SOCK_STREAM), question).is_discarded());
  fault("k1", "invalid_utf8", false);
  fault("k1", "cut_off");
  const int cut = connect("k1.sock", SOCK_STREAM);
  write(cut, question.dump() + "\x03");
  EXPECT_TRUE(read_until(cut, "\x03").starts_with("end after"));
  fault("k1", "cut_off", false);
  fault("k1", "other_printer");
  const json other = klipper(connect("k1.sock", SOCK_STREAM), question);
  EXPECT_EQ(other["result"]["hostname"], "another");
}

TEST_F(SimKinds, MoonrakerAnswersForKlippyAndWantsItsKey) {
  wait_for_klippy("m1", "ready");
  EXPECT_EQ(http("m1", "GET", "/printer/info", "").status, 401);
  EXPECT_EQ(http("m1", "GET", "/printer/info", "X-Api-Key: wrong\r\n").status, 401);
  EXPECT_EQ(http("m1", "GET", "/printer/info").parsed()["result"]["state"], "ready");
  const json objects =
      http("m1", "GET", "/printer/objects/query?webhooks&extruder=target,power").parsed();
  EXPECT_EQ(objects["result"]["status"]["extruder"], json({{"target", 0.0}, {"power", 0.0}}));
  EXPECT_EQ(http("m1", "POST", "/printer/gcode/script?script=M104%20S9999").status, 400);
  EXPECT_EQ(http("m1", "GET", "/no/such/path").status, 404);
}

TEST_F(SimKinds, MoonrakersStopIsKlippysAndItIsUnavailableWithoutKlippy) {
  wait_for_klippy("m1", "ready");
  EXPECT_EQ(http("m1", "POST", "/printer/emergency_stop").parsed()["result"], "ok");
  EXPECT_EQ(journal({{"fact", "stop_read"}, {"printer", "m1"}})["how"], "emergency_stop");
  EXPECT_EQ(http("m1", "GET", "/printer/info").parsed()["result"]["state"], "shutdown");
  fault("m1", "klippy_gone");
  const Answer none = http("m1", "POST", "/printer/emergency_stop");
  EXPECT_EQ(none.status, 503);
  EXPECT_EQ(none.parsed()["error"]["message"], "Klippy Host not connected");
}

TEST_F(SimKinds, MoonrakersWebsocketTellsChangesAndTheShutdown) {
  wait_for_klippy("m1", "ready");
  const int fd = connect_tcp("m1");
  write(fd,
        "GET /websocket HTTP/1.1\r\nHost: x\r\nX-Api-Key: right\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  // The key and its answer are the example of RFC 6455, section 1.3.
  EXPECT_NE(read_until(fd, "\r\n\r\n").find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos);
  const auto say = [&](const json& message) {
    const std::string text = message.dump();
    ASSERT_LT(text.size(), 126u);
    const std::string frame = std::string("\x81") + static_cast<char>(0x80 | text.size());
    write(fd, frame + std::string(4, '\0') + text);  // a mask of zeros
  };
  say({{"jsonrpc", "2.0"},
       {"id", 1},
       {"method", "printer.objects.subscribe"},
       {"params", {{"objects", {{"toolhead", {"estimated_print_time"}}}}}}});
  read_until(fd, "notify_status_update");
  http("m1", "POST", "/printer/emergency_stop");
  read_until(fd, "notify_klippy_shutdown");
  fault("m1", "close_mid_frame");
  EXPECT_TRUE(read_until(fd, "never").starts_with("end after"));
}

TEST_F(SimKinds, OctoPrintStopsTheBoardAndThenKnowsNoTemperature) {
  wait_for("o1", [](const json& now) { return now["service_state"] == "Operational"; });
  EXPECT_EQ(http("o1", "GET", "/api/printer", "").status, 403);
  EXPECT_EQ(http("o1", "GET", "/api/printer", "X-Api-Key: wrong\r\n").parsed()["error"],
            "Invalid API key");
  const json before = http("o1", "GET", "/api/printer").parsed();
  EXPECT_NEAR(before["temperature"]["tool0"]["actual"].get<double>(), 25, 2);
  const std::string headers = "X-Api-Key: right\r\nContent-Type: application/json\r\n";
  http("o1", "POST", "/api/printer/tool", headers,
       R"({"command":"target","targets":{"tool0":200}})");
  journal({{"fact", "heat"}, {"printer", "o1"}, {"on", true}});
  EXPECT_EQ(http("o1", "POST", "/api/printer/command", headers, R"({"command":"M112"})").status,
            204);
  journal({{"fact", "stop_read"}, {"printer", "o1"}});
  journal({{"fact", "halted"}, {"printer", "o1"}});
  EXPECT_EQ(http("o1", "GET", "/api/printer").status, 409);
  EXPECT_EQ(http("o1", "GET", "/api/job").parsed()["state"], "Offline after error");
  EXPECT_EQ(http("o1", "POST", "/api/connection", headers, R"({"command":"connect"})").status, 204);
  wait_for("o1", [](const json& now) { return now["service_state"] == "Operational"; });
}

TEST_F(SimKinds, PrusaLinkTakesDigestsAndKeysAndItsCancelWaitsForTheHeat) {
  wait_for("l1", [](const json& now) { return now["firmware"] == "running"; });
  const Answer challenge = http("l1", "GET", "/api/v1/status", "");
  ASSERT_EQ(challenge.status, 401);
  const std::size_t at = challenge.head.find("nonce=\"") + 7;
  const std::string nonce = challenge.head.substr(at, challenge.head.find('"', at) - at);
  const std::string response = md5_hex(md5_hex("maker:Printer API:pass") + ":" + nonce + ":" +
                                       md5_hex("GET:/api/v1/status"));
  const auto digest = [&](const std::string& proof) {
    return "Authorization: Digest username=\"maker\", realm=\"Printer API\", nonce=\"" + nonce +
           "\", uri=\"/api/v1/status\", response=\"" + proof + "\"\r\n";
  };
  EXPECT_EQ(http("l1", "GET", "/api/v1/status", digest(response)).status, 200);
  EXPECT_EQ(http("l1", "GET", "/api/v1/status", digest(std::string(32, '0'))).status, 401);
  EXPECT_EQ(http("l1", "GET", "/api/v1/info").parsed()["serial"], "SN1");
  ask({{"do", "print"}, {"printer", "l1"}, {"gcode", "M109 S200\nG28\n"}});
  wait_for("l1", [](const json& now) { return now["service_state"] == "PRINTING"; });
  EXPECT_EQ(http("l1", "DELETE", "/api/v1/job/1").status, 204);
  EXPECT_EQ(journal({{"fact", "stop_read"}, {"printer", "l1"}})["how"], "cancel");
  const json after = state("l1");
  EXPECT_EQ(after["service_state"], "BUSY");
  EXPECT_EQ(after["heaters"][0]["target_celsius"], 200.0);
}

TEST_F(SimKinds, RepRapFirmwareNeedsASessionAndIsHaltedByM112) {
  wait_for("r1", [](const json& now) { return now["firmware"] == "running"; });
  EXPECT_EQ(http("r1", "GET", "/rr_model?key=state").status, 401);
  EXPECT_EQ(http("r1", "GET", "/rr_connect?password=wrong").parsed()["err"], 1);
  EXPECT_EQ(http("r1", "GET", "/rr_connect?password=reprap&sessionKey=yes").parsed()["err"], 0);
  EXPECT_EQ(http("r1", "GET", "/rr_model?key=boards[0].uniqueId").parsed()["result"], "U1");
  EXPECT_EQ(http("r1", "GET", "/rr_gcode?gcode=M104%20S200").status, 200);
  journal({{"fact", "heat"}, {"printer", "r1"}, {"on", true}});
  const json heaters = http("r1", "GET", "/rr_model?key=heat").parsed()["result"]["heaters"];
  EXPECT_EQ(heaters[1]["active"], 200.0);
  http("r1", "GET", "/rr_gcode?gcode=M112");
  journal({{"fact", "heat"}, {"printer", "r1"}, {"on", false}});
  EXPECT_EQ(journal({{"fact", "stop_read"}, {"printer", "r1"}})["how"], "M112");
  EXPECT_EQ(http("r1", "GET", "/rr_model?key=state.status").parsed()["result"], "halted");
  EXPECT_NE(http("r1", "GET", "/rr_reply").body.find("Emergency Stop"), std::string::npos);
}

TEST_F(SimKinds, HttpGoesWrongAsTold) {
  const auto version = [this] { return http("o1", "GET", "/api/version"); };
  EXPECT_EQ(version().parsed()["server"], "1.9.3");
  const auto with = [&](const std::string& name) {
    fault("o1", name);
    const Answer answer = version();
    fault("o1", name, false);
    return answer;
  };
  EXPECT_EQ(with("redirect").status, 302);
  EXPECT_EQ(with("wrong_key").status, 403);
  EXPECT_GT(with("big_body").body.size(), 10'000'000u);
  EXPECT_TRUE(with("invalid_utf8").parsed().is_discarded());
  EXPECT_TRUE(with("wrong_shape").parsed().is_array());
  EXPECT_FALSE(with("cut_off").whole);
  fault("o1", "endless_body");
  const std::size_t enough = 1'000'000;
  EXPECT_GE(http("o1", "GET", "/api/version", "X-Api-Key: right\r\n", "", enough).body.size(),
            enough - 1000);
  fault("o1", "endless_body", false);
  fault("o1", "gone");
  EXPECT_LT(connect_tcp("o1"), 0);
  fault("o1", "gone", false);
  EXPECT_EQ(version().status, 200);
}

TEST_F(SimKinds, ASecondQuestionBehindASlowAnswerShowsInTheState) {
  fault("o1", "slow", true, 2);
  const std::string question = request_text("GET", "/api/version", "X-Api-Key: right\r\n", "");
  const int first = connect_tcp("o1");
  const int second = connect_tcp("o1");
  write(first, question);
  wait_for("o1", [](const json& now) { return now["open_requests"] == 1; });
  write(second, question);
  wait_for("o1", [](const json& now) { return now["most_open_requests"] == 2; });
  EXPECT_EQ(parse(read_all(first)).status, 200);
  EXPECT_EQ(parse(read_all(second)).status, 200);
  EXPECT_EQ(state("o1")["open_requests"], 0);
}

TEST_F(SimKinds, ShownValuesMayStandStillWhileThePrinterHeats) {
  wait_for("l1", [](const json& now) { return now["firmware"] == "running"; });
  fault("l1", "frozen_values");
  ask({{"do", "set_temperature"}, {"printer", "l1"}, {"celsius", 150}});
  wait_for("l1", [](const json& now) { return now["heaters"][0]["reading_celsius"] > 100; });
  const json shown = http("l1", "GET", "/api/v1/status").parsed();
  EXPECT_LT(shown["printer"]["temp_nozzle"].get<double>(), 40);
}

TEST_F(SimKinds, RefusesFaultsThatAKindDoesNotHave) {
  for (const char* name : {"close_mid_frame", "not_reading", "unplugged", "wrong_certificate"}) {
    EXPECT_FALSE(ask({{"do", "fault"}, {"printer", "l1"}, {"fault", name}})["ok"]) << name;
  }
}

}  // namespace
}  // namespace firebreak::sim::test
