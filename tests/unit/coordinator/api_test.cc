#include <gtest/gtest.h>

#include <set>

#include "bench.h"
#include "common/config/config.h"
#include "coordinator/api/openapi.h"

namespace firebreak::coordinator {
namespace {

using nlohmann::json;

struct ApiTest : ::testing::Test {
  ApiBench bench;
  const std::string admin = bench.token(all_scopes);
  const json document = json::parse(openapi_text());

  /// A path with something plausible for each parameter.
  static std::string filled(std::string path) {
    const auto put = [&](const std::string& what, const std::string& value) {
      const auto at = path.find(what);
      if (at != std::string::npos) path.replace(at, what.size(), value);
    };
    put("agents/{name}", "agents/nobody");
    put("{name}", "p1");
    put("operations/{id}", "operations/0123456789abcdef");
    put("{id}", "0123456789ab");
    return path;
  }
  static std::string upper(std::string text) {
    for (char& c : text) c = static_cast<char>(std::toupper(c));
    return text;
  }
  /// Resolves "#/…" inside the document.
  const json& resolve(const json& node) const {
    return node.contains("$ref")
               ? document.at(json::json_pointer(node["$ref"].get<std::string>().substr(1)))
               : node;
  }
  json schema_of(const json& node) const {
    // What valijson (draft 7) checks: components become definitions.
    json schema = node;
    schema["components"] = document["components"];
    return schema;
  }
  void expect_declared(const std::string& name, const json& operation,
                       const ApiBench::Reply& reply) {
    SCOPED_TRACE(name + " answered " + std::to_string(reply.status) + " " + reply.text);
    const std::string status = std::to_string(reply.status);
    ASSERT_TRUE(operation["responses"].contains(status));
    const json& declared = resolve(operation["responses"][status]);
    ASSERT_TRUE(declared.contains("content"));
    const std::string type = declared["content"].begin().key();
    EXPECT_NE(reply.head.find("Content-Type: " + type), std::string::npos) << reply.head;
    if (type.find("json") == std::string::npos) return;
    auto schema =
        config::Schema::compile(schema_of(declared["content"].begin().value()["schema"]).dump());
    ASSERT_TRUE(schema) << schema.error().message;
    for (const auto& problem : schema->check(reply.body))
      ADD_FAILURE() << problem.pointer << ": " << problem.what;
  }
};

TEST_F(ApiTest, the_document_and_the_server_have_the_same_operations) {
  std::set<std::string> declared, served;
  for (const auto& [path, item] : document["paths"].items())
    for (const auto& [method, operation] : item.items())
      declared.insert(upper(method) + " " + path);
  for (const Route& route : bench.api.routes()) served.insert(route.method + " " + route.pattern);
  EXPECT_EQ(declared, served);
}

TEST_F(ApiTest, every_operation_answers_as_declared_with_and_without_a_token) {
  bench.connect("a1", guard_status({"p1"}, "tripped", {"person"}));
  for (const auto& [path, item] : document["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      const std::string name = upper(method) + " " + path;
      const std::string target = filled(path);
      for (const std::string& body :
           {std::string(), std::string("{}"), std::string("[1"),
            std::string(R"({"latch_number":3,"reason":"r"})"), std::string(R"({"all":true})"),
            std::string(R"({"agent":"a9"})"), std::string(R"({"name":"n","scopes":["view"]})")}) {
        if (method == "get" && !body.empty()) continue;
        expect_declared(name + " " + body, operation,
                        bench.call(upper(method), target, admin, body));
      }
      const auto without = bench.call(upper(method), target);
      expect_declared(name, operation, without);
      EXPECT_EQ(without.status == 401, !operation["x-firebreak-scope"].is_null()) << name;
    }
  }
}

TEST_F(ApiTest, every_operation_needs_exactly_its_scope) {
  bench.connect("a1", guard_status({"p1"}, "tripped", {"person"}));
  std::map<std::string, std::string> tokens;
  for (int bit = 0; bit < 5; ++bit)
    tokens[scope_names(1U << bit)[0].get<std::string>()] = bench.token(1U << bit);
  for (const auto& [path, item] : document["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      if (operation["x-firebreak-scope"].is_null()) continue;
      for (const auto& [scope, token] : tokens) {
        const int status = bench.call(upper(method), filled(path), token).status;
        const std::string name = upper(method) + " " + path + " with " + scope;
        if (scope == operation["x-firebreak-scope"]) {
          EXPECT_TRUE(status != 401 && status != 403) << name << ": " << status;
        } else if (path.find("/operations/") != std::string::npos) {
          EXPECT_EQ(status, 404) << name;
        } else {
          EXPECT_EQ(status, 403) << name;
        }
      }
    }
  }
}

TEST_F(ApiTest, a_path_or_method_that_is_not_declared_answers_404_or_405) {
  for (const char* path : {"/", "/hidden", "/api", "/api/v1", "/api/v1/stop/now", "/api/v2/fleet",
                           "/api/v1/printers/p1/reset/x", "/healthz/", "/metrics2"})
    EXPECT_EQ(bench.call("GET", path, admin).status, 404) << path;
  for (const auto& [path, item] : document["paths"].items()) {
    for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
      std::string lower = method;
      for (char& c : lower) c = static_cast<char>(std::tolower(c));
      if (item.contains(lower)) continue;
      const auto reply = bench.call(method, filled(path), admin);
      EXPECT_EQ(reply.status, 405) << method << " " << path;
      EXPECT_NE(reply.head.find("\r\nAllow: "), std::string::npos);
      EXPECT_EQ(reply.body["code"], "method_not_allowed");
    }
  }
}

TEST_F(ApiTest, head_answers_as_get_without_a_body) {
  const auto reply = bench.call("HEAD", "/healthz");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.text.empty());
  EXPECT_NE(reply.head.find("Content-Length: 16"), std::string::npos);
}

