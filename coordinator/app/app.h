#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "coordinator/app/settings.h"

namespace firebreak::coordinator {

/// The whole coordinator: wires the parts together and owns their threads (one for people's HTTP,
/// one for agents, the store's, and the workers). Start, reload and stop from one thread.
class App {
 public:
  /// `clock` must outlive the application.
  explicit App(const Clock& clock);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Makes what is missing in the state folder, opens the store, and listens. On a first start
  /// also makes one admin token and logs where it is, never what it is.
  Result<void> start(const Settings& settings);

  /// Takes over what can change while running (log_level, stop_retry_minutes); logs and returns the
  /// keys whose new value needs a restart.
  std::vector<std::string> reload(const Settings& settings);

  /// Ends sessions, writes what is queued, closes the store.
  void stop();

  [[nodiscard]] std::uint16_t http_port() const;
  [[nodiscard]] std::uint16_t agents_port() const;

 private:
  struct Parts;
  const Clock& clock_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firebreak::coordinator
