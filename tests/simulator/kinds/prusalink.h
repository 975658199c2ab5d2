// PrusaLink on a printer's own board: REST with digest authentication or a key.
#pragma once

#include <deque>

#include "tests/simulator/kinds/gcode_host.h"
#include "tests/simulator/kinds/http_server.h"
#include "tests/simulator/kinds/print_job.h"

namespace firebreak::sim {

// Kind `prusalink`, after the public OpenAPI text of PrusaLink. It has no M112 and sets no
// temperatures: a print can be paused, resumed and cancelled, and a cancel waits until the command
// that runs is over, a wait for heat included.
class PrusaLink : public Kind {
 public:
  explicit PrusaLink(KindContext context);
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
  HttpResponse serve(const HttpRequest& request);
  HttpResponse serve_job(const HttpRequest& request);
  bool allowed(const HttpRequest& request) const;
  bool digest_fits(const HttpRequest& request, const std::string& fields) const;
  HttpResponse challenge();
  Json status() const;
  Json info() const;
  Json job() const;
  const char* state_text() const;
  std::string host_name() const {
    return faults_.has("other_printer") ? "another" : setup().host_name;
  }

  HttpServer http_;
  GcodeHost host_;
  PrintJob job_;
  int job_id_ = 0;
  int nonce_count_ = 0;
  std::deque<std::string> nonces_;  // the last ones that were given out
  bool stopping_ = false;
};

}  // namespace firebreak::sim
