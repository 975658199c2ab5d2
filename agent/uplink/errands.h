#pragma once

#include <asio/io_context.hpp>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <thread>

#include "agent/uplink/discovery/finding.h"
#include "common/base/result.h"

namespace firebreak::uplink {

/// Questions of the coordinator that take seconds and block (a scan, a diagnosis): one at a time,
/// on a thread of its own, so that nothing that is carried waits for them.
///
/// Called on the io_context's thread. The destructor cancels what is under way and waits for it.
class Errands {
 public:
  explicit Errands(asio::io_context& io) : io_(io) {}
  ~Errands() { stop(); }
  Errands(const Errands&) = delete;
  Errands& operator=(const Errands&) = delete;

  using Work = std::function<Result<nlohmann::json>(const Cancelled& cancelled)>;
  using Done = std::function<void(Result<nlohmann::json>)>;
  /// False when another one is under way; `done` is then never called. Else it is called once, on
  /// the io_context's thread, unless stop() comes first.
  bool start(Work work, Done done);
  void stop();

 private:
  asio::io_context& io_;
  std::thread thread_;
  Cancelled cancelled_{false};
  bool busy_ = false;
};

}  // namespace firebreak::uplink
