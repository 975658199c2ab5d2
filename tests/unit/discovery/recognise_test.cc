#include <gtest/gtest.h>

#include "agent/uplink/discovery/http_probe.h"

namespace firebreak::uplink {
namespace {

std::string kind_of(const char* path, int status, std::string body, std::string challenge = {}) {
  const auto found = recognise(path, {status, std::move(body), std::move(challenge)});
  return found ? found->kind : "";
}

TEST(Probe, recognises_each_kind_without_a_key) {
  EXPECT_EQ(kind_of("/access/info", 200,
                    R"({"result":{"default_source":"moonraker","login_required":true}})"),
            "moonraker");
  EXPECT_EQ(kind_of("/api/version", 200, R"({"api":"0.1","text":"OctoPrint 1.9.3"})"), "octoprint");
  EXPECT_EQ(
      kind_of("/api/version", 403,
              R"({"error":"You don't have the permission to access the requested resource."})"),
      "octoprint");
  EXPECT_EQ(kind_of("/access/info", 401, "", " Digest realm=\"Printer API\", nonce=\"1\"\r\n"),
            "prusalink");
  EXPECT_EQ(kind_of("/rr_connect?password=", 200, R"({"err":1})"), "reprapfirmware");
}

TEST(Probe, takes_no_other_answer_for_a_printer) {
  const std::string deep = std::string(100'000, '[');
  for (const char* path : {"/access/info", "/api/version", "/rr_connect?password="}) {
    for (const std::string& body :
         {std::string(), std::string("<html>"), deep, std::string("{}"), std::string("[]"),
          std::string("null"), std::string(R"({"result":7})"), std::string(R"({"err":"x"})"),
          std::string(R"({"text":7})"), std::string(R"({"error":"no"})"),
          std::string("{\"text\":\"\xff\xfe\"}")}) {
      for (const int status : {200, 302, 401, 403, 404, 500})
        EXPECT_EQ(kind_of(path, status, body), "") << path << status << body.substr(0, 40);
    }
  }
  EXPECT_EQ(kind_of("/api/version", 401, "", " Basic realm=\"router\""), "");
}

TEST(Probe, shows_what_others_wrote_short_and_escaped) {
  const auto found = recognise(
      "/api/version", {200, R"({"text":"OctoPrint \u001b[2J)" + std::string(500, 'x') + "\"}", {}});
  ASSERT_TRUE(found);
  EXPECT_LE(found->claims.size(), shown_bytes_max);
  EXPECT_EQ(found->claims.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace firebreak::uplink
