#include "tests/simulator/kinds/bambu.h"

#include <mosquitto.h>
#include <sys/epoll.h>

#include <cmath>
#include <mutex>

namespace firebreak::sim {
namespace {

constexpr Nanos kPushPeriod = std::chrono::seconds(1);
constexpr Nanos kCarePeriod = std::chrono::milliseconds(100);
constexpr char kUser[] = "bblp";
// 0300-400C: the print was stopped by a command.
constexpr int kCancelledError = 0x0300400C;
// HMS 0500-0500-0001-0007: a command failed its verification (no developer mode).
constexpr int kVerifyAttribute = 0x05000500;
constexpr int kVerifyCode = 0x00010007;
// HMS 0300-0200 is the nozzle's heater, 0300-0100 the bed's.
constexpr int kNozzleAttribute = 0x03000200;
constexpr int kBedAttribute = 0x03000100;

int hms_code(const std::string& halt_reason) {
  if (halt_reason.find("MAXTEMP") != std::string::npos) return 0x00010003;  // too hot
  if (halt_reason.find("MINTEMP") != std::string::npos) return 0x00010007;  // sensor open
  return 0x00010002;                                                        // heater open
}

}  // namespace

Bambu::Bambu(KindContext context) : Kind(std::move(context)), host_(context_.printer) {
  static std::once_flag once;
  std::call_once(once, [] { mosquitto_lib_init(); });
}

Bambu::~Bambu() {
  lose_connection();
  if (client_ != nullptr) mosquitto_destroy(client_);
}

std::string Bambu::serial() const {
  return faults_.has("other_printer") ? "01P00A000000999" : setup().serial;
}

std::string Bambu::open() {
  client_ = mosquitto_new(nullptr, true, this);
  mosquitto_username_pw_set(client_, MqttBroker::kPrinterUser, MqttBroker::kPrinterUser);
  mosquitto_connect_callback_set(client_, [](mosquitto* client, void* self, int code) {
    if (code != 0) return;
    static_cast<Bambu*>(self)->connected_ = true;
    mosquitto_subscribe(client, nullptr, static_cast<Bambu*>(self)->topic("request").c_str(), 1);
  });
  mosquitto_message_callback_set(client_,
                                 [](mosquitto*, void* self, const mosquitto_message* message) {
                                   static_cast<Bambu*>(self)->take(*message);
                                 });
  return broker_.open(setup().listen, {serial(), setup().access_code});
}

void Bambu::restart_broker() {
  lose_connection();
  broker_.stop();
  if (faults_.has("gone") || !printer().board_power()) return;
  const std::string password = faults_.has("wrong_key") ? "another-code" : setup().access_code;
  const std::string error = broker_.restart({serial(), password}, faults_.has("wrong_certificate"));
  if (!error.empty()) context_.note("broker_failed", {{"text", error}});
}

void Bambu::connect() {
  if (mosquitto_connect(client_, broker_.inner_socket().c_str(), 0, 60) != MOSQ_ERR_SUCCESS) return;
  fd_ = mosquitto_socket(client_);
  context_.reactor->watch(fd_, EPOLLIN, [this](std::uint32_t events) { serve_socket(events); });
  mosquitto_loop_write(client_, 1);
}

void Bambu::lose_connection() {
  if (fd_ < 0) return;
  context_.reactor->unwatch(fd_);
  fd_ = -1;
  connected_ = false;
  pushed_ = Json::object();
  mosquitto_disconnect(client_);
  mosquitto_loop_misc(client_);
}

void Bambu::serve_socket(std::uint32_t events) {
  int problem = MOSQ_ERR_SUCCESS;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) problem = mosquitto_loop_read(client_, 1);
  if (problem == MOSQ_ERR_SUCCESS) problem = mosquitto_loop_write(client_, 1);
  if (problem != MOSQ_ERR_SUCCESS) return lose_connection();
  const std::uint32_t wanted = mosquitto_want_write(client_) ? EPOLLIN | EPOLLOUT : EPOLLIN;
  context_.reactor->change(fd_, wanted);
}

