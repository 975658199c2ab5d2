#include "coordinator/app/app.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "bench.h"
#include "common/identity/certificate.h"
#include "coordinator/app/roll_authority.h"
#include "coordinator/app/secrets.h"
#include "coordinator/app/state_lock.h"
#include "tls_client.h"

namespace firebreak::coordinator {
namespace {

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct AppTest : ::testing::Test {
  AppTest() {
    std::signal(SIGPIPE, SIG_IGN);
    settings.state_dir = folder.path() / "state";
    settings.http_port = settings.agents_port = 0;
  }
  std::string call(App& app, const std::string& method, const std::string& path,
                   const std::string& token = "", const std::string& body = "") {
    TlsClient client(app.http_port());
    std::string raw = method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    if (!token.empty()) raw += "Authorization: Bearer " + token + "\r\n";
    if (!body.empty())
      raw += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
             "\r\n";
    client.send(raw + "\r\n" + body);
    return client.receive();
  }
  SystemClock clock;
  TemporaryFolder folder;
  Settings settings;
};

TEST_F(AppTest, a_first_start_makes_its_secrets_private_and_a_second_one_keeps_them) {
  std::string token, authority;
  for (int start = 0; start < 2; ++start) {
    App app(clock);
    const auto started = app.start(settings);
    ASSERT_TRUE(started) << started.error().message;
    for (const char* name : {"admin.token", "ca.key", "http.key", "agents.key", "reset.key",
                             "audit.key", "coordinator.db"}) {
      struct stat status {};
      ASSERT_EQ(::stat((settings.state_dir / name).c_str(), &status), 0) << name;
      EXPECT_EQ(status.st_mode & 077, 0u) << name;
    }
    if (start == 0) {
      token = text_of(settings.state_dir / "admin.token");
      authority = text_of(settings.state_dir / "ca.pem");
      token.pop_back();
    }
    EXPECT_EQ(text_of(settings.state_dir / "ca.pem"), authority);
    EXPECT_EQ(call(app, "GET", "/api/v1/fleet", token).substr(9, 3), "200");
    EXPECT_EQ(call(app, "GET", "/api/v1/fleet").substr(9, 3), "401");
    EXPECT_EQ(call(app, "GET", "/readyz").substr(9, 3), "200");
    const std::string verdict = call(app, "GET", "/api/v1/audit/verify", token);
    EXPECT_NE(verdict.find("\"invalid\":0"), std::string::npos) << verdict;
    EXPECT_EQ(call(app, "POST", "/api/v1/enrollments", token, R"({"agent":"a1"})").substr(9, 3),
              "201");
    app.stop();
  }
}

TEST_F(AppTest, a_reload_takes_over_what_it_can_and_names_what_needs_a_restart) {
  App app(clock);
  ASSERT_TRUE(app.start(settings));
  Settings wanted = settings;
  wanted.stop_retry_minutes = 3;
  wanted.log_level = log::Level::debug;
  EXPECT_TRUE(app.reload(wanted).empty());
  wanted.http_workers = 9;
  wanted.agents_advertise = "elsewhere";
  const std::vector<std::string> named{"http.workers", "agents.advertise"};
  EXPECT_EQ(app.reload(wanted), named);
  // It still is what runs.
  EXPECT_EQ(app.reload(wanted), named);
}

TEST_F(AppTest, a_second_coordinator_on_the_same_state_is_refused) {
  App first(clock), second(clock);
  ASSERT_TRUE(first.start(settings));
  const auto started = second.start(settings);
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("another coordinator"), std::string::npos);
}

TEST_F(AppTest, a_ca_without_its_key_is_not_quietly_replaced) {
  {
    App app(clock);
    ASSERT_TRUE(app.start(settings));
  }
  std::filesystem::remove(settings.state_dir / "ca.key");
  App app(clock);
  EXPECT_FALSE(app.start(settings));
}

struct RollTest : ::testing::Test {
  TemporaryFolder folder;
  const WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 12 / 1}};
  const std::string old_pem = load_or_create_authority(folder.path(), now)->certificate_pem();

  Result<std::string> step(const char* name) { return roll_authority(folder.path(), name, now); }
  identity::Authority present() { return *load_or_create_authority(folder.path(), now); }
  std::size_t trusted() {
    return identity::read_certificates(*trusted_roots(folder.path(), present()))->size();
  }
};

