#include "agent/uplink/diagnosis/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "agent/guard/links/port_discovery.h"
#include "agent/uplink/diagnosis/host_checks.h"
#include "agent/uplink/discovery/host_range.h"
#include "agent/uplink/printers/make_printer.h"

namespace firebreak::uplink {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Time = std::chrono::steady_clock;

constexpr std::chrono::milliseconds connect_time{3000};
constexpr std::chrono::milliseconds answer_time{4000};
/// A service that was restarted opens its port within this time: OctoPrint on a small board.
constexpr std::chrono::seconds service_start_time{25};
constexpr int bambu_port = 8883;  // MQTT over TLS
constexpr std::size_t kernel_lines = 4;

/// The services of this host that a kind of printer needs, in the order of a restart.
std::vector<std::string> services_of(const std::string& kind) {
  if (kind == "octoprint") return {"octoprint"};
  if (kind == "klipper") return {"klipper"};
  if (kind == "moonraker") return {"klipper", "moonraker"};
  return {};
}

/// What is asked of a service to see whether it answers, and whether it takes the key.
std::string question_of(const std::string& kind) {
  if (kind == "moonraker") return "/server/info";
  return kind == "reprapfirmware" ? "/rr_model" : "/api/version";
}

std::string next_of_link(const KnownPrinter& printer) {
  if (printer.link == "halted")
    return "its firmware has stopped: see why, then firebreak local reset " + printer.name;
  if (printer.link == "wrong_printer")
    return "compare `identity` in the configuration with the machine at this address";
  if (printer.link == "blocked") {
    return printer.kind == "serial" ? "end the program that holds the port"
                                    : "correct the key in key_file, then restart firebreak-uplink";
  }
  if (printer.link == "misconfigured") return "correct printer.cfg, then FIRMWARE_RESTART";
  if (printer.kind == "bambu")
    return "power cycle it; then compare LAN mode and access code on its screen with key_file";
  return "power cycle the printer; if it stays so, its board or firmware is at fault";
}

/// One run of the runbook.
class Runbook {
 public:
  Runbook(const DiagnoseOrder& order, const HostView& view, KnownPrinter printer,
          const Cancelled& cancelled)
      : order_(order), view_(view), printer_(std::move(printer)), cancelled_(cancelled) {}

  json run() {
    look_at_guard();
    if (printer_.kind == "serial")
      serial();
    else if (printer_.kind == "klipper")
      klipper();
    else
      network();
    return {{"printer", printer_.name},
            {"kind", printer_.kind},
            {"link", printer_.link},
            {"repaired", repaired_},
            {"steps", std::move(steps_)}};
  }

 private:
  void add(const char* step, const char* outcome, std::string finding, std::string next = {}) {
    steps_.push_back({{"step", step},
                      {"outcome", outcome},
                      {"finding", std::move(finding)},
                      {"next", std::move(next)}});
  }
  void good(const char* step, std::string finding) { add(step, "good", std::move(finding)); }
  void bad(const char* step, std::string finding, std::string next) {
    add(step, "bad", std::move(finding), std::move(next));
  }

  void look_at_guard() {
    if (view_.guard_problem.empty()) return good("guard", "it answers");
    bad("guard", view_.guard_problem, "on its host: systemctl status firebreak-guard");
  }

  void look_at_firmware() {
    if (printer_.link.empty())
      return add("firmware", "unknown", "the guard does not say", "first bring the guard back");
    std::string finding = "its link is " + printer_.link;
    if (!printer_.why.empty()) finding += ": " + printer_.why;
    if (printer_.link == "ready") return good("firmware", finding);
    // The guard's word is from before the repair.
    if (repaired_) return add("firmware", "unknown", finding, "wait for its first report");
    bad("firmware", finding, next_of_link(printer_));
  }

  // ---- services of this host ----------------------------------------------------------------

  /// True when something was restarted.
  bool look_at_services() {
    bool restarted = false;
    for (const auto& service : services_of(printer_.kind)) {
      const auto state = service_state(service);
      if (state == ServiceState::not_here) {
        add("service", "unknown", "this host has no service " + service,
            "if it runs elsewhere or by another name, restart it there");
      } else if (order_.fix && printer_.link != "ready") {
        restarted = restart(service) || restarted;
      } else if (state == ServiceState::active) {
        good("service", service + " runs");
      } else {
        const bool unknown = state == ServiceState::unknown;
        add("service", unknown ? "unknown" : "bad",
            service + (unknown                         ? ": systemctl does not answer"
                       : state == ServiceState::failed ? " has failed"
                                                       : " is stopped"),
            "sudo systemctl restart " + service);
      }
    }
    repaired_ = repaired_ || restarted;
    return restarted;
  }

