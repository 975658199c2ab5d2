// Moonraker in front of klippy: HTTP and websocket on one port; klippy's own socket if wanted.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "tests/simulator/kinds/http_server.h"
#include "tests/simulator/kinds/klipper.h"
#include "tests/simulator/kinds/klippy.h"

namespace firebreak::sim {

// Kind `moonraker`. It is a client of klippy like any other: klippy's answers are its answers.
class Moonraker : public Kind {
 public:
  explicit Moonraker(KindContext context);
  std::string open() override;
  std::string address() const override { return "http://" + http_.address(); }
  void advance() override;
  std::optional<Nanos> next_event() const override;
  bool print(const std::string& name, const std::string& gcode) override;
  void was_reset() override { klippy_.was_reset(); }

 protected:
  std::initializer_list<const char*> own_faults() const override;
  void on_fault(const std::string& name, bool on) override;
  nlohmann::json own_state() const override;

 private:
  using Json = nlohmann::json;
  // An answer: a result, or an error with the code of HTTP or of JSON-RPC.
  struct Outcome {
    Json result;
    int code = 0;  // 0: no error
    std::string message;
  };
  using Answer = std::function<void(const Outcome&)>;
  struct Method {
    const char* http_method;
    const char* path;
    const char* rpc;
    const char* klippy;  // the endpoint that answers it; none: Moonraker itself
  };
  struct Session {
    std::shared_ptr<WebSocket> socket;
    bool identified = false;
  };
  static const Method kMethods[];

  bool allowed(const HttpRequest& request) const;
  static HttpResponse to_http(const Outcome& outcome);
  void serve(const HttpRequest& request, const HttpServer::Reply& reply);
  void call(const Method& method, const Json& params, int session, Answer answer);
  void call_klippy(int client, const std::string& method, const Json& params, Answer answer);
  Outcome own_answer(const Method& method);
  Json server_info() const;
  void open_session(std::shared_ptr<WebSocket> socket);
  void take_rpc(int session, const std::string& text);
  void answer_rpc(int session, const Json& id, const Outcome& outcome);
  void from_klippy(int client, const Json& message);
  void klippy_dropped();
  void follow_klippy();
  void broadcast(const char* method, const Json& params = nullptr);

  Timers timers_;
  HttpServer http_;
  KlipperSocket socket_;
  Klippy klippy_;
  std::map<int, Session> sessions_;
  std::map<int, Answer> calls_;  // klippy owes an answer
  int next_session_;
  int next_call_ = 1;
  KlippyState told_ = KlippyState::gone;   // what the sessions were told last
  KlippyState known_ = KlippyState::gone;  // what /server/info shows, a little late
  std::optional<Nanos> know_at_;
};

}  // namespace firebreak::sim
