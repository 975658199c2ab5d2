#include "agent/uplink/printers/http_worker.h"

#include <curl/curl.h>

#include <algorithm>
#include <asio/post.hpp>
#include <deque>
#include <map>
#include <mutex>
#include <string_view>
#include <thread>

namespace firebreak::uplink {
namespace {

constexpr std::size_t challenge_bytes_max = 256;
constexpr int idle_wait_ms = 1000;
/// Connections that are kept; two a printer, for a question and an order.
constexpr long kept_connections = 96;

void init_curl_once() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)done;
}

/// One request on its way. Worker thread only, but for its making.
struct Transfer {
  std::shared_ptr<const HttpAccess> access;
  HttpQuestion question;
  HttpWorker::Answer answer;
  HttpAnswer got;
  bool too_long = false;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;

  Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* into) {
  auto& transfer = *static_cast<Transfer*>(into);
  const std::size_t bytes = size * count;
  if (transfer.got.body.size() + bytes > transfer.question.body_bytes_max) {
    transfer.too_long = true;
    return 0;  // Ends the transfer.
  }
  transfer.got.body.append(data, bytes);
  return bytes;
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* into) {
  auto& got = static_cast<Transfer*>(into)->got;
  const std::string_view line(data, size * count);
  constexpr std::string_view name = "www-authenticate:";
  const bool is_challenge = line.size() > name.size() &&
                            std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
                              return a == b || (b >= 'A' && b <= 'Z' && a == b + 32);
                            });
  if (is_challenge && got.challenge.empty())
    got.challenge = line.substr(name.size(), challenge_bytes_max);
  return line.size();
}

bool prepare(Transfer& transfer) {
  CURL* easy = transfer.easy = curl_easy_init();
  if (easy == nullptr) return false;
  const auto& access = *transfer.access;
  const auto& question = transfer.question;
  for (const auto& header : access.headers) {
    transfer.headers = curl_slist_append(transfer.headers, header.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_URL, (access.base_url + question.path).c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, question.method.c_str());
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(question.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(question.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, static_cast<long>(question.body_bytes_max));
  if (!question.body.empty()) {
    transfer.headers = curl_slist_append(transfer.headers, "Content-Type: application/json");
    // No "Expect: 100-continue": small servers of printers wait for nothing else then.
    transfer.headers = curl_slist_append(transfer.headers, "Expect:");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(question.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, question.body.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
  if (!access.user.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_DIGEST));
    curl_easy_setopt(easy, CURLOPT_USERNAME, access.user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, access.password.c_str());
  }
  if (!access.public_key_pin.empty()) {
    // The pinned key alone says who it is: printers sign their own certificates.
    curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, access.public_key_pin.c_str());
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  return true;
}

Error failure(const Transfer& transfer, CURLcode code) {
  const std::string& host = transfer.access->base_url;
  if (transfer.too_long || code == CURLE_FILESIZE_EXCEEDED) {
    return {ErrorCode::bad_input, host + " sends more than an answer may have"};
  }
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {ErrorCode::unavailable, host + " does not answer in time"};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CERTPROBLEM:
      return {ErrorCode::refused,
              host +
                  " has another certificate than the configured one; if it was changed on "
                  "purpose, configure the new pin"};
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PARTIAL_FILE:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
      return {ErrorCode::bad_input,
              host + " answers with what is no whole answer: " + curl_easy_strerror(code)};
    default:
      return {ErrorCode::unavailable, host + " is not reachable: " + curl_easy_strerror(code)};
  }
}

}  // namespace

struct HttpWorker::Parts {
  explicit Parts(asio::io_context& context) : io(context), multi(curl_multi_init()) {
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kept_connections);
    thread = std::thread([this] { run(); });
  }
  ~Parts() {
    {
      const std::lock_guard hold(mutex);
      ending = true;
    }
    curl_multi_wakeup(multi);
    thread.join();
    for (auto& [easy, transfer] : under_way) curl_multi_remove_handle(multi, easy);
    under_way.clear();
    curl_multi_cleanup(multi);
  }

  void run();
  void take_new();
  void take_finished();
  void finish(std::unique_ptr<Transfer> transfer, Result<HttpAnswer> result);

  asio::io_context& io;
  CURLM* multi;
  std::thread thread;
  std::mutex mutex;
  std::deque<std::unique_ptr<Transfer>> waiting;  ///< Guarded by `mutex`, as is `ending`.
  bool ending = false;
  std::map<CURL*, std::unique_ptr<Transfer>> under_way;  ///< Worker thread only.
};

void HttpWorker::Parts::run() {
  for (;;) {
    {
      const std::lock_guard hold(mutex);
      if (ending) return;
    }
    take_new();
    int running = 0;
    curl_multi_perform(multi, &running);
    take_finished();
    curl_multi_poll(multi, nullptr, 0, idle_wait_ms, nullptr);
  }
}

void HttpWorker::Parts::take_new() {
  std::deque<std::unique_ptr<Transfer>> fresh;
  {
    const std::lock_guard hold(mutex);
    fresh.swap(waiting);
  }
  for (auto& transfer : fresh) {
    if (!prepare(*transfer) || curl_multi_add_handle(multi, transfer->easy) != CURLM_OK) {
      finish(std::move(transfer), fail(ErrorCode::unavailable, "no memory for a request"));
      continue;
    }
    CURL* const easy = transfer->easy;
    under_way.emplace(easy, std::move(transfer));
  }
}

void HttpWorker::Parts::take_finished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto found = under_way.find(message->easy_handle);
    const CURLcode code = message->data.result;
    auto transfer = std::move(found->second);
    under_way.erase(found);
    curl_multi_remove_handle(multi, transfer->easy);
    if (code != CURLE_OK) {
      auto error = failure(*transfer, code);
      finish(std::move(transfer), fail(std::move(error)));
      continue;
    }
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->got.status = static_cast<int>(status);
    auto got = std::move(transfer->got);
    finish(std::move(transfer), std::move(got));
  }
}

void HttpWorker::Parts::finish(std::unique_ptr<Transfer> transfer, Result<HttpAnswer> result) {
  asio::post(io, [answer = std::move(transfer->answer), result = std::move(result)]() mutable {
    answer(std::move(result));
  });
}

HttpWorker::HttpWorker(asio::io_context& io) {
  init_curl_once();
  parts_ = std::make_unique<Parts>(io);
}

HttpWorker::~HttpWorker() = default;

void HttpWorker::ask(const std::shared_ptr<const HttpAccess>& access, HttpQuestion question,
                     Answer answer) {
  auto transfer = std::make_unique<Transfer>();
  transfer->access = access;
  transfer->question = std::move(question);
  transfer->answer = std::move(answer);
  {
    const std::lock_guard hold(parts_->mutex);
    parts_->waiting.push_back(std::move(transfer));
  }
  curl_multi_wakeup(parts_->multi);
}

}  // namespace firebreak::uplink
