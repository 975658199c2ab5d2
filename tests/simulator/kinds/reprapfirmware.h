// RepRapFirmware on a Duet: the rr_ requests of its own web server.
#pragma once

#include "tests/simulator/kinds/gcode_host.h"
#include "tests/simulator/kinds/http_server.h"
#include "tests/simulator/kinds/print_job.h"
#include "tests/simulator/kinds/verify_heater.h"

namespace firebreak::sim {

// Kind `reprapfirmware`, after Duet's public documents of its HTTP requests and object model. M112
// is seen as its bytes arrive, whatever the board works on; then it is halted until M999. A heater
// that fails its check is turned off and shows `fault`; the board goes on.
class RepRapFirmware : public Kind {
 public:
  explicit RepRapFirmware(KindContext context);
  std::string open() override { return http_.listen(setup().listen); }
  std::string address() const override { return "http://" + http_.address(); }
  void advance() override;
  std::optional<Nanos> next_event() const override { return http_.next_event(); }
  bool print(const std::string& name, const std::string& gcode) override;
  void was_reset() override;

 protected:
  std::initializer_list<const char*> own_faults() const override;
  nlohmann::json own_state() const override;

 private:
  using Json = nlohmann::json;
  struct Watch {
    HeaterId id;
    const char* turn_off;
    VerifyHeater verify;
    bool fault = false;
  };

  HttpResponse serve(const HttpRequest& request);
  HttpResponse connect(const HttpRequest& request);
  HttpResponse model(const HttpRequest& request) const;
  HttpResponse take_gcode(const HttpRequest& request);
  bool has_session(const HttpRequest& request);
  void run_line(const std::string& line);
  bool run_print_command(const std::string& line);
  void reply(const std::string& text);
  void check_heaters();
  Json heater(HeaterId id) const;
  Json whole_model() const;
  Json job_model() const;
  const char* status() const;
  std::string temperatures() const;

  HttpServer http_;
  GcodeHost host_;
  PrintJob job_;
  Watch watches_[2];  // bed, nozzle: the numbers of the heaters
  std::string replies_;
  int reply_count_ = 0;
  int session_key_ = 0;
  std::optional<Nanos> session_until_;
  Nanos next_check_{0};
};

}  // namespace firebreak::sim
