#pragma once

#include <mosquitto.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace firebreak::test {

inline constexpr const char* access_code = "12345678";
inline constexpr const char* serial_number = "01P00A000000001";

/// A real mosquitto with TLS on a free port of this host, with a certificate made for it, and a
/// second way in for the printer itself. Ends with this object.
class TestBroker {
 public:
  explicit TestBroker(const std::string& common_name = serial_number);
  ~TestBroker();
  TestBroker(const TestBroker&) = delete;
  TestBroker& operator=(const TestBroker&) = delete;

  void start();
  void stop();
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// "sha256//BASE64" of the certificate's public key, by openssl.
  [[nodiscard]] std::string public_key_pin() const;
  [[nodiscard]] std::string inner_socket() const { return folder_ / "inner.sock"; }
  /// What the broker wrote about its clients.
  [[nodiscard]] std::string log() const;

 private:
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t child_ = -1;
};

/// The printer behind the broker: it keeps the requests and publishes what a test says.
class FakePrinter {
 public:
  explicit FakePrinter(const TestBroker& broker);

  /// Takes what has come, without waiting.
  void turn() { (void)mosquitto_loop(client_.get(), 0, 16); }
  void report(const std::string& payload, bool retain = false);
  void report(const nlohmann::json& report) { this->report(report.dump()); }
  void status(nlohmann::json fields) {
    fields["command"] = "push_status";
    report(nlohmann::json{{"print", std::move(fields)}});
  }
  /// How many requests of this command have come.
  [[nodiscard]] std::size_t count(const std::string& command) const;

  std::vector<nlohmann::json> requests;

 private:
  struct Destroy {
    void operator()(mosquitto* client) const { mosquitto_destroy(client); }
  };
  std::unique_ptr<mosquitto, Destroy> client_;
};

}  // namespace firebreak::test
