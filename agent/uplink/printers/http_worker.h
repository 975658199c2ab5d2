#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace firebreak::uplink {

/// How one printer's interface is reached and who we are there. Secrets live here and in curl only.
struct HttpAccess {
  std::string base_url;              ///< "http://host:port" or "https://…", without a path.
  std::vector<std::string> headers;  ///< Sent with each request, such as "X-Api-Key: …".
  std::string user, password;        ///< Digest authentication, where the user is not empty.
  /// "sha256//BASE64" of the certificate's public key (curl's form). With it the key alone decides;
  /// without it https needs a certificate that the host's store trusts.
  std::string public_key_pin;
};

struct HttpQuestion {
  std::string method = "GET";
  std::string path = "/";  ///< With its query, from "/" on.
  std::string body{};      ///< Sent as JSON where not empty.
  std::chrono::milliseconds timeout{3000};
  std::chrono::milliseconds connect_timeout{3000};
  std::size_t body_bytes_max = std::size_t{256} * 1024;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::string challenge{};  ///< WWW-Authenticate, the first 256 bytes; empty: there is none.
};

/// HTTP for all network printers of this host: one thread around libcurl. Connections are kept and
/// reused; redirects are never followed (an answer with status 3xx is an answer); an answer that is
/// too long or too slow is an error, and its memory is bounded while it comes in.
class HttpWorker {
 public:
  explicit HttpWorker(asio::io_context& io);
  ~HttpWorker();
  HttpWorker(const HttpWorker&) = delete;
  HttpWorker& operator=(const HttpWorker&) = delete;

  /// Calls `answer` exactly once on the io_context's thread. Errors: unavailable (no connection, no
  /// answer in time), refused (certificate or pin), bad_input (too long, cut off, no HTTP).
  /// The messages name the host and the reason and never a header.
  using Answer = std::function<void(Result<HttpAnswer>)>;
  void ask(const std::shared_ptr<const HttpAccess>& access, HttpQuestion question, Answer answer);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firebreak::uplink
