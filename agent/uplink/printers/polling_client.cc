#include "agent/uplink/printers/polling_client.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/escape.h"
#include "common/base/json_nesting.h"

namespace firebreak::uplink {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds longest_pause{5};
constexpr std::chrono::seconds identity_every{30};
constexpr int depth_max = 24;

bool good(int status) { return status >= 200 && status < 300; }

/// The texts of other devices on our screens: escaped and short.
void tame(std::string& text) { text = escape_untrusted(text, 95); }

}  // namespace

std::string_view word(Reach reach) noexcept {
  switch (reach) {
    case Reach::absent: return "absent";
    case Reach::opening: return "opening";
    case Reach::ready: return "ready";
    case Reach::halted: return "halted";
    case Reach::wrong_printer: return "wrong_printer";
    case Reach::blocked: return "blocked";
    case Reach::misconfigured: return "misconfigured";
  }
  return "absent";
}

Error http_problem(const HttpAnswer& answer) {
  const auto status = std::to_string(answer.status);
  switch (answer.status) {
    case 401:
    case 403:
      return {ErrorCode::not_allowed, "it refuses the key (HTTP " + status + "): check key_file"};
    case 404:
      return {ErrorCode::bad_input,
              "it does not know this interface (HTTP 404): check kind and address"};
    default: break;
  }
  if (answer.status >= 300 && answer.status < 400) {
    return {ErrorCode::bad_input, "it redirects elsewhere (HTTP " + status +
                                      "), which is not followed: configure the final address"};
  }
  return {ErrorCode::unavailable, "it answers with an error (HTTP " + status + ")"};
}

Reach reach_of(const Error& error) noexcept {
  switch (error.code) {
    case ErrorCode::not_allowed: return Reach::blocked;
    case ErrorCode::refused: return Reach::wrong_printer;
    case ErrorCode::bad_input:
    case ErrorCode::corrupt: return Reach::misconfigured;
    default: return Reach::absent;
  }
}

const json& object_at(const json& value, std::string_view path) {
  static const json none;
  const json* at = &value;
  while (!path.empty()) {
    const auto dot = path.find('.');
    const auto key = path.substr(0, dot);
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
    if (!at->is_object()) return none;
    const auto found = at->find(std::string(key));
    if (found == at->end()) return none;
    at = &*found;
  }
  return *at;
}

double number_at(const json& value, std::string_view path) {
  const json& found = object_at(value, path);
  return found.is_number() ? found.get<double>() : unknown_number;
}

std::string text_at(const json& value, std::string_view path) {
  const json& found = object_at(value, path);
  return found.is_string() ? found.get<std::string>() : std::string{};
}

PollingClient::PollingClient(Parts parts)
    : parts_(std::move(parts)), timer_(parts_.io), pause_(parts_.every) {}

void PollingClient::start(PrinterHandlers handlers) {
  handlers_ = std::move(handlers);
  arm(std::chrono::milliseconds{0});
}

void PollingClient::close() {
  closed_ = true;
  timer_.cancel();
  handlers_ = {};
}

void PollingClient::arm(std::chrono::milliseconds after) {
  if (closed_) return;
  timer_.expires_after(after);
  timer_.async_wait([self = shared_from_this()](std::error_code stopped) {
    if (stopped || self->closed_) return;
    if (const auto now = self->clock().now(); now >= self->identity_due_) {
      self->identity_due_ = now + identity_every;
      self->forget_identity();
    }
    self->ask_round();
  });
}

void PollingClient::ask(HttpQuestion question, Json answer) {
  const auto asked = parts_.clock.now();
  parts_.http.ask(
      parts_.access, std::move(question),
      [self = shared_from_this(), answer = std::move(answer), asked](Result<HttpAnswer> got) {
        if (self->closed_) return;
        if (!got) return answer(fail(got.error()), asked);
        if (!good(got->status)) return answer(fail(http_problem(*got)), asked);
        auto value = nesting_within(got->body, depth_max) ? json::parse(got->body, nullptr, false)
                                                          : json(json::value_t::discarded);
        if (!value.is_structured()) {
          return answer(fail(ErrorCode::bad_input, "its answer is no JSON: check kind and address"),
                        asked);
        }
        answer(std::move(value), asked);
      });
}

void PollingClient::order(HttpQuestion question, std::function<void(Result<void>)> done) {
  parts_.http.ask(parts_.access, std::move(question),
                  [self = shared_from_this(), done = std::move(done)](Result<HttpAnswer> got) {
                    if (!got) return done(fail(got.error()));
                    if (!good(got->status)) return done(fail(http_problem(*got)));
                    done({});
                  });
}

void PollingClient::confirm_once(Done done, const std::function<void(Done)>& confirm) {
  if (std::exchange(confirming_, true)) return done(false);
  confirm([self = shared_from_this(), done = std::move(done)](Result<bool> confirmed) {
    self->confirming_ = false;
    done(std::move(confirmed));
  });
}

void PollingClient::later(std::chrono::milliseconds after, std::function<void()> work) {
  auto timer = std::make_shared<asio::steady_timer>(parts_.io, after);
  timer->async_wait([self = shared_from_this(), timer, work = std::move(work)](std::error_code) {
    if (!self->closed_) work();
  });
}

void PollingClient::finish(PrinterFacts facts) {
  tame(facts.firmware);
  tame(facts.machine);
  tame(facts.uuid);
  const bool other = (!parts_.expected_uuid.empty() && facts.uuid != parts_.expected_uuid) ||
                     (!parts_.expected_machine.empty() && facts.machine != parts_.expected_machine);
  if (other) {
    facts.reach = Reach::wrong_printer;
    facts.why = "another printer answers at this address: " + facts.machine + " " + facts.uuid;
    facts.measured_at.reset();
    if (!std::exchange(wrong_told_, true)) raise(PrinterEvent::wrong_identity, facts.why);
  } else {
    wrong_told_ = false;
  }
  facts_ = std::move(facts);
  pause_ = parts_.every;
  if (handlers_.facts) handlers_.facts(facts_);
  arm(pause_);
}

void PollingClient::failed(const Error& error, Reach reach) {
  facts_.reach = reach == Reach::absent ? reach_of(error) : reach;
  facts_.why = escape_untrusted(error.message);
  facts_.measured_at.reset();
  facts_.protection_verified = false;
  pause_ = std::min<std::chrono::milliseconds>(pause_ * 2, longest_pause);
  if (handlers_.facts) handlers_.facts(facts_);
  arm(pause_);
}

void PollingClient::raise(PrinterEvent event, const std::string& words) {
  if (handlers_.event) handlers_.event(event, escape_untrusted(words));
}

}  // namespace firebreak::uplink
