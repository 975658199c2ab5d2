// Klipper's API socket: JSON objects, each ended by 0x03, on a unix socket.
#pragma once

#include <map>

#include "tests/simulator/kinds/klippy.h"
#include "tests/simulator/kinds/stream.h"

namespace firebreak::sim {

// The socket in front of a Klippy, with what may go wrong on it.
class KlipperSocket {
 public:
  KlipperSocket(Reactor* reactor, const WireFaults* faults, Timers* timers, RequestCount* requests);

  std::string listen(const std::string& path);
  void serve(Klippy* klippy, Printer* printer) {
    klippy_ = klippy;
    printer_ = printer;
  }
  // False: the client is not one of this socket.
  bool send(int client, const nlohmann::json& message);
  void drop_clients();
  void listen_again();
  void apply(const std::string& fault, bool on);
  const std::string& path() const { return listener_.address(); }

 private:
  struct Client {
    std::shared_ptr<Stream> stream;
    std::string input;
    int unanswered = 0;
  };
  void accept(std::shared_ptr<Stream> stream);
  void take(int id, std::string_view bytes);
  void end(int id);
  void deliver(int id, const std::string& text);
  void pour(int id);

  const WireFaults* faults_;
  Timers* timers_;
  RequestCount* requests_;
  Listener listener_;
  Klippy* klippy_ = nullptr;
  Printer* printer_ = nullptr;
  std::map<int, Client> clients_;
  int next_client_ = 1;
};

// Kind `klipper`.
class Klipper : public Kind {
 public:
  explicit Klipper(KindContext context);
  std::string open() override;
  std::string address() const override { return socket_.path(); }
  void advance() override;
  std::optional<Nanos> next_event() const override;
  bool print(const std::string& name, const std::string& gcode) override;
  void was_reset() override { klippy_.was_reset(); }

 protected:
  std::initializer_list<const char*> own_faults() const override;
  void on_fault(const std::string& name, bool on) override;
  nlohmann::json own_state() const override;

 private:
  Timers timers_;
  KlipperSocket socket_;
  Klippy klippy_;
};

}  // namespace firebreak::sim
