// Enrolment and renewal, and how they are abused.

#include <sys/stat.h>

#include <algorithm>
#include <list>

#include "common/identity/bytes.h"
#include "common/identity/private_file.h"
#include "tests/unit/wire/raw_peer.h"

namespace firebreak::test {
namespace {

using EnrolmentTest = Farm;

TEST_F(EnrolmentTest, a_token_gives_a_certificate_and_files_that_only_the_owner_reads) {
  start_hub();
  const auto enrolled = enroll(make_token("garage"));
  ASSERT_TRUE(enrolled) << enrolled.error().message;
  const auto own = uplink::StateFiles(folder + "/garage").load_identity();
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->certificate.common_name, "garage");
  EXPECT_FALSE(own->certificate.is_authority);
  EXPECT_EQ(
      std::chrono::duration_cast<std::chrono::days>(own->certificate.not_after - today).count(),
      90);
  EXPECT_FALSE(identity::open_to_others(folder + "/garage/identity.pem"));
}

TEST_F(EnrolmentTest, a_token_works_once) {
  start_hub();
  const auto token = make_token("garage");
  ASSERT_TRUE(enroll(token));
  const auto again = enroll(token);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::not_allowed);
  EXPECT_TRUE(coordinator.saw("enrolment_refused"));
}

TEST_F(EnrolmentTest, a_refusal_does_not_touch_the_certificate_in_use) {
  start_hub();
  const auto token = make_token("garage");
  ASSERT_TRUE(enroll(token));
  const auto before = uplink::StateFiles(folder + "/garage").load_identity().value();
  ASSERT_FALSE(enroll(token));
  const auto after = uplink::StateFiles(folder + "/garage").load_identity().value();
  EXPECT_EQ(before.certificate.fingerprint, after.certificate.fingerprint);
}

TEST_F(EnrolmentTest, an_expired_token_is_refused_without_saying_why) {
  start_hub();
  const auto token = make_token("garage");
  coordinator.enrolments.begin()->second.expired = true;
  const auto refused = enroll(token);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("expired"), std::string::npos);
}

TEST_F(EnrolmentTest, a_token_of_another_agent_is_refused_on_this_host_already) {
  start_hub();
  const auto refused = enroll(make_token("shed"), "garage");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::bad_input);
  EXPECT_TRUE(coordinator.security.empty());
}

TEST_F(EnrolmentTest, a_token_whose_name_was_changed_is_refused_by_the_coordinator) {
  start_hub();
  auto token = make_token("shed");
  token.agent = "garage";
  const auto refused = enroll(token);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_allowed);
  EXPECT_FALSE(coordinator.certificates.contains("garage"));
}

TEST_F(EnrolmentTest, a_guessed_secret_is_refused) {
  start_hub();
  auto token = make_token("garage");
  token.secret[0] ^= 1;
  EXPECT_FALSE(enroll(token));
  EXPECT_FALSE(coordinator.enrolments.begin()->second.used);
}

TEST_F(EnrolmentTest, a_coordinator_with_another_root_never_sees_the_secret) {
  start_hub();
  auto token = make_token("garage");
  token.authority[5] ^= 1;
  const auto refused = enroll(token);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_allowed);
  EXPECT_FALSE(coordinator.enrolments.begin()->second.used);
  EXPECT_FALSE(coordinator.saw("enrolment_refused"));
}

TEST_F(EnrolmentTest, a_request_for_another_name_than_the_tokens_is_not_signed) {
  start_hub();
  const auto token = make_token("garage");
  const auto key = identity::generate_key_pem().value();
  RawPeer client(io, hub->port(), authority->certificate_pem(), std::nullopt);
  client.send(wire::encode(wire::Enroll{1, token.secret, "garage",
                                        identity::make_signing_request(key, "shed").value()}));
  turn_until([&] { return client.closed.has_value(); }, "the end of the session");
  EXPECT_EQ(client.goodbye(), "enrolment_refused");
  EXPECT_FALSE(coordinator.enrolments.begin()->second.used);
}

TEST_F(EnrolmentTest, an_uplink_that_is_not_enrolled_says_what_to_do) {
  auto lonely = uplink::Uplink::create(io, clock, settings(), rhythm);
  const auto started = lonely->start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("firebreak-uplink enroll"), std::string::npos);
}

TEST_F(EnrolmentTest, a_key_that_others_may_read_is_not_used) {
  start_hub();
  ASSERT_TRUE(enroll(make_token("garage")));
  ::chmod((folder + "/garage/identity.pem").c_str(), 0644);
  EXPECT_EQ(uplink::StateFiles(folder + "/garage").load_identity().error().code,
            ErrorCode::not_allowed);
}

TEST_F(EnrolmentTest, a_certificate_with_a_third_of_its_life_left_is_renewed_over_the_session) {
  start_all();
  const auto before = uplink::StateFiles(folder + "/garage").load_identity().value();
  stop_uplink();
  clock.advance(std::chrono::hours{24 * 61});
  start_uplink();
  turn_until([&] { return coordinator.renewals == 1 && coordinator.connects["garage"] >= 3; },
             "the session with the new certificate");
  const auto after = uplink::StateFiles(folder + "/garage").load_identity().value();
  EXPECT_NE(before.certificate.fingerprint, after.certificate.fingerprint);
  EXPECT_NE(before.credentials.key_pem, after.credentials.key_pem);
  turn_until([&] { return agent->is_up(); }, "the session");
  // The old one has served.
  RawPeer old(io, hub->port(), authority->certificate_pem(), before.credentials, hub_time->now());
  old.send(hello_of("garage"));
  turn_until([&] { return old.closed.has_value(); }, "the refusal of the old certificate");
  EXPECT_TRUE(coordinator.saw("superseded"));
}

