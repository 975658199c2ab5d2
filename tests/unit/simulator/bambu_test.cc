// A Bambu printer behind its real broker: TLS, access code, reports of changes, refusals.
#include <mosquitto.h>

#include "tests/unit/simulator/sim_fixture.h"

namespace firebreak::sim::test {
namespace {

using nlohmann::json;

constexpr char kConfig[] = R"(
control: sim.sock
journal: journal.jsonl
printers:
  - {name: b1, kind: bambu, serial: 01P00A000000001, access_code: code1234,
     dialect: {boot_ms: 0}}
  - {name: b2, kind: bambu, serial: 01P00A000000002, access_code: code1234, developer_mode: false,
     dialect: {boot_ms: 0}}
)";

// A client with what it has received. One thread.
class Client {
 public:
  explicit Client(const std::string& serial) : serial_(serial) {
    mosquitto_lib_init();
    client_ = mosquitto_new(nullptr, true, this);
    mosquitto_connect_callback_set(client_, [](mosquitto* client, void* self, int code) {
      Client& own = *static_cast<Client*>(self);
      own.code_ = code;
      if (code != 0) return;
      mosquitto_subscribe(client, nullptr, ("device/" + own.serial_ + "/report").c_str(), 0);
    });
    mosquitto_subscribe_callback_set(client_, [](mosquitto*, void* self, int, int, const int*) {
      static_cast<Client*>(self)->subscribed_ = true;
    });
    mosquitto_message_callback_set(client_,
                                   [](mosquitto*, void* self, const mosquitto_message* message) {
                                     static_cast<Client*>(self)->messages_.emplace_back(
                                         static_cast<const char*>(message->payload),
                                         static_cast<std::size_t>(message->payloadlen));
                                   });
  }
  ~Client() { mosquitto_destroy(client_); }

