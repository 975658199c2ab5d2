#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "common/base/hex.h"
#include "common/chain/event_chain.h"
#include "coordinator/api/api.h"
#include "coordinator/store/sqlite_store.h"

namespace firebreak::coordinator {

/// A folder that ends with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "fb-coord-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline chain::Digest test_key() {
  chain::Digest key{};
  key.fill(7);
  return key;
}

inline std::unique_ptr<SqliteStore> open_store(const std::filesystem::path& folder,
                                               const Clock& clock, storage::OpenOptions open = {}) {
  auto store = SqliteStore::open(
      {folder / "coordinator.db", test_key(), DurableMeans::stored, std::move(open)}, clock);
  EXPECT_TRUE(store) << (store ? "" : store.error().message);
  return store ? std::move(*store) : nullptr;
}

/// Waits until everything that was queued before is on the disk.
inline void flush(Store& store) {
  EnrollmentRow row;
  std::array<std::uint8_t, 8> id{};
  static std::uint64_t next = 0;
  ++next;
  std::memcpy(id.data(), &next, sizeof next);
  row.id = "flush" + to_hex(id);
  row.agent = "flush";
  row.secret_hash = chain::sha256(id);
  (void)store.add_enrollment(row, "test");
}

/// A black box's log, with a chain that verifies.
class EventMaker {
 public:
  explicit EventMaker(std::string log) : log_(std::move(log)) {}
  nlohmann::json next(const std::string& printer = "p1", const std::string& text = "it tripped") {
    nlohmann::json event{{"log", log_},         {"seq", ++seq_},
                         {"boot", "b"},         {"mono_ms", seq_},
                         {"wall", nullptr},     {"kind", "trip"},
                         {"severity", "alarm"}, {"printer", printer},
                         {"text", text},        {"data", nlohmann::json::object()}};
    const auto bytes = chain::canonical_bytes(event);
    head_ = chain::next_hash(head_, *bytes);
    event["hash"] = to_hex(head_);
    return event;
  }
  nlohmann::json batch(int count) {
    nlohmann::json out = nlohmann::json::array();
    for (int i = 0; i < count; ++i) out.push_back(next());
    return out;
  }

 private:
  std::string log_;
  std::int64_t seq_ = 0;
  chain::Digest head_{};
};

/// Records what would have gone to agents.
class FakeLink final : public AgentLink {
 public:
  struct Sent {
    std::vector<StopTarget> targets;
    std::string operation;
    std::string who;
    std::chrono::seconds within{};
  };
  std::vector<Sent> stops;
  struct Command {
    std::string agent, operation, verb;
    nlohmann::json arguments;
  };
  std::vector<GrantRequest> grants;
  std::vector<Command> commands;

  void send_stop(std::vector<StopTarget> targets, std::string operation, std::string who,
                 std::chrono::seconds within) override {
    stops.push_back({std::move(targets), std::move(operation), std::move(who), within});
  }
  void send_grant(GrantRequest request) override { grants.push_back(std::move(request)); }
  void send_command(std::string agent, std::string operation, std::string verb,
                    std::string arguments, std::chrono::milliseconds /*ttl*/) override {
    commands.push_back({std::move(agent), std::move(operation), std::move(verb),
                        nlohmann::json::parse(arguments)});
  }
};

/// A status as a guard tells it.
inline nlohmann::json guard_status(const std::vector<std::string>& printers,
                                   const std::string& state = "armed",
                                   std::vector<std::string> causes = {}) {
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& name : printers)
    list.push_back({{"name", name},
                    {"state", state},
                    {"outcome", "none"},
                    {"latch_number", 3},
                    {"causes", causes},
                    {"first_cause", nullptr},
                    {"no_new_heat", nlohmann::json::array()},
                    {"relay", "r1"},
                    {"independent_stop", true},
                    {"link", {{"state", "ready"}, {"port", "/dev/x"}, {"age_ms", 5}}},
                    {"identity", {{"firmware", "Marlin"}, {"machine", "m"}, {"uuid", nullptr}}},
                    {"heaters",
                     {{{"name", "hotend"},
                       {"celsius", 200.5},
                       {"target", 200},
                       {"duty", 0.5},
                       {"age_ms", 100},
                       {"limit_celsius", 275},
                       {"trusted", true},
                       {"covered", true}}}},
                    {"printing", true},
                    {"host_attached", true},
                    {"pty", "/run/p"},
                    {"last_pass", nullptr},
                    {"probation", nullptr}});
  return {{"ok", true}, {"agent", "a1"}, {"boot", "x"}, {"uptime_ms", 1}, {"printers", list}};
}

