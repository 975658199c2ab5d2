#include "agent/uplink/discovery/http_probe.h"

#include <array>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/escape.h"
#include "common/base/json_nesting.h"

namespace firebreak::uplink {
namespace {

using nlohmann::json;

constexpr std::size_t hosts_at_once = 16;
constexpr std::chrono::milliseconds connect_timeout{500};
constexpr std::chrono::milliseconds answer_timeout{2000};
constexpr std::size_t body_bytes_max = 64 * 1024;
constexpr int depth_max = 16;
constexpr std::array<int, 3> usual_ports{80, 7125, 5000};
constexpr const char* ask_access = "/access/info";            // Moonraker: answers without a key
constexpr const char* ask_version = "/api/version";           // OctoPrint, PrusaLink
constexpr const char* ask_connect = "/rr_connect?password=";  // RepRapFirmware
constexpr std::array<const char*, 3> paths{ask_access, ask_version, ask_connect};

json body_of(const HttpAnswer& answer) {
  if (!nesting_within(answer.body, depth_max)) return {};
  json value = json::parse(answer.body, nullptr, false);
  return value.is_object() ? value : json::object();
}

std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return {};
  return escape_untrusted(found->get_ref<const std::string&>(), shown_bytes_max);
}

Finding answered(const char* kind, std::string claims) {
  Finding finding;
  finding.kind = kind;
  finding.claims = std::move(claims);
  finding.sureness = Sureness::answered;
  return finding;
}

std::optional<Finding> recognise_version(const HttpAnswer& answer, const json& body) {
  const std::string claims = text_in(body, "text");
  if (answer.status == 200 && claims.starts_with("OctoPrint")) {
    return answered("octoprint", claims);
  }
  if (answer.status == 200 && claims.starts_with("PrusaLink")) {
    auto finding = answered("prusalink", claims);
    finding.name = text_in(body, "hostname");
    return finding;
  }
  // Its sentence for everybody without a key; older ones say "Invalid API key".
  const std::string error = text_in(body, "error");
  if (answer.status == 403 &&
      (error.starts_with("You don't have the permission") || error == "Invalid API key")) {
    return answered("octoprint", "asks for a key");
  }
  return std::nullopt;
}

std::optional<Finding> recognise_connect(const HttpAnswer& answer, const json& body) {
  const auto error = body.find("err");
  if (answer.status != 200 || error == body.end() || !error->is_number_integer())
    return std::nullopt;
  const std::string board = text_in(body, "boardType");
  return answered("reprapfirmware", *error == 0 ? board : "asks for a password");
}

/// One host: its ports, and at each port the paths, until something is recognised.
class HostProbe : public std::enable_shared_from_this<HostProbe> {
 public:
  using Done = std::function<void(std::optional<Finding>)>;
  HostProbe(HttpWorker& http, const HostAndPort& host, Done done)
      : http_(http), host_(host), done_(std::move(done)) {
    if (host.port != 0) {
      ports_.push_back(host.port);
    } else {
      ports_.assign(usual_ports.begin(), usual_ports.end());
    }
  }

  void next_port() {
    if (ports_.empty()) return done_(std::nullopt);
    auto access = std::make_shared<HttpAccess>();
    access->base_url = "http://" + host_.host;
    if (ports_.front() != 80) access->base_url += ":" + std::to_string(ports_.front());
    ports_.pop_front();
    access_ = std::move(access);
    ask(0);
  }

 private:
  void ask(std::size_t step) {
    if (step == paths.size()) return next_port();
    HttpQuestion question{.path = paths[step], .timeout = answer_timeout};
    question.connect_timeout = connect_timeout;
    question.body_bytes_max = body_bytes_max;
    http_.ask(access_, std::move(question),
              [self = shared_from_this(), step](const Result<HttpAnswer>& answer) {
                self->on_answer(step, answer);
              });
  }

  void on_answer(std::size_t step, const Result<HttpAnswer>& answer) {
    // No connection, no answer, or no HTTP: no other path will do better here.
    if (!answer) return next_port();
    auto finding = recognise(paths[step], *answer);
    if (!finding) return ask(step + 1);
    finding->address = access_->base_url;
    if (paths[step] == ask_connect && finding->claims != "asks for a password") {
      // Boards have few sessions: the one that the question has opened is closed again.
      http_.ask(access_, {.path = "/rr_disconnect", .timeout = answer_timeout},
                [self = shared_from_this(), finding](const Result<HttpAnswer>&) {
                  self->done_(finding);
                });
      return;
    }
    done_(std::move(finding));
  }

  HttpWorker& http_;
  const HostAndPort host_;
  const Done done_;
  std::deque<int> ports_;
  std::shared_ptr<const HttpAccess> access_;
};

}  // namespace

std::optional<Finding> recognise(std::string_view path, const HttpAnswer& answer) {
  // Every PrusaLink page asks for this realm (Buddy firmware and PrusaLink's own documentation).
  if (answer.status == 401 && answer.challenge.find("realm=\"Printer API\"") != std::string::npos)
    return answered("prusalink", "asks for a password");
  const json body = body_of(answer);
  if (path == ask_version) return recognise_version(answer, body);
  if (path == ask_connect) return recognise_connect(answer, body);
  const auto result = body.find("result");
  const bool moonraker = path == ask_access && answer.status == 200 && result != body.end() &&
                         result->is_object() && result->contains("default_source");
  if (!moonraker) return std::nullopt;
  const auto login = result->find("login_required");
  const bool asks = login != result->end() && login->is_boolean() && login->get<bool>();
  return answered("moonraker", asks ? "asks for a key" : "asks for no key");
}

ProbeRound probe_hosts(const std::vector<HostAndPort>& hosts, std::chrono::milliseconds time,
                       const Cancelled& cancelled) {
  constexpr std::chrono::milliseconds slice{cancelled_look_ms};
  ProbeRound round;
  asio::io_context io(1);
  const auto work = asio::make_work_guard(io);
  HttpWorker http(io);
  std::size_t next = 0, open = 0;
  std::function<void()> more = [&] {
    for (; open < hosts_at_once && next < hosts.size(); ++next) {
      ++open;
      const auto probe =
          std::make_shared<HostProbe>(http, hosts[next], [&](std::optional<Finding> finding) {
            --open;
            if (finding) round.found.push_back(std::move(*finding));
            more();
          });
      probe->next_port();
    }
  };
  more();
  const auto until = std::chrono::steady_clock::now() + time;
  while (open > 0 && !cancelled && std::chrono::steady_clock::now() < until) io.run_one_for(slice);
  round.not_reached = hosts.size() - next + open;
  return round;
}

}  // namespace firebreak::uplink