void Bambu::take(const mosquitto_message& message) {
  if (message.payloadlen <= 0 || printer().firmware().hung()) return;
  const char* text = static_cast<const char*>(message.payload);
  const Json request = Json::parse(text, text + message.payloadlen, nullptr, false);
  if (!request.is_object()) return;
  for (const auto& [type, body] : request.items()) {
    if (!body.is_object() || !body.contains("command") || !body["command"].is_string()) continue;
    const std::string command = body["command"].get<std::string>();
    requests_.begin();
    if (type == "pushing" && (command == "pushall" || command == "start")) push(true);
    if (type == "info" && command == "get_version") {
      Json answer_body = body;
      answer_body["module"] = {{{"name", "ota"}, {"sw_ver", "01.08.00.00"}, {"sn", serial()}},
                               {{"name", "mc"}, {"sw_ver", "00.00.30.51"}, {"sn", "MC07"}}};
      answer("info", answer_body, "success");
    }
    if (type == "print") take_print(body);
    requests_.end();
  }
}

void Bambu::answer(const std::string& type, Json body, const char* result, const char* reason) {
  body["result"] = result;
  body["reason"] = reason;
  publish({{type, body}});
}

void Bambu::take_print(const Json& body) {
  const std::string command = body["command"].get<std::string>();
  if (command == "stop") stop_read("stop");
  const bool halt = command == "gcode_line" && body.value("param", "").starts_with("M112");
  if (halt) stop_read("M112");
  if (!setup().developer_mode) {
    refused_ = true;
    return answer("print", body, "failed", "mqtt message verify failed");
  }
  // Seen in the field: no error, it is just ignored.
  if (printer().firmware().ignores_halt() && (command == "stop" || halt)) return;
  if (carry_out(command, body)) return answer("print", body, "success");
  answer("print", body, "fail", "not supported");
}

bool Bambu::carry_out(const std::string& command, const Json& body) {
  const Nanos now = printer().now();
  if (command == "stop") {
    stop_print();
  } else if (command == "pause") {
    job_.pause(now);
  } else if (command == "resume") {
    job_.resume(now);
  } else if (command == "gcode_line") {
    std::string text = body.value("param", "") + "\n";
    for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
      if (end > 0) host_.send(text.substr(0, end));
    }
  } else {
    return false;
  }
  return true;
}

void Bambu::stop_print() {
  cancelled_ = job_.active();
  job_.cancel(printer().now());
  host_.clear();
  host_.send_now("M108\nM410\nM104 S0\nM140 S0\nM107\n");
}

const char* Bambu::gcode_state() const {
  if (printer().firmware().state() == FirmwareState::halted) return "FAILED";
  switch (job_.state()) {
    case PrintJob::State::printing: return "RUNNING";
    case PrintJob::State::paused: return "PAUSE";
    case PrintJob::State::complete: return "FINISH";
    case PrintJob::State::cancelled:
    case PrintJob::State::error: return "FAILED";
    case PrintJob::State::standby: break;
  }
  return "IDLE";
}

Bambu::Json Bambu::hms() const {
  Json list = Json::array();
  const Firmware& firmware = printer().firmware();
  if (firmware.state() == FirmwareState::halted) {
    const HeaterTruth bed = printer().truth(HeaterId::bed);
    const Dialect& dialect = printer().config().dialect;
    const bool of_bed = bed.reading_celsius >= dialect.bed_max_celsius ||
                        bed.reading_celsius <= dialect.bed_min_celsius;
    list.push_back({{"attr", of_bed ? kBedAttribute : kNozzleAttribute},
                    {"code", hms_code(firmware.halt_reason())}});
  }
  if (refused_) list.push_back({{"attr", kVerifyAttribute}, {"code", kVerifyCode}});
  return list;
}