TEST_F(ApiTest, json_of_a_wrong_type_is_answered_with_the_pointer_to_the_field) {
  const auto pointer = [&](const char* path, const char* body) {
    const auto reply = bench.call("POST", path, admin, body);
    EXPECT_EQ(reply.status, 400) << reply.text;
    return reply.body["errors"][0]["pointer"].get<std::string>();
  };
  EXPECT_EQ(pointer("/api/v1/stop", R"({"printers":"p1"})"), "/printers");
  EXPECT_EQ(pointer("/api/v1/stop", R"({"printers":["p1",5]})"), "/printers/1");
  EXPECT_EQ(pointer("/api/v1/stop", R"({"all":"yes"})"), "/all");
  EXPECT_EQ(pointer("/api/v1/stop", R"({"all":true,"typo":1})"), "/typo");
  EXPECT_EQ(pointer("/api/v1/stop", R"([])"), "");
  EXPECT_EQ(pointer("/api/v1/enrollments", R"({"agent":7})"), "/agent");
  EXPECT_EQ(pointer("/api/v1/enrollments", R"({"agent":"a","minutes":16})"), "/minutes");
  EXPECT_EQ(pointer("/api/v1/enrollments", R"({"agent":"a","minutes":1.5})"), "/minutes");
  EXPECT_EQ(pointer("/api/v1/tokens", R"({"name":"n","scopes":["root"]})"), "/scopes/0");
  EXPECT_EQ(pointer("/api/v1/tokens", R"({"name":"n","scopes":["view"],"expires":"soon"})"),
            "/expires");
  EXPECT_EQ(pointer("/api/v1/tokens", R"({"name":"n","name":"m","scopes":["view"]})"), "/name");
}

TEST_F(ApiTest, a_hundred_thousand_levels_are_refused) {
  std::string deep = "{\"printers\":";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  EXPECT_EQ(bench.call("POST", "/api/v1/stop", admin, deep).body["code"], "bad_json");
  EXPECT_TRUE(bench.link.stops.empty());
}

TEST_F(ApiTest, a_stop_is_sent_and_answers_202_with_its_operation) {
  bench.connect("a1", guard_status({"p1", "p2"}));
  const auto reply = bench.call("POST", "/api/v1/stop", admin, R"({"all":true,"reason":"smoke"})");
  EXPECT_EQ(reply.status, 202);
  EXPECT_EQ(bench.link.stops.size(), 1u);
  EXPECT_EQ(reply.body["targets"].size(), 2u);
  const std::string id = reply.body["operation"];
  EXPECT_NE(reply.head.find("Location: /api/v1/operations/" + id), std::string::npos);
  EXPECT_EQ(bench.call("GET", "/api/v1/operations/" + id, admin).body["reason"], "smoke");
}