  bool restart(const std::string& service) {
    const auto printing = std::find_if(view_.printers.begin(), view_.printers.end(),
                                       [](const KnownPrinter& one) { return one.printing; });
    if (printing != view_.printers.end()) {
      bad("service",
          fmt::format("{} was not restarted: {} prints on this host", service, printing->name),
          "wait for the print, or: sudo systemctl restart " + service);
      return false;
    }
    const auto done = restart_service(service);
    if (!done) {
      bad("service", fmt::format("{} could not be restarted: {}", service, done.error().message),
          "on its host: sudo systemctl restart " + service);
      return false;
    }
    add("service", "repaired", service + " was restarted");
    return true;
  }

  // ---- kinds --------------------------------------------------------------------------------

  void network() {
    if (printer_.address.empty()) {
      return add("address", "unknown",
                 view_.settings_problem.empty() ? "uplink.yaml has no such printer"
                                                : view_.settings_problem,
                 "write its address into uplink.yaml");
    }
    const auto at = host_of_address(printer_.address, bambu_port);
    const auto address = resolve(at.host);
    if (!address) {
      return bad(
          "name", at.host + " does not resolve: " + address.error().message,
          "look at the printer's network settings for its address, write it into uplink.yaml");
    }
    good("name", *address == at.host ? "an address, no name" : at.host + " is " + *address);
    if (!reach(at, *address)) return;
    if (printer_.kind == "bambu") return look_at_firmware();
    if (!service_answers(*address)) return;
    check_credentials();
    look_at_firmware();
  }

  bool reach(const HostAndPort& at, const std::string& address) {
    auto open = connect_to(address, at.port, connect_time);
    if (!open && is_this_host(address) && look_at_services()) open = wait_for_port(at, address);
    const auto place = fmt::format("{} port {}", address, at.port);
    if (open) {
      good("port", place + " is open");
      return true;
    }
    const auto services = services_of(printer_.kind);
    std::string next = services.empty() ? "power cycle the printer; check its network cable or wifi"
                                        : "on that host: sudo systemctl restart";
    for (const auto& service : services) next += " " + service;
    bad("port", place + ": " + open.error().message, next);
    return false;
  }

  Result<void> wait_for_port(const HostAndPort& at, const std::string& address) {
    const auto until = Time::now() + service_start_time;
    for (;;) {
      auto open = connect_to(address, at.port, connect_time);
      if (open || cancelled_ || Time::now() >= until) return open;
      std::this_thread::sleep_for(std::chrono::milliseconds{250});
    }
  }

  bool service_answers(const std::string& address) {
    HttpAccess nobody;
    nobody.base_url = printer_.address;
    if (const PrinterSettings* settings = own_settings())
      nobody.public_key_pin = settings->public_key_pin;
    const auto answer = ask(std::make_shared<HttpAccess>(nobody));
    if (answer && answer->status < 500) {
      good("answer", fmt::format("it answers (HTTP {})", answer->status));
      return true;
    }
    if (is_this_host(address)) look_at_services();
    std::string finding = answer ? fmt::format("it answers with an error (HTTP {})", answer->status)
                                 : answer.error().message;
    bad("answer", std::move(finding),
        answer ? "read the service's own log"
               : "check `kind` and `address`; power cycle what is behind them");
    return false;
  }

  void check_credentials() {
    const PrinterSettings* settings = own_settings();
    if (settings == nullptr)
      return add("credentials", "unknown", view_.settings_problem, "run this as root");
    if (printer_.kind == "reprapfirmware") return credentials_by_link();
    const auto answer = ask(http_access(*settings));
    if (answer && answer->status >= 200 && answer->status < 300)
      return good("credentials", settings->key.empty() ? "none are needed" : "accepted");
    if (answer && answer->status != 401 && answer->status != 403) {
      return add("credentials", "unknown", fmt::format("HTTP {}", answer->status),
                 "read the service's own log");
    }
    bad("credentials",
        answer ? fmt::format("refused (HTTP {})", answer->status) : answer.error().message,
        settings->key.empty() ? "give it a key_file in uplink.yaml"
                              : "correct the key in key_file, then restart firebreak-uplink");
  }