Bambu::Json Bambu::status() const {
  const Readings now = readings();
  const auto rounded = [](double value) { return std::round(value * 16) / 16; };
  const auto signal = printer().now() / std::chrono::seconds(5) % 2;
  return {{"gcode_state", gcode_state()},
          {"nozzle_temper", rounded(now.hotend.celsius)},
          {"nozzle_target_temper", now.hotend.target},
          {"bed_temper", rounded(now.bed.celsius)},
          {"bed_target_temper", now.bed.target},
          {"chamber_temper", 25.0},
          {"cooling_fan_speed", std::to_string(std::lround(now.fan * 15))},
          {"heatbreak_fan_speed", now.hotend.celsius > 50 ? "15" : "0"},
          {"mc_percent", std::lround(100 * job_.progress())},
          {"mc_remaining_time", job_.active() ? 1 : 0},
          {"gcode_file", job_.name()},
          {"subtask_name", job_.name()},
          {"print_error", cancelled_ ? kCancelledError : 0},
          {"hms", hms()},
          {"wifi_signal", signal != 0 ? "-45dBm" : "-46dBm"}};
}

// A full status, or what has changed since the last one.
void Bambu::push(bool all) {
  const Json now = status();
  Json body = Json::object();
  for (const auto& [name, value] : now.items()) {
    if (all || !pushed_.contains(name) || pushed_[name] != value) body[name] = value;
  }
  pushed_ = now;
  if (body.empty()) return;
  body["command"] = "push_status";
  body["msg"] = all ? 0 : 1;
  body["sequence_id"] = std::to_string(++sequence_);
  publish({{"print", body}});
}

void Bambu::publish(const Json& message) {
  if (!connected_ || faults_.has("silent")) return;
  std::string text = faults_.spoil(message.dump());
  if (faults_.has("cut_off")) text.resize(text.size() / 2);
  const auto send = [this, text] {
    if (!connected_) return;
    mosquitto_publish(client_, nullptr, topic("report").c_str(), static_cast<int>(text.size()),
                      text.data(), 0, false);
    mosquitto_loop_write(client_, 1);
    if (fd_ >= 0 && mosquitto_want_write(client_)) {
      context_.reactor->change(fd_, EPOLLIN | EPOLLOUT);
    }
  };
  const Nanos delay{static_cast<std::int64_t>(faults_.value("slow") * 1e9)};
  if (delay <= Nanos{0}) return send();
  timers_.at(printer().now() + delay, send);
}

void Bambu::advance() {
  const Nanos now = printer().now();
  timers_.run(now);
  host_.pump();
  host_.feed(&job_);
  if (broker_.running() != (printer().board_power() && !faults_.has("gone"))) restart_broker();
  if (now >= next_care_) {
    next_care_ = now + kCarePeriod;
    if (fd_ < 0 && broker_.running()) connect();
    if (fd_ >= 0 && mosquitto_loop_misc(client_) != MOSQ_ERR_SUCCESS) lose_connection();
  }
  if (connected_ && now >= next_push_ && !printer().firmware().hung()) {
    next_push_ = now + kPushPeriod;
    push(false);
  }
}

bool Bambu::print(const std::string& name, const std::string& gcode) {
  if (job_.active() || printer().firmware().state() != FirmwareState::running) return false;
  cancelled_ = false;
  job_.start(name, gcode, printer().now());
  return true;
}

void Bambu::was_reset() {
  host_.clear();
  job_ = PrintJob();
  refused_ = cancelled_ = false;
}

std::initializer_list<const char*> Bambu::own_faults() const {
  static constexpr std::initializer_list<const char*> kFaults = {
      "gone",          "silent",       "slow",
      "frozen_values", "wrong_key",    "wrong_certificate",
      "big_body",      "invalid_utf8", "wrong_shape",
      "cut_off",       "other_printer"};
  return kFaults;
}

void Bambu::on_fault(const std::string& name, bool) {
  const bool of_broker =
      name == "wrong_key" || name == "wrong_certificate" || name == "other_printer";
  if (of_broker || name == "gone") restart_broker();
}

Bambu::Json Bambu::own_state() const {
  return {{"service_state", gcode_state()},
          {"user", kUser},
          {"ca_file", broker_.ca_file()},
          {"fingerprint", broker_.fingerprint()},
          {"connected", connected_}};
}

}  // namespace firebreak::sim