TEST_F(ApiTest, an_expired_token_may_still_stop_and_watch_its_own_stop_and_nothing_else) {
  bench.connect("a1", guard_status({"p1"}));
  const auto soon = bench.clock.wall().time_since_epoch().count() + 1000;
  const std::string token = bench.token(all_scopes, true, soon);
  bench.clock.advance(std::chrono::seconds{2});
  EXPECT_EQ(bench.call("GET", "/api/v1/fleet", token).status, 401);
  EXPECT_EQ(bench.call("POST", "/api/v1/tokens", token, R"({"name":"n","scopes":["view"]})").status,
            401);
  const auto stop = bench.call("POST", "/api/v1/stop", token, R"({"all":true})");
  EXPECT_EQ(stop.status, 202);
  const std::string own = "/api/v1/operations/" + stop.body["operation"].get<std::string>();
  EXPECT_EQ(bench.call("GET", own, token).status, 200);
  const auto other = bench.call("POST", "/api/v1/stop", admin, R"({"all":true})");
  const std::string others = "/api/v1/operations/" + other.body["operation"].get<std::string>();
  EXPECT_EQ(bench.call("GET", others, token).status, 404);
}

TEST_F(ApiTest, a_revoked_token_may_nothing_not_even_stop) {
  const auto made =
      bench.call("POST", "/api/v1/tokens", admin, R"({"name":"n","scopes":["stop"]})");
  const std::string token = made.body["token"], id = made.body["id"];
  EXPECT_EQ(bench.call("POST", "/api/v1/stop", token, R"({"all":true})").status, 202);
  EXPECT_EQ(bench.call("DELETE", "/api/v1/tokens/" + id, admin).body["state"], "revoked");
  EXPECT_EQ(bench.call("POST", "/api/v1/stop", token, R"({"all":true})").status, 401);
  EXPECT_EQ(bench.call("DELETE", "/api/v1/tokens/" + id, admin).status, 409);
  EXPECT_EQ(bench.link.stops.size(), 1u);
}

TEST_F(ApiTest, limits_never_delay_a_valid_stop) {
  bench.connect("a1", guard_status({"p1"}));
  for (int i = 0; i < 300; ++i) bench.call("GET", "/api/v1/printers", admin);
  EXPECT_EQ(bench.call("GET", "/api/v1/printers", admin).status, 429);
  for (int i = 0; i < 50; ++i)
    bench.call("GET", "/api/v1/fleet", "fbt_000000000000_" + std::string(64, '0'));
  for (int i = 0; i < 300; ++i) {
    const auto stop = bench.call("POST", "/api/v1/stop", admin, R"({"all":true})");
    ASSERT_EQ(stop.status, 202);
    ASSERT_EQ(stop.answer.delay.count(), 0);
  }
}

struct IdempotencyTest : ApiTest {
  IdempotencyTest() { bench.connect("a1", guard_status({"p1"}, "tripped", {"person"})); }
  ApiBench::Reply post(const std::string& path, const std::string& body, const std::string& key) {
    return bench.call("POST", path, admin, body, "", key);
  }
  const std::string all = R"({"all":true})";
};

TEST_F(IdempotencyTest, the_same_key_and_request_acts_once_and_gets_the_same_answer) {
  const auto first = post("/api/v1/stop", all, "k1");
  const auto again = post("/api/v1/stop", all, "k1");
  EXPECT_EQ(first.status, 202);
  EXPECT_EQ(again.status, 202);
  EXPECT_EQ(first.text, again.text);
  EXPECT_NE(again.head.find("Idempotent-Replayed: true"), std::string::npos);
  EXPECT_NE(again.head.find("Location: /api/v1/operations/"), std::string::npos);
  EXPECT_EQ(bench.link.stops.size(), 1u);
  const char* agent = R"({"agent":"a9"})";
  EXPECT_EQ(post("/api/v1/enrollments", agent, "k2").text,
            post("/api/v1/enrollments", agent, "k2").text);
  const char* reset = R"({"latch_number":3,"reason":"looked"})";
  EXPECT_EQ(post("/api/v1/printers/p1/reset", reset, "k3").text,
            post("/api/v1/printers/p1/reset", reset, "k3").text);
  EXPECT_EQ(bench.link.grants.size(), 1u);
  EXPECT_EQ(post("/api/v1/printers/p1/release", "{}", "k4").text,
            post("/api/v1/printers/p1/release", "{}", "k4").text);
  EXPECT_EQ(bench.link.grants.size(), 2u);
}