  /// Boards have few sessions: the one that the uplink keeps says the same.
  void credentials_by_link() {
    if (printer_.link == "blocked")
      return bad("credentials", "refused", "correct the password in key_file");
    if (printer_.link == "ready" || printer_.link == "halted")
      return good("credentials", "accepted");
    add("credentials", "unknown", "the guard's link is " + printer_.link);
  }

  Result<HttpAnswer> ask(std::shared_ptr<const HttpAccess> access) {
    asio::io_context io(1);
    std::optional<Result<HttpAnswer>> got;
    HttpWorker http(io);
    const auto work = asio::make_work_guard(io);
    http.ask(access,
             {.path = question_of(printer_.kind),
              .timeout = answer_time,
              .connect_timeout = connect_time},
             [&](Result<HttpAnswer> answer) { got = std::move(answer); });
    io.run_one_for(answer_time + connect_time);
    if (got) return std::move(*got);
    return fail(ErrorCode::unavailable, printer_.address + " does not answer in time");
  }

  const PrinterSettings* own_settings() const {
    const auto found = std::find_if(view_.settings.begin(), view_.settings.end(),
                                    [&](const auto& one) { return one.name == printer_.name; });
    return found == view_.settings.end() ? nullptr : &*found;
  }

  void klipper() {
    std::error_code error;
    if (fs::exists(printer_.address, error)) {
      good("socket", printer_.address + " is there");
    } else {
      look_at_services();
      if (!fs::exists(printer_.address, error))
        bad("socket", printer_.address + " is not there",
            "on its host: sudo systemctl restart klipper");
    }
    look_at_firmware();
  }

  void serial() {
    const auto ports = guard::list_ports();
    std::error_code error;
    const auto device = fs::canonical(printer_.address, error);
    if (error) {
      bad("port", printer_.address + " is not there; plugged in: " + names_of(ports),
          "check the cable and the printer's power; a board in another socket has another "
          "by-path name: firebreak local ports");
      return look_at_kernel({"ttyUSB", "ttyACM", "USB disconnect", "over-current"});
    }
    good("port",
         device == printer_.address ? "it is there" : printer_.address + " is " + device.string());
    const auto usb = std::find_if(ports.begin(), ports.end(),
                                  [&](const auto& one) { return one.device == device; });
    if (usb != ports.end() && usb->usb_vendor != 0) {
      good("usb",
           fmt::format("{} ({:04x}:{:04x})", usb->description, usb->usb_vendor, usb->usb_product));
      look_at_kernel({device.filename().string()});
    } else {
      add("usb", "unknown", "this port is no USB device");
    }
    look_at_firmware();
  }

  static std::string names_of(const std::vector<guard::PortInfo>& ports) {
    std::string names;
    for (const auto& port : ports) {
      if (port.usb_vendor != 0) names += (names.empty() ? "" : ", ") + port.device;
    }
    return names.empty() ? "nothing" : names;
  }

  void look_at_kernel(const std::vector<std::string>& words) {
    const auto messages = kernel_messages(words, kernel_lines);
    if (!messages) return add("kernel", "unknown", messages.error().message);
    std::string text;
    for (const auto& line : *messages) text += (text.empty() ? "" : " | ") + line;
    if (text.empty()) return good("kernel", "no message of it");
    const bool lost = messages->back().find("disconnect") != std::string::npos;
    if (!lost) return good("kernel", text);
    bad("kernel", text, "a bad cable, hub or supply makes USB devices vanish: change one by one");
  }

  const DiagnoseOrder& order_;
  const HostView& view_;
  const KnownPrinter printer_;
  const Cancelled& cancelled_;
  json steps_ = json::array();
  bool repaired_ = false;
};

}  // namespace

Result<json> diagnose(const DiagnoseOrder& order, HostView view, const Cancelled& cancelled) {
  const auto found = std::find_if(view.printers.begin(), view.printers.end(),
                                  [&](const auto& one) { return one.name == order.printer; });
  if (found == view.printers.end())
    return fail(ErrorCode::not_found, "this host has no printer '" + order.printer + "'");
  return Runbook(order, view, *found, cancelled).run();
}

}  // namespace firebreak::uplink