TEST_F(EnrolmentTest, an_agent_learns_the_next_root_and_follows_when_the_authority_is_replaced) {
  start_all();
  const auto port = hub->port();
  const auto next = identity::Authority::create(today).value();
  const std::string old_pem = authority->certificate_pem();
  const uplink::StateFiles files(folder + "/garage");
  const auto trusted = [&] { return files.load_identity().value().authority_pem; };
  const auto restart_hub = [&] {
    stop_hub();
    start_hub(port);
  };
  hub_options.roots_pem = old_pem + next.certificate_pem();
  restart_hub();
  turn_until([&] { return trusted() == hub_options.roots_pem && agent->is_up(); },
             "both roots at the agent");

  authority = next;
  const auto server = authority->issue_server({}, today, std::chrono::hours{24 * 365}).value();
  hub_options.credentials = {server.certificate_chain_pem, server.key_pem};
  hub_options.roots_pem = next.certificate_pem() + old_pem;
  restart_hub();
  turn_until([&] { return coordinator.renewals == 1; }, "a certificate of the new root");
  const auto issuer = [&] { return files.load_identity().value().certificate.issuer; };
  turn_until([&] { return issuer() == next.certificate().common_name && agent->is_up(); },
             "its use");

  hub_options.roots_pem = next.certificate_pem();
  restart_hub();
  turn_until([&] { return trusted() == next.certificate_pem() && agent->is_up(); },
             "the old root to be forgotten");
  EXPECT_EQ(coordinator.renewals, 1);
}

TEST_F(EnrolmentTest, an_agent_that_was_off_for_half_a_year_renews_when_a_person_approves) {
  start_all();
  EXPECT_FALSE(hub->approve_renewal("garage")) << "it does not ask";
  stop_uplink();
  clock.advance(std::chrono::hours{24 * 200});
  start_uplink();
  turn_until([&] { return coordinator.waiting.contains("garage"); }, "the wish to renew");
  turn_for(std::chrono::milliseconds{100});
  EXPECT_FALSE(agent->is_up());
  EXPECT_EQ(coordinator.renewals, 0);
  EXPECT_TRUE(hub->approve_renewal("garage"));
  turn_until([&] { return coordinator.renewals == 1 && agent->is_up(); }, "renewal and session");
  EXPECT_EQ(coordinator.connects["garage"], 2);
  EXPECT_TRUE(coordinator.waiting.empty());
  EXPECT_FALSE(hub->approve_renewal("garage")) << "an approval is used up";
}

TEST_F(EnrolmentTest, a_stranger_who_asks_for_ever_to_renew_is_noted_once) {
  start_hub();
  const auto ended = make_credentials(*authority, "garage", today, &coordinator);
  clock.advance(std::chrono::hours{24 * 200});
  for (int i = 0; i < 5; ++i) {
    RawPeer client(io, hub->port(), authority->certificate_pem(), ended);
    client.send(hello_of("garage"));
    turn_until([&] { return client.closed.has_value(); }, "the end of the session");
    EXPECT_EQ(client.goodbye(), "approval_required");
  }
  EXPECT_EQ(std::count_if(coordinator.security.begin(), coordinator.security.end(),
                          [](const auto& one) { return one.first == "renewal_waits"; }),
            1);
}

TEST_F(EnrolmentTest, an_approval_ends_after_a_quarter_of_an_hour) {
  start_hub();
  const auto ended = make_credentials(*authority, "garage", today, &coordinator);
  clock.advance(std::chrono::hours{24 * 200});
  std::list<RawPeer> clients;
  const auto answer = [&] {
    RawPeer& client = clients.emplace_back(io, hub->port(), authority->certificate_pem(), ended);
    client.send(hello_of("garage"));
    turn_until([&] { return !client.messages.empty(); }, "an answer");
    return client.first_type();
  };
  EXPECT_EQ(answer(), "bye");
  EXPECT_TRUE(hub->approve_renewal("garage"));
  clock.advance(std::chrono::minutes{16});
  EXPECT_EQ(answer(), "bye");
  EXPECT_TRUE(hub->approve_renewal("garage"));
  EXPECT_EQ(answer(), "renew_required");
}

TEST_F(EnrolmentTest, an_ended_certificate_may_do_nothing_but_renew) {
  start_hub();
  const auto ended = make_credentials(*authority, "garage", today, &coordinator);
  clock.advance(std::chrono::hours{24 * 200});
  {
    RawPeer client(io, hub->port(), authority->certificate_pem(), ended);
    client.send(hello_of("garage"));
    turn_until([&] { return client.closed.has_value(); }, "the end of the session");
  }
  ASSERT_TRUE(hub->approve_renewal("garage"));
  RawPeer client(io, hub->port(), authority->certificate_pem(), ended);
  client.send(hello_of("garage"));
  turn_until([&] { return !client.messages.empty(); }, "an answer");
  EXPECT_EQ(client.first_type(), "renew_required");
  client.send({{"t", "events"}, {"log", "00000000000000aa"}, {"events", {event_of(1)}}});
  turn_until([&] { return client.closed.has_value(); }, "the end of the session");
  EXPECT_EQ(coordinator.batches, 0);
}

TEST_F(EnrolmentTest, a_certificate_that_ended_longer_ago_than_the_grace_is_refused) {
  start_hub();
  const auto ended = make_credentials(*authority, "garage", today, &coordinator);
  clock.advance(std::chrono::hours{24 * (90 + 181)});
  RawPeer client(io, hub->port(), authority->certificate_pem(), ended);
  client.send(hello_of("garage"));
  turn_until([&] { return client.closed.has_value(); }, "the end of the session");
  EXPECT_TRUE(client.messages.empty());
}

}  // namespace
}  // namespace firebreak::test