TEST_F(IdempotencyTest, a_key_that_was_used_for_another_request_is_refused) {
  post("/api/v1/stop", all, "k1");
  for (const auto& reply : {post("/api/v1/stop", R"({"agent":"a1"})", "k1"),
                            post("/api/v1/enrollments", R"({"agent":"a9"})", "k1")}) {
    EXPECT_EQ(reply.status, 422);
    EXPECT_EQ(reply.body["code"], "key_reused");
  }
  EXPECT_EQ(bench.link.stops.size(), 1u);
}

TEST_F(IdempotencyTest, a_stop_without_a_key_always_acts_and_with_one_again_after_a_minute) {
  for (int i = 0; i < 3; ++i) post("/api/v1/stop", all, "");
  EXPECT_EQ(bench.link.stops.size(), 3u);
  post("/api/v1/stop", all, "k1");
  bench.clock.advance(std::chrono::seconds{61});
  post("/api/v1/stop", all, "k1");
  EXPECT_EQ(bench.link.stops.size(), 5u);
}

TEST_F(IdempotencyTest, a_key_belongs_to_one_token_and_is_free_again_after_a_failure) {
  post("/api/v1/stop", all, "k1");
  bench.call("POST", "/api/v1/stop", bench.token(2), all, "", "k1");
  EXPECT_EQ(bench.link.stops.size(), 2u);
  EXPECT_EQ(post("/api/v1/enrollments", R"({"agent":7})", "k2").status, 400);
  EXPECT_EQ(post("/api/v1/enrollments", R"({"agent":"a9"})", "k2").status, 201);
  EXPECT_EQ(post("/api/v1/stop", all, "no spaces").status, 400);
  EXPECT_EQ(post("/api/v1/stop", all, std::string(129, 'k')).status, 400);
}

TEST_F(IdempotencyTest, any_number_of_keys_is_bounded_and_none_is_refused) {
  for (std::size_t i = 0; i < IdempotencyBook::entries_max + 50; ++i)
    ASSERT_EQ(post("/api/v1/stop", all, "k" + std::to_string(i)).status, 202);
  post("/api/v1/stop", all, "k0");
  EXPECT_EQ(bench.link.stops.size(), IdempotencyBook::entries_max + 51);
}

TEST_F(ApiTest, a_wrong_token_is_401_and_in_the_audit_log_and_a_flood_of_them_is_not) {
  const std::string wrong = "fbt_000000000000_" + std::string(64, '0');
  EXPECT_EQ(bench.call("GET", "/api/v1/fleet", wrong).status, 401);
  for (int i = 0; i < 500; ++i) bench.call("GET", "/api/v1/fleet", wrong);
  const auto last = bench.call("GET", "/api/v1/fleet", wrong);
  EXPECT_EQ(last.status, 429);
  EXPECT_GT(last.answer.delay.count(), 0);
  flush(*bench.store);
  int records = 0;
  const auto all = bench.store->audit_records(0, 500);
  for (const AuditRecord& record : *all) {
    const json shown = *audit_record_json(record);
    if (shown["action"] == "auth.refuse") ++records;
    EXPECT_EQ(shown.dump().find(wrong), std::string::npos);
  }
  EXPECT_EQ(records, 1);
}