TEST_F(RollTest, announces_then_replaces_then_forgets) {
  EXPECT_EQ(trusted(), 1u);
  ASSERT_TRUE(step("prepare"));
  const std::string next = text_of(folder.path() / "ca-next.pem");
  EXPECT_EQ(trusted(), 2u);
  EXPECT_EQ(present().certificate_pem(), old_pem);
  ASSERT_TRUE(step("prepare")) << "again is no harm";
  EXPECT_EQ(text_of(folder.path() / "ca-next.pem"), next);
  ASSERT_TRUE(step("switch"));
  EXPECT_EQ(present().certificate_pem(), next);
  EXPECT_EQ(*trusted_roots(folder.path(), present()), next + old_pem);
  ASSERT_TRUE(step("forget"));
  EXPECT_EQ(trusted(), 1u);
}

TEST_F(RollTest, refuses_steps_out_of_their_order) {
  EXPECT_FALSE(step("switch"));
  EXPECT_FALSE(step("forget"));
  EXPECT_FALSE(step("nonsense"));
  ASSERT_TRUE(step("prepare"));
  ASSERT_TRUE(step("switch"));
  EXPECT_FALSE(step("switch"));
  EXPECT_FALSE(step("prepare")) << "the old one must be forgotten first";
  StateLock running;
  ASSERT_TRUE(running.take(folder.path()));
  EXPECT_FALSE(step("forget")) << "the coordinator runs";
}

TEST_F(RollTest, a_switch_that_was_cut_short_is_ended_by_repeating_it) {
  ASSERT_TRUE(step("prepare"));
  const std::string next = text_of(folder.path() / "ca-next.pem");
  std::filesystem::copy_file(folder.path() / "ca.pem", folder.path() / "ca-old.pem");
  std::filesystem::rename(folder.path() / "ca-next.key", folder.path() / "ca.key");
  ASSERT_TRUE(step("switch"));
  EXPECT_EQ(present().certificate_pem(), next);
}

TEST_F(RollTest, servers_get_a_certificate_of_the_new_authority) {
  const auto before = load_or_issue_server(folder.path(), "agents", present(), {}, now);
  ASSERT_TRUE(step("prepare"));
  ASSERT_TRUE(step("switch"));
  const auto after = load_or_issue_server(folder.path(), "agents", present(), {}, now);
  EXPECT_NE(before->certificate_chain_pem, after->certificate_chain_pem);
  EXPECT_EQ(load_or_issue_server(folder.path(), "agents", present(), {}, now)->key_pem,
            after->key_pem);
}

struct SettingsTest : ::testing::Test {
  TemporaryFolder folder;
  Result<Settings> load(const std::string& yaml) {
    const auto file = folder.path() / "coordinator.yaml";
    std::ofstream(file) << yaml;
    return load_settings(file);
  }
};

TEST_F(SettingsTest, defaults_listen_on_loopback_alone_and_call_nothing_durable) {
  const auto settings = load("state_dir: state\n");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->http_listen, "127.0.0.1");
  EXPECT_EQ(settings->agents_listen, "127.0.0.1");
  EXPECT_EQ(settings->durable_means, DurableMeans::off_host);
  EXPECT_EQ(settings->state_dir, folder.path() / "state");
}

TEST_F(SettingsTest, refuses_what_it_does_not_understand_with_the_line) {
  for (const char* yaml :
       {"state_dir: s\nhtp: {port: 1}\n", "state_dir: s\nhttp: {port: 70000}\n",
        "state_dir: s\nhttp: {listen: nowhere}\n", "state_dir: s\ndurable_means: yes\n",
        "state_dir: s\nhttp: {port: 9000}\nagents: {port: 9000}\n",
        "state_dir: s\nhttp: {port: 010}\n"}) {
    const auto settings = load(yaml);
    ASSERT_FALSE(settings) << yaml;
    EXPECT_EQ(settings.error().code, ErrorCode::bad_input);
    EXPECT_NE(settings.error().message.find("coordinator.yaml:"), std::string::npos)
        << settings.error().message;
  }
  EXPECT_FALSE(load("http: {port: 1}\n"));
  EXPECT_FALSE(load_settings("/nonexistent.yaml"));
}

TEST(ResetKey, signs_with_the_key_whose_public_half_it_shows) {
  TemporaryFolder folder;
  const auto key = ResetKey::load_or_create(folder.path());
  ASSERT_TRUE(key);
  const std::array<std::uint8_t, 3> message{1, 2, 3};
  EXPECT_TRUE(key->sign(message));
  EXPECT_EQ(ResetKey::load_or_create(folder.path())->public_key(), key->public_key());
  EXPECT_EQ(text_of(folder.path() / "reset.pub"), to_hex(key->public_key()) + "\n");
}

}  // namespace
}  // namespace firebreak::coordinator
