#include "coordinator/app/app.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "bench.h"
#include "coordinator/app/secrets.h"
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