TEST_F(ApiTest, a_machines_token_never_holds_reset_and_never_resets) {
  bench.connect("a1", guard_status({"p1"}, "tripped", {"person"}));
  const auto asked = bench.call("POST", "/api/v1/tokens", admin,
                                R"({"name":"n","scopes":["reset"],"kind":"machine"})");
  EXPECT_EQ(asked.status, 400);
  EXPECT_EQ(asked.body["errors"][0]["pointer"], "/scopes");
  const std::string forged = bench.token(all_scopes, false);
  const char* body = R"({"latch_number":3,"reason":"r"})";
  EXPECT_EQ(bench.call("POST", "/api/v1/printers/p1/reset", forged, body).status, 403);
  EXPECT_EQ(bench.call("POST", "/api/v1/printers/p1/release", forged, "{}").status, 403);
  EXPECT_EQ(bench
                .call("POST", "/api/v1/tokens", forged,
                      R"({"name":"n","scopes":["reset"],"kind":"person"})")
                .status,
            400);
  EXPECT_TRUE(bench.link.grants.empty());
}

TEST_F(ApiTest, a_reset_goes_out_for_mild_causes_and_stops_at_an_interlock_for_others) {
  const char* body = R"({"latch_number":3,"reason":"looked at it"})";
  bench.connect("a1", guard_status({"p1"}, "tripped", {"person", "blind"}));
  EXPECT_EQ(bench.call("POST", "/api/v1/printers/p1/reset", admin, body).status, 202);
  ASSERT_EQ(bench.link.grants.size(), 1u);
  EXPECT_EQ(bench.link.grants[0].latch_number, 3u);
  EXPECT_EQ(bench.link.grants[0].action, "reset");
  for (const char* cause : {"button", "smoke", "stuck_on", "over_limit", "sensor_out", "bad_slot",
                            "guard_lapsed", "relay_fault", "a_new_cause"}) {
    bench.connect("a1", guard_status({"p1"}, "tripped", {"person", cause}));
    const auto reply = bench.call("POST", "/api/v1/printers/p1/reset", admin, body);
    EXPECT_EQ(reply.status, 409) << cause;
    EXPECT_EQ(reply.body["code"], "interlock");
  }
  bench.connect("a1", guard_status({"p1"}, "tripped", {"person"}));
  EXPECT_EQ(
      bench.call("POST", "/api/v1/printers/p1/reset", admin, R"({"latch_number":2,"reason":"r"})")
          .body["code"],
      "stale_latch");
  bench.fleet.agent_disconnected("a1", "cut");
  EXPECT_EQ(bench.call("POST", "/api/v1/printers/p1/reset", admin, body).body["code"],
            "agent_offline");
  EXPECT_EQ(bench.link.grants.size(), 1u);
}

TEST_F(ApiTest, an_ended_certificate_is_approved_by_a_person_and_only_when_it_is_asked_for) {
  bench.connect("a1", guard_status({"p1"}));
  const std::string path = "/api/v1/agents/a1/approve";
  EXPECT_EQ(bench.call("POST", path, admin).status, 409);
  bench.renewals.insert("a1");
  EXPECT_EQ(bench.call("POST", path, bench.token(all_scopes, false)).status, 403);
  EXPECT_EQ(bench.call("POST", path, admin).status, 200);
  EXPECT_EQ(bench.call("POST", "/api/v1/agents/nobody/approve", admin).status, 404);
  flush(*bench.store);
  std::vector<std::string> actions;
  const auto records = bench.store->audit_records(0, 500);
  for (const AuditRecord& record : *records)
    actions.push_back((*audit_record_json(record))["action"]);
  EXPECT_NE(std::find(actions.begin(), actions.end(), "agent.approve"), actions.end());
}