/// The API over a real store, with agents played by the test.
class ApiBench {
 public:
  explicit ApiBench(storage::OpenOptions open = {})
      : store(open_store(folder.path(), clock, std::move(open))),
        fleet(clock, *store),
        operations(clock, fleet, *store, link),
        api(parts()) {
    fleet.on_command_update([this](const CommandUpdate& u) {
      if (!inquiries.on_update(u)) operations.on_update(u);
    });
    fleet.on_seen_stopped([this](const PrinterKey& p) { operations.on_seen_stopped(p); });
  }

  /// The store's thread ends first: it still tells operations what it has written.
  ~ApiBench() { store.reset(); }
  ApiBench(const ApiBench&) = delete;
  ApiBench& operator=(const ApiBench&) = delete;

  std::string token(unsigned scopes, bool person = true,
                    std::optional<std::int64_t> expires_ms = std::nullopt) {
    const NewToken made = make_token("test", person, scopes, 0, expires_ms);
    (void)store->add_token(made.row, "test");
    tokens.put(made.row);
    return made.text;
  }

  struct Reply {
    int status = 0;
    std::string head;
    nlohmann::json body;
    std::string text;
    Answer answer;
  };
  Reply call(const std::string& method, const std::string& target, const std::string& token = "",
             const std::string& body = "", const std::string& last_event_id = "",
             const std::string& idempotency_key = "") {
    ParsedRequest request;
    request.method = method;
    const std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    if (!token.empty()) request.headers.emplace_back("authorization", "Bearer " + token);
    if (!last_event_id.empty()) request.headers.emplace_back("last-event-id", last_event_id);
    if (!idempotency_key.empty()) request.headers.emplace_back("idempotency-key", idempotency_key);
    request.body = body;
    Reply out;
    out.answer = api.handle(std::move(request), "192.0.2.1");
    const std::size_t end = out.answer.bytes.find("\r\n\r\n");
    out.head = out.answer.bytes.substr(0, end + 2);
    out.text = out.answer.bytes.substr(end + 4);
    out.status = std::stoi(out.head.substr(9, 3));
    out.body = nlohmann::json::parse(out.text, nullptr, false);
    return out;
  }

  /// An agent that is connected and tells this status.
  void connect(const std::string& agent, const nlohmann::json& status) {
    fleet.agent_connected(agent, {{"software", "test"}}, "192.0.2.9:1");
    fleet.telemetry(agent, status);
  }

  ManualClock clock;
  TemporaryFolder folder;
  std::unique_ptr<SqliteStore> store;
  FakeLink link;
  FleetState fleet;
  Operations operations;
  Inquiries inquiries{clock, link};
  TokenBook tokens{clock};
  std::set<std::string> renewals;  ///< Agents that wait for an approval.
  Api api;

 private:
  ApiParts parts() {
    ApiParts out{clock, *store, fleet, operations, inquiries, tokens, DurableMeans::stored,
                 {},    {},     {},    {},         {}};
    out.approve_renewal = [this](const std::string& agent) { return renewals.contains(agent); };
    out.enrolment_text = [](const std::string& agent, const chain::Digest&) {
      return "fb1." + agent;
    };
    out.cut_off = [](const std::string&) { return true; };
    out.agents_listening = [] { return true; };
    return out;
  }
};

}  // namespace firebreak::coordinator
