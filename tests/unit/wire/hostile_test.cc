// What a peer may not do, and what it gets: the session closed, the reason noted, nothing stored.

#include "tests/unit/wire/raw_peer.h"

namespace firebreak::test {
namespace {

using nlohmann::json;

class HostileTest : public Farm {
 protected:
  void SetUp() override {
    start_hub();
    good = make_credentials(*authority, "garage", today, &coordinator);
  }

  std::unique_ptr<RawPeer> peer(std::optional<tls::Credentials> credentials, WallTime now = today) {
    return std::make_unique<RawPeer>(io, hub->port(), authority->certificate_pem(),
                                     std::move(credentials), now);
  }
  std::unique_ptr<RawPeer> greeted(char instance = '1') {
    auto out = peer(good);
    out->send(hello_of("garage", instance));
    turn_until([&] { return out->first_type() == "welcome" || out->closed; }, "the welcome");
    return out;
  }

  tls::Credentials good;
};

/// One thing that a greeted agent sends, and that ends its session.
struct Bad {
  const char* name;
  std::string bytes;
};

std::string framed(const std::string& cbor) {
  std::string out(4, '\0');
  for (int i = 0; i < 4; ++i) out[3 - i] = static_cast<char>(cbor.size() >> (8 * i) & 0xff);
  return out + cbor;
}

std::string framed(const json& message) { return wire::encode_frame(message).value(); }

json changed(json message, const char* field, json value) {
  message[field] = std::move(value);
  return message;
}

json events_of(std::vector<json> list) {
  return {{"t", "events"}, {"log", "00000000000000aa"}, {"events", json(std::move(list))}};
}

std::vector<Bad> bad_frames() {
  const json telemetry = wire::encode(wire::Telemetry{1, {}, json::object()});
  const std::string nested = "\xa1\x61\x78" + std::string(100, '\x81') + "\x01";
  return {
      {"a length of zero", std::string(4, '\0')},
      {"a length above a mebibyte", std::string("\x00\x10\x00\x01", 4)},
      {"the longest length", std::string("\xff\xff\xff\xff", 4)},
      {"bytes that are no CBOR", framed(std::string("\xff\xff"))},
      {"a list instead of a map", framed(std::string("\x80"))},
      {"a map that is cut short", framed(std::string("\xa2\x61\x74"))},
      {"bytes after the map", framed(std::string("\xa0\x00", 2))},
      {"a key that is a number", framed(std::string("\xa1\x01\x02"))},
      {"a key that comes twice", framed(std::string("\xa2\x61\x74\x01\x61\x74\x01"))},
      {"a text that is not UTF-8", framed(std::string("\xa1\x61\x74\x62\xc3\x28"))},
      {"not a number", framed(std::string("\xa1\x61\x74\xf9\x7e\x00", 6))},
      {"a tag", framed(std::string("\xa1\x61\x74\xc0\x61\x61"))},
      {"an indefinite text in another",
       framed(std::string("\xa1\x61\x74") + std::string(9999, '\x7f'))},
      {"an indefinite map", framed(std::string("\xbf\xff"))},
      {"a nesting of a hundred", framed(nested)},
      {"no type", framed(json{{"x", 1}})},
      {"an unknown type", framed(json{{"t", "launch"}})},
      {"a message of the coordinator", framed(wire::encode(wire::Receipt{}))},
      {"a second hello", framed(hello_of("garage"))},
      {"an enrolment with a certificate", framed(wire::encode(wire::Enroll{1, {}, "garage", "x"}))},
      {"telemetry without a nonce", framed(json{{"t", "telemetry"}, {"seq", 1}, {"status", {}}})},
      {"a nonce as text", framed(changed(telemetry, "nonce", "0123456789abcdef"))},
      {"a status that is a list", framed(changed(telemetry, "status", json::array()))},
      {"bytes inside the status",
       framed(changed(telemetry, "status", json{{"x", json::binary({1, 2})}}))},
      {"a negative number", framed(changed(telemetry, "seq", -1))},
      {"no events at all", framed(events_of({}))},
      {"an event of another log",
       framed(events_of({changed(event_of(1), "log", "00000000000000bb")}))},
      {"an event number of zero", framed(events_of({event_of(0)}))},
      {"events in the wrong order", framed(events_of({event_of(2), event_of(1)}))},
      {"the same event twice in a batch", framed(events_of({event_of(1), event_of(1)}))},
      {"a severity that does not exist",
       framed(events_of({changed(event_of(1), "severity", "panic")}))},
      {"a hash that is too short", framed(events_of({changed(event_of(1), "hash", "aa")}))},
      {"a good event and a bad one",
       framed(events_of({event_of(1), changed(event_of(2), "text", 5)}))},
      {"an outcome that does not exist",
       framed(json{{"t", "result"},
                   {"id", "x"},
                   {"final", true},
                   {"printers",
                    {{{"printer", "p1"}, {"outcome", "fine"}, {"state", ""}, {"message", ""}}}}})},
      {"a renewal that is no request", framed(wire::encode(wire::Renew{"not pem"}))},
  };
}

TEST_F(HostileTest, a_frame_that_is_not_as_agreed_ends_the_session_and_stores_nothing) {
  for (const Bad& bad : bad_frames()) {
    SCOPED_TRACE(bad.name);
    coordinator.security.clear();
    auto client = greeted();
    ASSERT_EQ(client->first_type(), "welcome");
    client->send_raw(bad.bytes);
    turn_until([&] { return client->closed.has_value(); }, "the end of the session");
    EXPECT_EQ(client->goodbye(), "malformed");
    ASSERT_FALSE(coordinator.security.empty());
    EXPECT_NE(coordinator.security.back().second, "");
    turn_until([&] { return hub->connected_agents().empty(); }, "the hub to let go");
  }
  EXPECT_EQ(coordinator.batches, 0);
  EXPECT_EQ(coordinator.renewals, 0);
  EXPECT_TRUE(coordinator.newest.empty());
}

TEST_F(HostileTest, an_unknown_version_is_refused_by_name) {
  auto client = peer(good);
  client->send(changed(hello_of("garage"), "v", 2));
  turn_until([&] { return client->closed.has_value(); }, "the end of the session");
  EXPECT_EQ(client->goodbye(), "version");
  EXPECT_TRUE(coordinator.saw("unknown_version"));
}

TEST_F(HostileTest, without_a_certificate_nothing_but_an_enrolment_is_heard) {
  for (const auto& message :
       {hello_of("garage"), wire::encode(wire::Telemetry{1, {}, json::object()}),
        events_of({event_of(1)}), wire::encode(wire::Renew{"x"})}) {
    coordinator.security.clear();
    auto client = peer(std::nullopt);
    client->send(message);
    turn_until([&] { return client->closed.has_value(); }, "the end of the session");
    EXPECT_EQ(client->goodbye(), "unauthenticated");
    EXPECT_TRUE(coordinator.saw("unauthenticated"));
  }
  EXPECT_EQ(coordinator.batches, 0);
}

TEST_F(HostileTest, a_certificate_of_another_authority_is_refused_in_the_handshake) {
  const auto stranger = identity::Authority::create(today).value();
  auto client = peer(make_credentials(stranger, "garage"));
  client->send(hello_of("garage"));
  turn_until([&] { return client->closed.has_value(); }, "the end of the session");
  EXPECT_TRUE(client->messages.empty());
  turn_until([&] { return coordinator.saw("bad_tls"); }, "the note");
}

TEST_F(HostileTest, a_certificate_that_is_in_no_register_is_refused) {
  auto client = peer(make_credentials(*authority, "shed"));
  client->send(hello_of("shed"));
  turn_until([&] { return client->closed.has_value(); }, "the end of the session");
  EXPECT_EQ(client->goodbye(), "unauthenticated");
}

TEST_F(HostileTest, an_agent_cannot_speak_for_another_one) {
  make_credentials(*authority, "shed", today, &coordinator);
  auto client = peer(good);
  client->send(hello_of("shed"));
  turn_until([&] { return client->closed.has_value(); }, "the end of the session");
  EXPECT_EQ(client->goodbye(), "unauthenticated");
  EXPECT_TRUE(coordinator.saw("wrong_name"));
}

TEST_F(HostileTest, an_agents_certificate_does_not_make_a_coordinator) {
  // It was made for clients, and mbedTLS does not even serve with it.
  stop_hub();
  hub_options.credentials = make_credentials(*authority, "garage");
  start_hub();
  auto client = peer(good);
  client->send(hello_of("garage"));
  turn_until([&] { return client->closed.has_value(); }, "the end of the session");
  EXPECT_FALSE(client->opened);
}

TEST_F(HostileTest, an_agent_refuses_a_coordinator_of_another_root) {
  const auto stranger = identity::Authority::create(today).value();
  const auto rogue = stranger.issue_server({"127.0.0.1"}, today, std::chrono::hours{24}).value();
  stop_hub();
  hub_options.credentials = {rogue.certificate_chain_pem, rogue.key_pem};
  start_hub();
  auto client = peer(good);
  client->send(hello_of("garage"));
  turn_until([&] { return client->closed.has_value(); }, "the end of the session");
  EXPECT_FALSE(client->opened);
  EXPECT_EQ(client->closed->code, ErrorCode::not_allowed);
}

TEST_F(HostileTest, an_agent_refuses_a_coordinator_whose_certificate_has_ended) {
  const auto old = authority->issue_server({}, today, std::chrono::hours{24}).value();
  stop_hub();
  hub_options.credentials = {old.certificate_chain_pem, old.key_pem};
  start_hub();
  auto client = peer(good, today + std::chrono::hours{48});
  client->send(hello_of("garage"));
  turn_until([&] { return client->closed.has_value(); }, "the end of the session");
  EXPECT_FALSE(client->opened);
  EXPECT_EQ(client->closed->code, ErrorCode::not_allowed);
}

TEST_F(HostileTest, a_first_frame_may_not_be_large) {
  auto client = peer(good);
  client->send(changed(hello_of("garage"), "padding", std::string(100'000, 'x')));
  turn_until([&] { return client->closed.has_value(); }, "the end of the session");
  EXPECT_EQ(client->goodbye(), "malformed");
}

TEST_F(HostileTest, fields_that_are_not_known_are_left_alone) {
  auto client = peer(good);
  client->send(changed(hello_of("garage"), "colour", "red"));
  turn_until([&] { return client->first_type() == "welcome"; }, "the welcome");
  client->send(changed(events_of({changed(event_of(1), "new_field", 1)}), "more", true));
  turn_until([&] { return client->messages.size() >= 2; }, "the receipt");
  EXPECT_EQ(client->messages.back()["stored"], 1);
}

TEST_F(HostileTest, a_silent_agent_is_taken_for_gone_after_three_heartbeats) {
  stop_hub();
  hub_options.beat = std::chrono::milliseconds{20};
  start_hub();
  auto client = greeted();
  turn_until([&] { return client->closed.has_value(); }, "the end of the session");
  EXPECT_NE(coordinator.disconnects["garage"].find("silent"), std::string::npos);
}

TEST_F(HostileTest, a_mistake_behind_the_hub_ends_that_session_and_no_other) {
  const auto other_key = make_credentials(*authority, "attic", today, &coordinator);
  auto other = peer(other_key);
  other->send(hello_of("attic"));
  turn_until([&] { return other->first_type() == "welcome"; }, "the other session");
  {
    const std::scoped_lock lock(coordinator.mutex);
    coordinator.mistake_at = "garage";
  }
  auto unlucky = greeted('1');
  unlucky->send({{"t", "events"}, {"log", "00000000000000aa"}, {"events", {event_of(1)}}});
  turn_until([&] { return unlucky->closed.has_value(); }, "its end, by the store's thread");
  coordinator.mistake_at_readings_of = "garage";
  auto next = greeted('2');
  next->send(wire::encode(wire::Telemetry{1, {}, json::object()}));
  turn_until([&] { return next->closed.has_value(); }, "its end, by the strand");
  EXPECT_FALSE(other->closed);
  other->send({{"t", "events"}, {"log", "00000000000000aa"}, {"events", {event_of(1)}}});
  turn_until([&] { return coordinator.stored_count("attic", "00000000000000aa") == 1; },
             "the other agent's event");
}

TEST_F(HostileTest, events_that_cannot_be_stored_get_no_receipt) {
  coordinator.store_fails = true;
  auto client = greeted();
  client->send(events_of({event_of(1)}));
  turn_until([&] { return client->closed.has_value(); }, "the end of the session");
  EXPECT_EQ(client->goodbye(), "unavailable");
  EXPECT_EQ(coordinator.batches, 0);
}

TEST_F(HostileTest, two_processes_with_one_key_get_no_command_but_stop) {
  auto first = greeted('1');
  auto second = greeted('2');
  turn_until([&] { return first->closed.has_value(); }, "the newer session to win");
  EXPECT_FALSE(coordinator.saw("cloned_key"));
  auto third = greeted('1');
  EXPECT_TRUE(coordinator.saw("cloned_key"));
  third->send(wire::encode(wire::Telemetry{1, {}, json::object()}));
  turn_until([&] { return coordinator.telemetries["garage"] > 0; }, "the telemetry");
  hub->send_grant({"op-1", "garage", "p1", "reset", 7, "anna"});
  turn_until([&] { return !coordinator.updates.empty(); }, "the refusal");
  EXPECT_TRUE(coordinator.updates.back().refused);
  hub->send_stop({{"garage", {}}}, "op-2", "anna");
  turn_until([&] { return third->messages.back().value("do", "") == "stop"; }, "the stop");
}

TEST_F(HostileTest, a_challenge_of_a_wrong_type_is_an_answer_that_cannot_be_read) {
  auto client = greeted();
  client->send(wire::encode(wire::Telemetry{1, {}, json::object()}));
  turn_until([&] { return coordinator.telemetries["garage"] > 0; }, "the telemetry");
  hub->send_grant({"op-1", "garage", "p1", "reset", 7, "anna"});
  turn_until([&] { return client->messages.back().value("do", "") == "challenge"; }, "the command");
  client->send({{"t", "result"},
                {"id", "op-1.c"},
                {"final", true},
                {"printers", json::array()},
                {"data", {{"challenge", 5}, {"generation", "seven"}}}});
  turn_until([&] { return !coordinator.updates.empty(); }, "the end of the operation");
  EXPECT_TRUE(coordinator.updates.back().final_answer);
  EXPECT_NE(coordinator.updates.back().error, "");
}

TEST_F(HostileTest, a_stop_overtakes_what_is_queued_for_the_agent) {
  auto client = greeted();
  client->send(wire::encode(wire::Telemetry{1, {}, json::object()}));
  turn_until([&] { return coordinator.telemetries["garage"] > 0; }, "the telemetry");
  const std::size_t before = client->messages.size();
  for (int i = 0; i < 50; ++i) {
    hub->send_command("garage", "c-" + std::to_string(i), "padding",
                      R"({"x":")" + std::string(20'000, 'x') + "\"}", std::chrono::seconds{10});
  }
  hub->send_stop({{"garage", {}}}, "op-1", "anna");
  turn_until([&] { return client->messages.size() >= before + 51; }, "everything");
  std::size_t place = 0;
  for (std::size_t i = before; i < client->messages.size(); ++i) {
    if (client->messages[i].value("do", "") == "stop") place = i - before;
  }
  // The first command was on its way when the stop came; a few more fit into the kernel's buffer.
  EXPECT_LT(place, 25u);
}

}  // namespace
}  // namespace firebreak::test
