#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace firebreak::cli {

/// One server-sent event.
struct SseEvent {
  std::string id;  ///< The last id seen, also of an earlier event.
  std::string type = "message";
  std::string data;  ///< Lines joined with '\n'.
};

/// Cuts a byte stream into server-sent events, as the HTML standard says: LF, CR or CRLF ends a
/// line, a blank line ends an event, a line that starts with ':' is a heartbeat. Bytes may come in
/// any pieces. One thread.
class SseParser {
 public:
  /// Longest line and event; a stream that exceeds it is broken (`feed` is false from then on).
  static constexpr std::size_t event_bytes_max = 1024 * 1024;

  explicit SseParser(std::function<void(const SseEvent&)> on_event)
      : on_event_(std::move(on_event)) {}

  /// False when the stream is not usable any more.
  bool feed(std::string_view bytes);
  /// The id to resume after: of the last event that was complete.
  [[nodiscard]] const std::string& last_id() const { return last_id_; }

 private:
  void end_line();
  void field(std::string_view name, std::string_view value);

  std::function<void(const SseEvent&)> on_event_;
  std::string line_;
  SseEvent event_{"", "", ""};
  bool has_data_ = false;
  std::string pending_id_;
  std::string last_id_;
  bool after_cr_ = false;
  bool broken_ = false;
};

}  // namespace firebreak::cli