TEST_F(ApiTest, event_pages_and_streams_give_every_event_once) {
  EventMaker maker("00000000000000aa");
  ASSERT_TRUE(bench.store->sink().append_events("a1", "00000000000000aa", maker.batch(120)));
  std::set<std::int64_t> ids;
  std::int64_t after = 0;
  for (int page = 0; page < 5; ++page) {
    const auto reply =
        bench.call("GET", "/api/v1/events?limit=50&after=" + std::to_string(after), admin);
    for (const json& event : reply.body["events"])
      EXPECT_TRUE(ids.insert(event["id"].get<std::int64_t>()).second);
    after = reply.body["next"];
  }
  EXPECT_EQ(ids.size(), 120u);
  auto opened = bench.call("GET", "/api/v1/events/stream", admin, "", "100");
  ASSERT_NE(opened.answer.stream, nullptr);
  const std::string first = opened.answer.stream->next().bytes;
  EXPECT_EQ(first.substr(0, 8), "id: 101\n");
  EXPECT_NE(first.find("id: 120\n"), std::string::npos);
  EXPECT_TRUE(opened.answer.stream->next().bytes.empty());
  ASSERT_TRUE(
      bench.store->sink().append_events("a1", "00000000000000aa", json::array({maker.next()})));
  EXPECT_EQ(opened.answer.stream->next().bytes.substr(0, 8), "id: 121\n");
  EXPECT_EQ(bench.call("GET", "/api/v1/events?latest=2", admin).body["events"].size(), 2u);
  EXPECT_EQ(bench.call("GET", "/api/v1/events?printer=p9", admin).body["events"].size(), 0u);
  for (const char* bad : {"after=x", "after=-1", "limit=501", "limit=0", "typo=1",
                          "latest=3&after=1", "after=1&after=2", "severity=loud", "printer=P%201"})
    EXPECT_EQ(bench.call("GET", std::string("/api/v1/events?") + bad, admin).status, 400) << bad;
}

TEST_F(ApiTest, a_stream_ends_when_its_token_is_revoked) {
  const auto made =
      bench.call("POST", "/api/v1/tokens", admin, R"({"name":"n","scopes":["view"]})");
  auto opened = bench.call("GET", "/api/v1/events/stream", made.body["token"]);
  EXPECT_FALSE(opened.answer.stream->next().end);
  bench.call("DELETE", "/api/v1/tokens/" + made.body["id"].get<std::string>(), admin);
  EXPECT_TRUE(opened.answer.stream->next().end);
}

TEST(ApiOnAFullDisk, stops_and_reads_go_on_and_changes_answer_507) {
  storage::OpenOptions small;
  small.bytes_max = 200 * 1024;
  ApiBench bench(small);
  const std::string admin = bench.token(all_scopes);
  bench.connect("a1", guard_status({"p1"}));
  EventMaker maker("00000000000000aa");
  while (bench.store->sink().append_events("a1", "00000000000000aa", maker.batch(50))) {
  }
  for (int i = 0; i < 2000 && bench.store->health() == StoreHealth::ok; ++i) flush(*bench.store);
  // A small change may still find room where a batch did not.
  auto change = bench.call("POST", "/api/v1/enrollments", admin, R"({"agent":"a9"})");
  for (int i = 0; i < 2000 && change.status == 201; ++i) {
    change = bench.call("POST", "/api/v1/enrollments", admin, R"({"agent":"a9"})");
  }
  EXPECT_EQ(change.status, 507) << change.text;
  EXPECT_EQ(change.body["code"], "storage_full");
  EXPECT_EQ(bench.call("GET", "/api/v1/fleet", admin).status, 200);
  EXPECT_EQ(bench.call("GET", "/api/v1/events", admin).status, 200);
  EXPECT_EQ(bench.call("GET", "/readyz").status, 503);
  EXPECT_EQ(bench.call("GET", "/healthz").status, 200);
  const auto stop = bench.call("POST", "/api/v1/stop", admin, R"({"all":true})");
  EXPECT_EQ(stop.status, 202);
  EXPECT_EQ(stop.body["recorded"], false);
  EXPECT_NE(stop.body["warning"], nullptr);
  EXPECT_EQ(bench.link.stops.size(), 1u);
}

TEST_F(ApiTest, no_answer_and_no_record_holds_a_tokens_secret) {
  const auto made =
      bench.call("POST", "/api/v1/tokens", admin, R"({"name":"n","scopes":["view"]})");
  const std::string secret = made.body["token"].get<std::string>().substr(17);
  EXPECT_EQ(bench.call("GET", "/api/v1/tokens", admin).text.find(secret), std::string::npos);
  EXPECT_EQ(bench.call("GET", "/api/v1/audit/records?limit=500", admin).text.find(secret),
            std::string::npos);
}

}  // namespace
}  // namespace firebreak::coordinator
