// OctoPrint: REST in front of a Marlin board on a serial line.
#pragma once

#include "tests/simulator/kinds/gcode_host.h"
#include "tests/simulator/kinds/http_server.h"
#include "tests/simulator/kinds/print_job.h"

namespace firebreak::sim {

// Kind `octoprint`. Its temperatures are those that the board last printed. M112 goes out raw, then
// numbered, then the heaters are turned off and the port is closed: from then on OctoPrint knows no
// temperature, whether the board has stopped or not.
class OctoPrint : public Kind {
 public:
  explicit OctoPrint(KindContext context);
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
  enum class Link { closed, connecting, operational, failed };
  struct Route {
    const char* method;
    const char* path;
    HttpResponse (OctoPrint::*handler)(const HttpRequest& request);
  };
  static const Route kRoutes[];

  HttpResponse serve(const HttpRequest& request);
  HttpResponse get_version(const HttpRequest&);
  HttpResponse get_server(const HttpRequest&);
  HttpResponse get_settings(const HttpRequest&);
  HttpResponse get_connection(const HttpRequest&);
  HttpResponse post_connection(const HttpRequest& request);
  HttpResponse get_printer(const HttpRequest&);
  HttpResponse get_job(const HttpRequest&);
  HttpResponse post_job(const HttpRequest& request);
  HttpResponse post_command(const HttpRequest& request);
  HttpResponse post_tool(const HttpRequest& request);
  HttpResponse post_bed(const HttpRequest& request);

  void connect();
  void disconnect(Link state, const std::string& error);
  void emergency_stop();
  void cancel();
  void take_line(const std::string& line);
  std::string state_text() const;
  Json history() const;
  bool operational() const { return link_ == Link::operational; }

  HttpServer http_;
  GcodeHost host_;
  PrintJob job_;
  Link link_ = Link::closed;
  std::string error_;
  bool greeted_ = false;
  bool cancelling_ = false;
  std::int64_t told_second_ = 0;  ///< Since 1970; 0: no temperature yet.
  HeaterReading tool_{0, 0, 0};
  HeaterReading bed_{0, 0, 0};
};

}  // namespace firebreak::sim
