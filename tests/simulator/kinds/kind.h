// How a printer meets its hosts when it is not by a serial line: the base of all such kinds.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/simulator/kinds/reactor.h"
#include "tests/simulator/printer.h"

namespace firebreak::sim {

// The four numbers of a `verify_heater` section; a time of 0 is the default of the heater.
struct VerifyHeaterConfig {
  double hysteresis = 5;
  double max_error = 120;
  double heating_gain = 2;
  double check_gain_seconds = 0;
};

// The keys of one printer in sim.yaml that belong to its kind (../README.md).
struct KindSetup {
  std::string kind = "marlin";
  std::string socket;
  std::string listen = "127.0.0.1:0";
  std::string api_key;
  std::string user;
  std::string password;
  std::string access_code;
  std::string serial;
  std::string host_name;  // default: the name of the printer
  bool developer_mode = true;
  VerifyHeaterConfig verify_heater;
  std::string config_error;  // Klipper: what is wrong with printer.cfg
};

// What of the way to the host goes wrong, by name, with its value.
class WireFaults {
 public:
  void set(const std::string& name, bool on, double value) {
    if (on) {
      faults_[name] = value;
    } else {
      faults_.erase(name);
    }
  }
  bool has(const char* name) const { return faults_.count(name) > 0; }
  double value(const char* name) const {
    const auto found = faults_.find(name);
    return found == faults_.end() ? 0 : found->second;
  }
  // A text of the service as these faults leave it: 10 MB long, not UTF-8, of another shape.
  std::string spoil(const std::string& json_text) const;

 private:
  std::map<std::string, double> faults_;
};

// How many questions a printer was asked, and how many waited at once.
struct RequestCount {
  std::uint64_t all = 0;
  int open = 0;
  int most_open = 0;
  void begin() {
    ++all;
    most_open = std::max(most_open, ++open);
  }
  void end() { --open; }
};

struct HeaterReading {
  double celsius;
  double target;
  double duty;  // 0..1
};

// What a service shows of its printer.
struct Readings {
  HeaterReading hotend;
  HeaterReading bed;
  double fan;  // 0..1
};
Readings read(const Printer& printer);

// What a kind is made of; all of it outlives the kind.
struct KindContext {
  KindSetup setup;
  Printer* printer;
  Reactor* reactor;
  std::function<void(const char* fact, const nlohmann::json& fields)> note;  // to the journal
};

// One printer's service. Not thread-safe: everything happens in the process's one thread.
class Kind {
 public:
  explicit Kind(KindContext context) : context_(std::move(context)) {}
  virtual ~Kind() = default;
  Kind(const Kind&) = delete;
  Kind& operator=(const Kind&) = delete;

  // Opens sockets. Returns an error text, or nothing.
  virtual std::string open() = 0;
  // Where hosts find it.
  virtual std::string address() const = 0;
  // Carries out what is due; called whenever the printer has moved on.
  virtual void advance() = 0;
  // When something happens by itself, on the printer's clock.
  virtual std::optional<Nanos> next_event() const { return std::nullopt; }
  // Starts a print from the printer's own store; false when it cannot.
  virtual bool print(const std::string& name, const std::string& gcode) = 0;
  // Power or reset button: what the printer knew is gone.
  virtual void was_reset() {}

  // False when the kind has no such fault. `on_fault` has effect at once.
  bool set_fault(const std::string& name, bool on, double value);
  nlohmann::json state() const;

 protected:
  virtual std::initializer_list<const char*> own_faults() const = 0;
  // After a fault was switched; most are looked at where they act.
  virtual void on_fault(const std::string&, bool) {}
  virtual nlohmann::json own_state() const = 0;

  // The moment at which the printer sees a stop; `how` names the command.
  void stop_read(const std::string& how);
  Readings readings() const;  // as they were, while `frozen_values` is on
  Printer& printer() const { return *context_.printer; }
  const KindSetup& setup() const { return context_.setup; }

  KindContext context_;
  WireFaults faults_;
  RequestCount requests_;

 private:
  std::optional<Readings> frozen_;
  std::uint64_t stops_ = 0;
};

// Nothing for a kind that is not known, and for `marlin`, which has a serial port.
std::unique_ptr<Kind> make_kind(KindContext context);
bool kind_exists(const std::string& kind);
// What the kind makes of a printer's build: no kind but marlin has a slow line to its own board.
void adapt_dialect(const KindSetup& setup, Dialect* dialect);

}  // namespace firebreak::sim
