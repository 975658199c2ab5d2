#include "coordinator/cli/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "coordinator/cli/api.h"

namespace firebreak::cli {
namespace {

using testing::HasSubstr;

class SettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "cliXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    context_.config = folder_;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::map<std::string, std::string> environment_;
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  Console console_{out_, err_, {}};
  Context context_{console_,
                   in_,
                   [this](const char* name) -> std::optional<std::string> {
                     const auto found = environment_.find(name);
                     if (found == environment_.end()) return std::nullopt;
                     return found->second;
                   },
                   {},
                   {},
                   {}};
};

TEST_F(SettingsTest, WhatLoginKeepsIsFoundAgainAndIsForItsOwnerOnly) {
  ASSERT_TRUE(store_settings(folder_, "https://host:8443", "PEM", "fbt_1_secret"));
  struct stat info {};
  ASSERT_EQ(stat((folder_ / "token").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  const auto settings = load_settings(context_);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->server, "https://host:8443");
  EXPECT_EQ(settings->token, "fbt_1_secret");
  EXPECT_EQ(settings->ca_file, folder_ / "ca.pem");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(SettingsTest, AStoredTokenGoesToNoOtherServer) {
  ASSERT_TRUE(store_settings(folder_, "https://host:8443", "PEM", "fbt_1_secret"));
  context_.server = "https://elsewhere:8443";
  environment_["FIREBREAK_CA_FILE"] = "/some/ca.pem";
  const auto settings = load_settings(context_);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().status, ExitStatus::not_allowed);
  EXPECT_THAT(settings.error().message, Not(HasSubstr("secret")));
}

TEST_F(SettingsTest, TheEnvironmentIsEnoughWithoutAFile) {
  environment_ = {{"FIREBREAK_SERVER", "host:8443"},
                  {"FIREBREAK_CA_FILE", "/ca.pem"},
                  {"FIREBREAK_TOKEN", "fbt_2_other\n"}};
  const auto settings = load_settings(context_);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->server, "https://host:8443");
  EXPECT_EQ(settings->token, "fbt_2_other");
}

TEST_F(SettingsTest, WarnsOfATokenThatOthersCanRead) {
  ASSERT_TRUE(store_settings(folder_, "https://host:8443", "PEM", "fbt_1_secret"));
  chmod((folder_ / "token").c_str(), 0644);
  ASSERT_TRUE(load_settings(context_));
  EXPECT_THAT(err_.str(), HasSubstr("chmod 600"));
}

TEST_F(SettingsTest, SaysHowToLogInWhereNothingIsKept) {
  const auto settings = load_settings(context_);
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().status, ExitStatus::usage);
  EXPECT_THAT(settings.error().next, HasSubstr("firebreak login"));
}

TEST_F(SettingsTest, ABrokenFileIsRefusedWithItsLine) {
  std::ofstream(folder_ / "config.yaml") << "server: https://host:1\nca_flie: ca.pem\n";
  const auto settings = load_settings(context_);
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message, HasSubstr("config.yaml:2"));
}

TEST_F(SettingsTest, FindsItsFolderAsTheDesktopStandardSays) {
  context_.config.clear();
  environment_["HOME"] = "/home/ana";
  EXPECT_EQ(config_folder(context_).value(), "/home/ana/.config/firebreak");
  environment_["XDG_CONFIG_HOME"] = "/xdg";
  EXPECT_EQ(config_folder(context_).value(), "/xdg/firebreak");
  environment_["FIREBREAK_CONFIG"] = "/mine";
  EXPECT_EQ(config_folder(context_).value(), "/mine");
  environment_.clear();
  EXPECT_FALSE(config_folder(context_));
}

TEST(ServerAddress, IsHttpsAndNothingElse) {
  EXPECT_EQ(parse_server("https://host:8443/").value(), "https://host:8443");
  EXPECT_EQ(parse_server("127.0.0.1:8443").value(), "https://127.0.0.1:8443");
  EXPECT_EQ(parse_server("https://[::1]:8443").value(), "https://[::1]:8443");
  for (const char* bad : {"http://host:80", "https://host/path", "https://user@host", "file:///etc",
                          "", "https://", "host:8443 -x", "-K/etc/passwd", "https://host:123456"}) {
    EXPECT_FALSE(parse_server(bad)) << bad;
  }
}

TEST(Token, IsTakenWithoutItsWhiteSpaceAndNeverWithAnythingInside) {
  EXPECT_EQ(parse_token(" fbt_1_a\r\n").value(), "fbt_1_a");
  for (const std::string bad : {"", " \n", "a b", "a\nX-Header: 1", "\xc3\xa9"}) {
    const auto token = parse_token(bad);
    ASSERT_FALSE(token);
    if (bad.size() < 3) continue;
    EXPECT_THAT(token.error().message, Not(HasSubstr(bad)));
  }
  EXPECT_FALSE(parse_token(std::string(513, 'a')));
}

TEST(UrlPart, LeavesNothingThatCouldChangeThePath) {
  EXPECT_EQ(url_part("garage:p-1"), "garage:p-1");
  EXPECT_EQ(url_part("../a b?c#d&e\n"), "..%2Fa%20b%3Fc%23d%26e%0A");
}

}  // namespace
}  // namespace firebreak::cli