  // True when subscribed; false when it was refused.
  bool connect(const json& state, const std::string& code) {
    const std::string address = state["address"];
    const int port = std::stoi(address.substr(address.rfind(':') + 1));
    const std::string ca = state["ca_file"];
    mosquitto_username_pw_set(client_, "bblp", code.c_str());
    mosquitto_tls_set(client_, ca.c_str(), nullptr, nullptr, nullptr, nullptr);
    mosquitto_tls_insecure_set(client_, true);  // the name is a serial number, not a host's
    if (mosquitto_connect(client_, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS) return false;
    while (!subscribed_ && code_ <= 0) {
      if (mosquitto_loop(client_, 20, 1) != MOSQ_ERR_SUCCESS) return false;
    }
    return subscribed_;
  }
  void send(const json& message) {
    const std::string text = message.dump();
    mosquitto_publish(client_, nullptr, ("device/" + serial_ + "/request").c_str(),
                      static_cast<int>(text.size()), text.data(), 1, false);
  }
  // Waits for a message that fits; every one is looked at once.
  template <typename Fits>
  std::string wait_for(Fits fits) {
    for (int i = 0; i < 3000; ++i) {
      while (!messages_.empty()) {
        const std::string message = messages_.front();
        messages_.erase(messages_.begin());
        if (fits(message)) return message;
      }
      mosquitto_loop(client_, 20, 1);
    }
    ADD_FAILURE() << "no such message";
    return "{}";
  }
  json wait_for_print(const std::string& command) {
    return json::parse(wait_for([&](const std::string& text) {
      const json message = json::parse(text, nullptr, false);
      return message.is_object() && message.contains("print") &&
             message["print"]["command"] == command;
    }))["print"];
  }
  json pushall() {
    send({{"pushing", {{"sequence_id", "1"}, {"command", "pushall"}}}});
    while (true) {
      const json status = wait_for_print("push_status");
      if (status["msg"] == 0) return status;
    }
  }

 private:
  std::string serial_;
  mosquitto* client_ = nullptr;
  int code_ = -1;
  bool subscribed_ = false;
  std::vector<std::string> messages_;
};

class SimBambu : public SimFixture {
 protected:
  SimBambu() : SimFixture(kConfig) {}
  json ready(const std::string& printer) {
    for (int i = 0; i < kPatienceMs / 5; ++i) {
      const json state = ask({{"do", "state"}, {"printer", printer}});
      if (state["connected"] == true) return state;
      ::poll(nullptr, 0, 5);
    }
    ADD_FAILURE() << printer << " never met its broker";
    return {};
  }
  void fault(const std::string& name, bool on) {
    EXPECT_TRUE(
        ask({{"do", "fault"}, {"printer", "b1"}, {"fault", name}, {"on", on}})["ok"].get<bool>());
  }
};

TEST_F(SimBambu, TellsAllOnPushallAndThenOnlyWhatChanges) {
  Client client("01P00A000000001");
  ASSERT_TRUE(client.connect(ready("b1"), "code1234"));
  const json all = client.pushall();
  EXPECT_NEAR(all["nozzle_temper"].get<double>(), 25, 2);
  EXPECT_EQ(all["gcode_state"], "IDLE");
  client.send(
      {{"print", {{"sequence_id", "2"}, {"command", "gcode_line"}, {"param", "M104 S200"}}}});
  EXPECT_EQ(client.wait_for_print("gcode_line")["result"], "success");
  json change = client.wait_for_print("push_status");
  while (!change.contains("nozzle_target_temper")) change = client.wait_for_print("push_status");
  EXPECT_EQ(change["msg"], 1);
  EXPECT_FALSE(change.contains("bed_target_temper"));
}

TEST_F(SimBambu, AStopEndsThePrintAndItsHeat) {
  Client client("01P00A000000001");
  ASSERT_TRUE(client.connect(ready("b1"), "code1234"));
  ask({{"do", "print"}, {"printer", "b1"}, {"gcode", "M109 S200\nG28\n"}});
  journal({{"fact", "heat"}, {"printer", "b1"}, {"on", true}});
  client.send({{"print", {{"sequence_id", "3"}, {"command", "stop"}, {"param", ""}}}});
  journal({{"fact", "heat"}, {"printer", "b1"}, {"on", false}});
  EXPECT_EQ(journal({{"fact", "stop_read"}, {"printer", "b1"}})["how"], "stop");
  const json after = client.pushall();
  EXPECT_EQ(after["gcode_state"], "FAILED");
  EXPECT_EQ(after["nozzle_target_temper"], 0.0);
}

TEST_F(SimBambu, WithoutDeveloperModeAStopIsSeenAndRefused) {
  Client client("01P00A000000002");
  ASSERT_TRUE(client.connect(ready("b2"), "code1234"));
  ask({{"do", "print"}, {"printer", "b2"}, {"gcode", "M109 S200\nG28\n"}});
  client.send({{"print", {{"sequence_id", "3"}, {"command", "stop"}, {"param", ""}}}});
  EXPECT_EQ(client.wait_for_print("stop")["result"], "failed");
  journal({{"fact", "stop_read"}, {"printer", "b2"}});
  const json after = client.pushall();
  EXPECT_EQ(after["gcode_state"], "RUNNING");
  EXPECT_EQ(after["hms"][0], json({{"attr", 0x05000500}, {"code", 0x00010007}}));
}

TEST_F(SimBambu, AWrongCodeIsRefusedAndAStrangeCertificateIsNotOfItsCa) {
  EXPECT_FALSE(Client("01P00A000000001").connect(ready("b1"), "wrong"));
  const std::string own = ready("b1")["fingerprint"];
  EXPECT_EQ(own.size(), 64u);
  fault("wrong_certificate", true);
  const json state = ready("b1");
  EXPECT_NE(state["fingerprint"], own);
  EXPECT_FALSE(Client("01P00A000000001").connect(state, "code1234"));
  fault("wrong_certificate", false);
  EXPECT_TRUE(Client("01P00A000000001").connect(ready("b1"), "code1234"));
}

TEST_F(SimBambu, ItsReportsGoWrongAsTold) {
  Client client("01P00A000000001");
  ASSERT_TRUE(client.connect(ready("b1"), "code1234"));
  fault("cut_off", true);
  client.wait_for([](const std::string& text) {
    return text.starts_with("{\"print\"") && json::parse(text, nullptr, false).is_discarded();
  });
  fault("cut_off", false);
  fault("wrong_shape", true);
  client.wait_for([](const std::string& text) { return text.starts_with("[42"); });
  fault("wrong_shape", false);
  fault("big_body", true);
  client.wait_for([](const std::string& text) { return text.size() > 10'000'000; });
}

}  // namespace
}  // namespace firebreak::sim::test
