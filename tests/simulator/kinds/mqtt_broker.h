// A real mosquitto broker with TLS, as a Bambu printer holds one, with a certificate of its own CA.
#pragma once

#include <sys/types.h>

#include <string>

namespace firebreak::sim {

// Files in a temporary folder, the broker as a child that dies with this process. Not thread-safe.
class MqttBroker {
 public:
  // What clients meet: the name in the certificate, and the password of the user `bblp`.
  struct Face {
    std::string common_name;
    std::string password;
  };

  MqttBroker() = default;
  ~MqttBroker();
  MqttBroker(const MqttBroker&) = delete;
  MqttBroker& operator=(const MqttBroker&) = delete;

  // Makes CA, certificates and configuration, and starts it. `listen` is ADDRESS:PORT, port 0 any.
  // Returns an error text, or nothing.
  std::string open(const std::string& listen, const Face& face);
  // Ends it and starts it anew at the same port; all clients lose their connection.
  // `strange_ca`: the certificate comes from a CA that nobody knows.
  std::string restart(const Face& face, bool strange_ca);
  void stop();
  bool running() const { return child_ > 0; }

  std::string address() const { return host_ + ":" + std::to_string(port_); }
  // Where the printer itself connects, without TLS, as kPrinterUser.
  std::string inner_socket() const { return folder_ + "/inner.sock"; }
  std::string ca_file() const { return folder_ + "/ca.pem"; }
  // SHA-256 of the certificate, hexadecimal.
  const std::string& fingerprint() const { return fingerprint_; }

  static constexpr char kPrinterUser[] = "printer";

 private:
  std::string prepare(const Face& face, bool strange_ca);
  std::string start();
  std::string shell(const std::string& script) const;

  std::string folder_;
  std::string host_;
  int port_ = 0;
  pid_t child_ = -1;
  std::string fingerprint_;
};

}  // namespace firebreak::sim
