#include "tests/simulator/kinds/prusalink.h"

#include <algorithm>
#include <cmath>

#include "tests/simulator/kinds/hash.h"

namespace firebreak::sim {
namespace {

constexpr char kRealm[] = "Printer API";
constexpr std::size_t kNonces = 64;

// One field of an `Authorization: Digest` header; quotes removed.
std::string digest_field(const std::string& header, const std::string& name) {
  std::size_t at = 0;
  while ((at = header.find(name + "=", at)) != std::string::npos) {
    const bool starts = at == 0 || header[at - 1] == ' ' || header[at - 1] == ',';
    at += name.size() + 1;
    if (!starts) continue;
    if (at < header.size() && header[at] == '"') {
      const std::size_t end = header.find('"', at + 1);
      return header.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    }
    return header.substr(at, header.find_first_of(", ", at) - at);
  }
  return {};
}

double tenth(double value) { return std::round(value * 10) / 10; }

HttpResponse empty(int status) {
  HttpResponse response;
  response.status = status;
  return response;
}

HttpResponse refusal(int status, const std::string& title) {
  return json_response(status, {{"title", title}, {"code", status}});
}

}  // namespace

PrusaLink::PrusaLink(KindContext context)
    : Kind(std::move(context)),
      http_({context_.reactor, context_.printer, &faults_, &requests_, ""},
            [this](const HttpRequest& request, HttpServer::Reply reply) { reply(serve(request)); }),
      host_(context_.printer) {}

// RFC 2617, with `qop=auth` when the client chose it and without (RFC 2069) otherwise.
bool PrusaLink::digest_fits(const HttpRequest& request, const std::string& fields) const {
  const auto field = [&fields](const char* name) { return digest_field(fields, name); };
  const std::string nonce = field("nonce");
  const bool given = std::find(nonces_.begin(), nonces_.end(), nonce) != nonces_.end();
  if (!given || field("username") != setup().user || field("uri") != request.target) return false;
  const std::string secret = md5_hex(setup().user + ":" + kRealm + ":" + setup().password);
  const std::string question = md5_hex(request.method + ":" + request.target);
  std::string middle = ":" + nonce + ":";
  if (!field("qop").empty())
    middle += field("nc") + ":" + field("cnonce") + ":" + field("qop") + ":";
  return field("response") == md5_hex(secret + middle + question);
}

bool PrusaLink::allowed(const HttpRequest& request) const {
  if (faults_.has("wrong_key")) return false;
  if (!setup().api_key.empty() && request.header("x-api-key") == setup().api_key) return true;
  const std::string header = request.header("authorization");
  return !setup().password.empty() && header.starts_with("Digest ") &&
         digest_fits(request, header.substr(7));
}

HttpResponse PrusaLink::challenge() {
  nonces_.push_back(md5_hex(setup().host_name + std::to_string(++nonce_count_)));
  if (nonces_.size() > kNonces) nonces_.pop_front();
  HttpResponse response = refusal(401, "Unauthorized");
  response.headers.emplace_back("WWW-Authenticate", std::string("Digest realm=\"") + kRealm +
                                                        "\", nonce=\"" + nonces_.back() +
                                                        "\", stale=\"false\"");
  return response;
}

HttpResponse PrusaLink::serve(const HttpRequest& request) {
  if (!allowed(request)) return challenge();
  const bool get = request.method == "GET";
  if (get && request.path == "/api/version") {
    return json_response(200, {{"api", "2.0.0"},
                               {"server", "2.1.2"},
                               {"nozzle_diameter", 0.4},
                               {"text", "PrusaLink"},
                               {"hostname", host_name()},
                               {"capabilities", {{"upload-by-put", true}}}});
  }
  if (get && request.path == "/api/v1/info") return json_response(200, info());
  if (get && request.path == "/api/v1/status") return json_response(200, status());
  if (get && request.path == "/api/v1/job") {
    return job_.active() ? json_response(200, job()) : empty(204);
  }
  if (request.path.starts_with("/api/v1/job/")) return serve_job(request);
  return refusal(404, "Not Found");
}

// PUT /api/v1/job/ID/pause, …/resume, DELETE /api/v1/job/ID.
HttpResponse PrusaLink::serve_job(const HttpRequest& request) {
  const std::string prefix = "/api/v1/job/" + std::to_string(job_id_);
  if (!request.path.starts_with(prefix) || !job_.active()) return refusal(404, "Not Found");
  const std::string rest = request.path.substr(prefix.size());
  const bool paused = job_.state() == PrintJob::State::paused;
  const Nanos now = printer().now();
  if (request.method == "PUT" && rest == "/pause") {
    if (paused) return refusal(409, "Conflict");
    job_.pause(now);
    return empty(204);
  }
  if (request.method == "PUT" && rest == "/resume") {
    if (!paused) return refusal(409, "Conflict");
    job_.resume(now);
    return empty(204);
  }
  if (request.method != "DELETE" || !rest.empty()) return refusal(405, "Method Not Allowed");
  stop_read("cancel");
  if (printer().firmware().ignores_halt()) return empty(204);
  job_.cancel(now);
  stopping_ = true;
  host_.send("M104 S0");
  host_.send("M140 S0");
  host_.send("M107", [this] { stopping_ = false; });
  return empty(204);
}

const char* PrusaLink::state_text() const {
  const FirmwareState board = printer().firmware().state();
  if (board == FirmwareState::halted) return "ERROR";
  if (stopping_ || board != FirmwareState::running) return "BUSY";
  switch (job_.state()) {
    case PrintJob::State::printing: return "PRINTING";
    case PrintJob::State::paused: return "PAUSED";
    case PrintJob::State::complete: return "FINISHED";
    case PrintJob::State::cancelled: return "STOPPED";
    case PrintJob::State::error: return "ERROR";
    case PrintJob::State::standby: break;
  }
  return "IDLE";
}

PrusaLink::Json PrusaLink::status() const {
  const Readings now = readings();
  const auto& at = printer().firmware().motion().position();
  Json status = {{"storage", {{"path", "/usb/"}, {"name", "usb"}, {"read_only", false}}},
                 {"printer",
                  {{"state", state_text()},
                   {"temp_bed", tenth(now.bed.celsius)},
                   {"target_bed", tenth(now.bed.target)},
                   {"temp_nozzle", tenth(now.hotend.celsius)},
                   {"target_nozzle", tenth(now.hotend.target)},
                   {"axis_x", at[0]},
                   {"axis_y", at[1]},
                   {"axis_z", at[2]},
                   {"flow", 100},
                   {"speed", 100},
                   {"fan_hotend", now.hotend.celsius > 50 ? 6000 : 0},
                   {"fan_print", std::round(now.fan * 5000)}}}};
  if (job_.active()) {
    status["job"] = {{"id", job_id_},
                     {"progress", std::round(job_.progress() * 100)},
                     {"time_remaining", 60},
                     {"time_printing", std::round(job_.print_seconds(printer().now()))}};
  }
  return status;
}

PrusaLink::Json PrusaLink::info() const {
  const std::string serial = faults_.has("other_printer") ? "SN00000000ANOTHER" : setup().serial;
  return {{"nozzle_diameter", 0.4},
          {"mmu", false},
          {"serial", serial},
          {"hostname", host_name()},
          {"min_extrusion_temp", 170}};
}

PrusaLink::Json PrusaLink::job() const {
  return {{"id", job_id_},
          {"state", state_text()},
          {"progress", std::round(job_.progress() * 100)},
          {"time_remaining", 60},
          {"time_printing", std::round(job_.print_seconds(printer().now()))},
          {"file", {{"name", job_.name()}, {"path", "/usb"}, {"size", job_.size()}}}};
}

void PrusaLink::advance() {
  http_.set_running(printer().board_power() && !faults_.has("gone"));
  http_.set_answering(!printer().firmware().hung());
  http_.advance();
  host_.pump();
  if (printer().firmware().state() == FirmwareState::halted) job_.fail(printer().now());
  host_.feed(&job_);
}

bool PrusaLink::print(const std::string& name, const std::string& gcode) {
  if (job_.active() || printer().firmware().state() != FirmwareState::running) return false;
  ++job_id_;
  job_.start(name, gcode, printer().now());
  return true;
}

void PrusaLink::was_reset() {
  host_.clear();
  job_ = PrintJob();
  stopping_ = false;
}

std::initializer_list<const char*> PrusaLink::own_faults() const {
  static constexpr std::initializer_list<const char*> kFaults = {
      "gone",     "silent",       "slow",         "frozen_values", "wrong_key", "redirect",
      "big_body", "endless_body", "invalid_utf8", "wrong_shape",   "cut_off",   "other_printer"};
  return kFaults;
}

PrusaLink::Json PrusaLink::own_state() const { return {{"service_state", state_text()}}; }

}  // namespace firebreak::sim
