#include "coordinator/cli/http.h"

#include <curl/curl.h>

#include <memory>
#include <optional>

namespace firebreak::cli {
namespace {

constexpr std::size_t body_bytes_max = 32 * 1024 * 1024;

struct CurlCloser {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListCloser {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, CurlCloser>;
using Headers = std::unique_ptr<curl_slist, ListCloser>;

// What the callbacks of one transfer share.
struct Transfer {
  CURL* handle = nullptr;
  HttpAnswer answer;
  const std::function<bool(std::string_view)>* sink = nullptr;
  const std::function<bool()>* tick = nullptr;
  bool aborted = false;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view bytes(data, size * count);
  long status = 0;
  curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  if (transfer.sink != nullptr && status == 200) {
    if ((*transfer.sink)(bytes)) return bytes.size();
    transfer.aborted = true;
    return 0;
  }
  if (transfer.answer.body.size() + bytes.size() > body_bytes_max) return 0;
  transfer.answer.body += bytes;
  return bytes.size();
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.tick == nullptr || (*transfer.tick)()) return 0;
  transfer.aborted = true;
  return 1;
}

void add_header(Headers& headers, const std::string& line) {
  // On failure the old list is kept: the request then fails at the server, not here.
  if (curl_slist* longer = curl_slist_append(headers.get(), line.c_str())) {
    (void)headers.release();
    headers.reset(longer);
  }
}

Handle new_handle(const std::string& url) {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  Handle handle(ready ? curl_easy_init() : nullptr);
  if (!handle) return handle;
  curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(handle.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle.get(), CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle.get(), CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(handle.get(), CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(handle.get(), CURLOPT_USERAGENT, "firebreak");
  return handle;
}

HttpError error_of(CURLcode code, CURL* handle, const char* detail) {
  HttpError error;
  error.message = *detail != '\0' ? detail : curl_easy_strerror(code);
  long sent = 0;
  curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &sent);
  error.may_have_arrived = sent > 0;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: error.kind = HttpError::Kind::unreachable; break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR: error.kind = HttpError::Kind::untrusted; break;
    case CURLE_OPERATION_TIMEDOUT:
      error.kind = sent > 0 ? HttpError::Kind::timed_out : HttpError::Kind::unreachable;
      break;
    default: error.kind = HttpError::Kind::broken; break;
  }
  return error;
}

tl::expected<HttpAnswer, HttpError> perform(const HttpRequest& request, Transfer& transfer) {
  const Handle handle = new_handle(request.url);
  if (!handle) {
    return tl::unexpected<HttpError>({HttpError::Kind::broken, "libcurl does not start", false});
  }
  transfer.handle = handle.get();
  const bool streaming = transfer.sink != nullptr;
  Headers headers;
  add_header(headers, streaming ? "Accept: text/event-stream"
                                : "Accept: application/json, application/problem+json");
  if (!request.bearer.empty()) add_header(headers, "Authorization: Bearer " + request.bearer);
  if (!request.last_event_id.empty())
    add_header(headers, "Last-Event-ID: " + request.last_event_id);
  if (!request.body.empty()) {
    add_header(headers, "Content-Type: application/json");
    add_header(headers, "Expect:");
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDS, request.body.c_str());
  }
  curl_easy_setopt(handle.get(), CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle.get(), CURLOPT_CAINFO, request.ca_file.c_str());
  curl_easy_setopt(handle.get(), CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(handle.get(), CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(request.connect_limit.count()));
  curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS,
                   static_cast<long>(request.total_limit.count()));
  if (streaming) {
    curl_easy_setopt(handle.get(), CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle.get(), CURLOPT_LOW_SPEED_TIME,
                     static_cast<long>(request.silence_limit.count()));
  }
  if (transfer.tick != nullptr) {
    curl_easy_setopt(handle.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle.get(), CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle.get(), CURLOPT_XFERINFODATA, &transfer);
  }
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &transfer);
  char detail[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, detail);

  const CURLcode code = curl_easy_perform(handle.get());
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &transfer.answer.status);
  if (code == CURLE_OK) return std::move(transfer.answer);
  HttpError error = error_of(code, handle.get(), detail);
  if (transfer.aborted) error.kind = HttpError::Kind::aborted;
  return tl::unexpected<HttpError>(std::move(error));
}

}  // namespace

tl::expected<HttpAnswer, HttpError> fetch(const HttpRequest& request,
                                          const std::function<bool()>& tick) {
  Transfer transfer;
  transfer.tick = &tick;
  return perform(request, transfer);
}

tl::expected<HttpAnswer, HttpError> stream(const HttpRequest& request,
                                           const std::function<bool(std::string_view)>& sink,
                                           const std::function<bool()>& tick) {
  Transfer transfer;
  transfer.sink = &sink;
  transfer.tick = &tick;
  return perform(request, transfer);
}

tl::expected<std::vector<std::string>, HttpError> shown_certificates(const std::string& url) {
  const Handle handle = new_handle(url + "/healthz");
  if (!handle) {
    return tl::unexpected<HttpError>({HttpError::Kind::broken, "libcurl does not start", false});
  }
  Transfer transfer;
  transfer.handle = handle.get();
  char detail[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(handle.get(), CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt(handle.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(handle.get(), CURLOPT_CERTINFO, 1L);
  curl_easy_setopt(handle.get(), CURLOPT_CONNECTTIMEOUT_MS, 5000L);
  curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS, 10000L);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, detail);
  const CURLcode code = curl_easy_perform(handle.get());
  if (code != CURLE_OK) return tl::unexpected(error_of(code, handle.get(), detail));
  std::vector<std::string> certificates;
  curl_certinfo* info = nullptr;
  curl_easy_getinfo(handle.get(), CURLINFO_CERTINFO, &info);
  for (int i = 0; info != nullptr && i < info->num_of_certs; ++i) {
    for (const curl_slist* line = info->certinfo[i]; line != nullptr; line = line->next) {
      constexpr std::string_view prefix = "Cert:";
      const std::string_view text(line->data);
      if (text.starts_with(prefix)) certificates.emplace_back(text.substr(prefix.size()));
    }
  }
  return certificates;
}

}  // namespace firebreak::cli
