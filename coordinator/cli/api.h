#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "coordinator/cli/context.h"
#include "coordinator/cli/http.h"
#include "coordinator/cli/settings.h"
#include "coordinator/cli/sse.h"

namespace firebreak::cli {

/// The coordinator's API as values and Failures. One thread; every call is bounded in time.
class Api {
 public:
  explicit Api(Settings settings) : settings_(std::move(settings)) {}
  /// With the settings of this user; fails when there are none.
  static Outcome<Api> open(const Context& context);

  Outcome<nlohmann::json> get(const std::string& path);
  Outcome<nlohmann::json> post(const std::string& path, const nlohmann::json& body);
  Outcome<nlohmann::json> remove(const std::string& path);

  /// Reads server-sent events from `path` until `on_event` or `tick` (about once a second) returns
  /// false or `limit` is over. A broken stream is resumed after the last whole event; it only fails
  /// when the server refuses it, or when it cannot be reached at first.
  Outcome<void> follow(const std::string& path, std::string last_id,
                       std::chrono::milliseconds limit,
                       const std::function<bool(const SseEvent&)>& on_event,
                       const std::function<bool()>& tick);

  [[nodiscard]] const std::string& server() const { return settings_.server; }
  /// Whether the last failure was of the way to the coordinator, not an answer of it.
  [[nodiscard]] bool unreachable() const { return last_status_ == 0; }
  /// The HTTP status of the last exchange; 0 when there was no answer.
  [[nodiscard]] long last_status() const { return last_status_; }
  /// Called about once a second while an exchange takes longer than that.
  void on_wait(std::function<void(std::chrono::seconds)> show) { on_wait_ = std::move(show); }
  /// Shorter limits, for a stop: 3 s to connect, 10 s in all.
  void hurry() { hurry_ = true; }

 private:
  Outcome<nlohmann::json> exchange(const std::string& method, const std::string& path,
                                   const std::string& body);
  [[nodiscard]] HttpRequest request(const std::string& method, const std::string& path) const;
  [[nodiscard]] Failure failure_of(const HttpError& error, bool changes) const;
  [[nodiscard]] Failure failure_of(const HttpAnswer& answer, bool changes) const;

  Settings settings_;
  long last_status_ = 0;
  bool hurry_ = false;
  std::function<void(std::chrono::seconds)> on_wait_;
};

/// `text` fit for a path or a query: everything but letters, digits and "-._~:" as %XX.
std::string url_part(const std::string& text);

}  // namespace firebreak::cli
