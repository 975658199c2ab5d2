#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace firebreak::cli {

/// One HTTPS exchange. Redirects are not followed (a token goes to one server only), proxies of the
/// environment are not used, and no protocol but HTTPS is spoken.
struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::string body;               ///< JSON; sent where it is not empty.
  std::string bearer;             ///< Token; empty: none is sent.
  std::filesystem::path ca_file;  ///< The only root that is trusted.
  std::string last_event_id;      ///< For a stream that resumes.
  std::chrono::milliseconds connect_limit{5000};
  std::chrono::milliseconds total_limit{30000};
  /// A stream that is silent for longer has died: the server sends a heartbeat every 15 s.
  std::chrono::seconds silence_limit{45};
};

struct HttpAnswer {
  long status = 0;
  std::string body;  ///< At most 32 MiB.
};

/// Why no answer came.
struct HttpError {
  enum class Kind { unreachable, untrusted, timed_out, broken, aborted };
  Kind kind = Kind::broken;
  std::string message;
  bool may_have_arrived = false;  ///< The request was on its way: nobody knows whether it counted.
};

/// Blocks for at most the request's limits. `tick` is called about once a second and ends the
/// exchange by returning false.
tl::expected<HttpAnswer, HttpError> fetch(const HttpRequest& request,
                                          const std::function<bool()>& tick);

/// Streams the body of a 200 into `sink` until it returns false, the server ends or a limit is
/// reached; any other status is returned with its body. `tick` is called about once a second and
/// ends the stream by returning false.
tl::expected<HttpAnswer, HttpError> stream(const HttpRequest& request,
                                           const std::function<bool(std::string_view)>& sink,
                                           const std::function<bool()>& tick);

/// The certificates that a server shows (PEM, leaf first), without believing any of them and
/// without sending anything secret: for comparing a fingerprint.
tl::expected<std::vector<std::string>, HttpError> shown_certificates(const std::string& url);

}  // namespace firebreak::cli
