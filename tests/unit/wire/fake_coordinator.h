#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/base/hex.h"
#include "common/identity/bytes.h"
#include "coordinator/hub/ports.h"

namespace firebreak::test {

/// The hub's ports over plain maps. The hub calls from its worker and its strand: everything is
/// under one mutex.
class FakeCoordinator final : public coordinator::AgentRegistry,
                              public coordinator::EventSink,
                              public coordinator::FleetView {
 public:
  struct Enrolment {
    std::string agent;
    bool used = false;
    bool expired = false;
  };

  // AgentRegistry
  Result<identity::CertificateInfo> enroll(std::string_view agent,
                                           std::span<const std::uint8_t, 32> secret_hash,
                                           const Sign& sign) override {
    const std::scoped_lock lock(mutex);
    const auto found = enrolments.find(to_hex(secret_hash));
    if (found == enrolments.end()) return fail(ErrorCode::not_allowed, "unknown token");
    if (found->second.used) return fail(ErrorCode::not_allowed, "used token");
    if (found->second.expired) return fail(ErrorCode::not_allowed, "expired token");
    if (found->second.agent != agent) return fail(ErrorCode::not_allowed, "token of another agent");
    auto certificate = sign();
    if (!certificate) return certificate;
    found->second.used = true;
    certificates[std::string(agent)] = {certificate->fingerprint};
    revoked.erase(std::string(agent));
    return certificate;
  }
  Result<coordinator::Standing> standing(std::string_view agent,
                                         const identity::Fingerprint& shown) override {
    const std::scoped_lock lock(mutex);
    if (revoked.contains(std::string(agent))) return coordinator::Standing::revoked;
    const auto found = certificates.find(std::string(agent));
    if (found == certificates.end()) return coordinator::Standing::unknown;
    for (const auto& good : found->second) {
      if (good == shown) return coordinator::Standing::good;
    }
    return coordinator::Standing::superseded;
  }
  Result<void> add_certificate(std::string_view agent,
                               const identity::CertificateInfo& certificate) override {
    const std::scoped_lock lock(mutex);
    certificates[std::string(agent)].push_back(certificate.fingerprint);
    ++renewals;
    return {};
  }
  Result<void> certificate_used(std::string_view agent,
                                const identity::Fingerprint& used) override {
    const std::scoped_lock lock(mutex);
    certificates[std::string(agent)] = {used};
    return {};
  }

  // EventSink
  Result<std::vector<coordinator::LogPosition>> positions(std::string_view agent) override {
    const std::scoped_lock lock(mutex);
    std::vector<coordinator::LogPosition> out;
    for (const auto& [key, events] : stored) {
      if (key.first == agent && !events.empty()) {
        out.push_back({key.second, events.rbegin()->first, 0});
      }
    }
    return out;
  }
  Result<coordinator::Receipt> append_events(std::string_view agent, std::string_view log,
                                             const nlohmann::json& events) override {
    const std::scoped_lock lock(mutex);
    if (mistake_at == agent) throw std::runtime_error("a mistake behind the hub");
    if (store_fails) return fail(ErrorCode::unavailable, "the disk is full");
    auto& mine = stored[{std::string(agent), std::string(log)}];
    for (const auto& event : events) {
      const auto seq = event["seq"].get<std::uint64_t>();
      if (!mine.emplace(seq, event).second) ++duplicates;
    }
    ++batches;
    const auto last = mine.rbegin()->first;
    return coordinator::Receipt{
        {std::string(log), last, all_durable ? last : 0}, ++index, std::string(64, 'e')};
  }
  std::string head() override { return std::string(64, 'e'); }
  std::uint64_t epoch() override { return epoch_now; }

  // FleetView
  void agent_connected(std::string_view agent, const nlohmann::json&, std::string_view) override {
    ++connects[std::string(agent)];
  }
  void agent_disconnected(std::string_view agent, std::string_view reason) override {
    disconnects[std::string(agent)] = reason;
  }
  void telemetry(std::string_view agent, const nlohmann::json& status) override {
    if (mistake_at_readings_of == agent) throw std::runtime_error("a mistake in the fleet");
    newest[std::string(agent)] = status;
    ++telemetries[std::string(agent)];
  }
  void command_update(const coordinator::CommandUpdate& update) override {
    updates.push_back(update);
  }
  void renewal_waits(std::string_view agent, bool waits) override {
    if (waits)
      waiting.insert(std::string(agent));
    else
      waiting.erase(std::string(agent));
  }
  void security_event(std::string_view /*agent*/, std::string_view kind,
                      std::string_view text) override {
    security.emplace_back(std::string(kind), std::string(text));
  }

  // What a test prepares and looks at. The strand runs on the test's own thread.
  std::size_t stored_count(const std::string& agent, const std::string& log) {
    const std::scoped_lock lock(mutex);
    return stored[{agent, log}].size();
  }
  bool saw(const std::string& kind) const {
    for (const auto& [name, text] : security) {
      if (name == kind) return true;
    }
    return false;
  }

  std::mutex mutex;
  std::map<std::string, Enrolment> enrolments;  ///< By hex of the secret's hash.
  std::map<std::string, std::vector<identity::Fingerprint>> certificates;
  std::set<std::string> revoked;
  std::set<std::string> waiting;  ///< For an approval of their renewal.
  std::map<std::pair<std::string, std::string>, std::map<std::uint64_t, nlohmann::json>> stored;
  std::uint64_t index = 0;
  std::uint64_t epoch_now = 5;
  std::atomic<int> batches = 0;
  std::atomic<int> duplicates = 0;
  std::atomic<int> renewals = 0;
  std::atomic<bool> all_durable = false;
  std::atomic<bool> store_fails = false;
  std::string mistake_at;              ///< Storing events of this agent throws.
  std::string mistake_at_readings_of;  ///< Taking its telemetry does.
  std::map<std::string, int> connects;
  std::map<std::string, std::string> disconnects;
  std::map<std::string, nlohmann::json> newest;
  std::map<std::string, int> telemetries;
  std::vector<coordinator::CommandUpdate> updates;
  std::vector<std::pair<std::string, std::string>> security;
};

}  // namespace firebreak::test
