// A Bambu printer in LAN mode: MQTT over TLS, reports of changes only, commands that may be
// refused.
#pragma once

#include "tests/simulator/kinds/gcode_host.h"
#include "tests/simulator/kinds/kind.h"
#include "tests/simulator/kinds/mqtt_broker.h"
#include "tests/simulator/kinds/print_job.h"

struct mosquitto;
struct mosquitto_message;

namespace firebreak::sim {

// Kind `bambu`, as the public description OpenBambuAPI has its topics and messages. A full status
// comes only on `pushall`, otherwise each second what has changed. Without developer mode commands
// fail their verification.
class Bambu : public Kind {
 public:
  explicit Bambu(KindContext context);
  ~Bambu() override;
  std::string open() override;
  std::string address() const override { return "mqtts://" + broker_.address(); }
  void advance() override;
  std::optional<Nanos> next_event() const override { return timers_.next(); }
  bool print(const std::string& name, const std::string& gcode) override;
  void was_reset() override;

 protected:
  std::initializer_list<const char*> own_faults() const override;
  void on_fault(const std::string& name, bool on) override;
  nlohmann::json own_state() const override;

 private:
  using Json = nlohmann::json;
  void connect();
  void lose_connection();
  void serve_socket(std::uint32_t events);
  void take(const mosquitto_message& message);
  void answer(const std::string& type, Json body, const char* result, const char* reason = "");
  void take_print(const Json& body);
  bool carry_out(const std::string& command, const Json& body);
  void stop_print();
  void publish(const Json& message);
  void push(bool all);
  Json status() const;
  Json hms() const;
  const char* gcode_state() const;
  std::string serial() const;
  std::string topic(const char* last) const { return "device/" + serial() + "/" + last; }
  void restart_broker();

  MqttBroker broker_;
  Timers timers_;
  GcodeHost host_;
  PrintJob job_;
  mosquitto* client_ = nullptr;
  int fd_ = -1;
  bool connected_ = false;
  Json pushed_ = Json::object();
  Nanos next_push_{0};
  Nanos next_care_{0};
  std::uint64_t sequence_ = 0;
  bool refused_ = false;    // a command failed its verification
  bool cancelled_ = false;  // the last print was stopped by a command
};

}  // namespace firebreak::sim
