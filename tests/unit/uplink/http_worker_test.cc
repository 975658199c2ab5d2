// HTTP to printers that do not behave: each failure is an error in words, and memory is bounded.
#include <cstdio>
#include <fstream>

#include "tests/unit/uplink/uplink_bench.h"

namespace firebreak::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using uplink::HttpAccess;
using uplink::HttpAnswer;
using uplink::HttpQuestion;

constexpr char secret[] = "a-key-that-nobody-may-see";

class HttpToPrinters : public UplinkBench {
 protected:
  Result<HttpAnswer> ask(FakeService& of, HttpQuestion question = {}, const std::string& pin = {}) {
    auto access = std::make_shared<HttpAccess>();
    access->base_url = of.url();
    access->headers = {std::string("X-Api-Key: ") + secret};
    access->public_key_pin = pin;
    return ask(access, std::move(question));
  }
  Result<HttpAnswer> ask(const std::shared_ptr<const HttpAccess>& access, HttpQuestion question) {
    std::optional<Result<HttpAnswer>> got;
    http.ask(access, std::move(question), [&](Result<HttpAnswer> answer) { got = answer; });
    turn_until([&] { return got.has_value(); }, "an answer");
    return *got;
  }
  void expect_failure(const Result<HttpAnswer>& got, ErrorCode code, const std::string& words) {
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, code) << got.error().message;
    EXPECT_THAT(got.error().message, HasSubstr(words));
    EXPECT_THAT(got.error().message, Not(HasSubstr(secret)));
  }

  /// A self-signed certificate with its key, as printers make them.
  std::string make_certificate(const std::string& name) {
    const auto file = folder + "/" + name;
    const auto command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        " -days 2 -subj /CN=printer -keyout " +
        file + ".key -out " + file + ".crt 2>/dev/null && cat " + file + ".key " + file +
        ".crt > " + file;
    EXPECT_EQ(std::system(command.c_str()), 0);
    return file;
  }
  static std::string pin_of(const std::string& file) {
    const auto command = "openssl x509 -pubkey -noout -in " + file +
                         " | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary"
                         " | openssl base64";
    FILE* pipe = ::popen(command.c_str(), "r");
    char text[64] = {};
    EXPECT_NE(std::fgets(text, sizeof(text), pipe), nullptr);
    ::pclose(pipe);
    return "sha256//" + std::string(text).substr(0, 44);
  }
};

TEST_F(HttpToPrinters, AnAnswerComesWithItsStatusAndTheKeyIsSent) {
  service.handler = [](const auto&) { return http_answer(409, "{}"); };
  const auto got = ask(service, {.method = "POST", .path = "/a?b=c", .body = "{\"x\":1}"});
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->status, 409);
  EXPECT_EQ(got->body, "{}");
  EXPECT_EQ(service.requests.at(0).method, "POST");
  EXPECT_EQ(service.requests.at(0).target, "/a?b=c");
  EXPECT_EQ(service.requests.at(0).body, "{\"x\":1}");
  EXPECT_THAT(service.requests.at(0).head, HasSubstr(secret));
}

TEST_F(HttpToPrinters, NoRedirectIsFollowed) {
  service.handler = [this](const auto&) {
    return http_answer(302, "", "Location: " + service.url() + "/elsewhere\r\n");
  };
  const auto got = ask(service);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->status, 302);
  EXPECT_EQ(service.requests.size(), 1U);
}

TEST_F(HttpToPrinters, AnAnswerThatSaysItIsTooLongIsRefusedAtItsHead) {
  service.handler = [](const auto&) { return http_answer(200, std::string(10U << 20U, ' ')); };
  expect_failure(ask(service), ErrorCode::bad_input, "more than an answer may have");
}

TEST_F(HttpToPrinters, AnAnswerWithoutAnEndIsCutAtItsLimit) {
  service.pours = true;
  service.handler = [](const auto&) { return std::string("HTTP/1.1 200 OK\r\n\r\n{"); };
  expect_failure(ask(service, {.body_bytes_max = 1U << 20U}), ErrorCode::bad_input,
                 "more than an answer may have");
  // What the kernel's buffers hold beside it is at most some megabytes.
  EXPECT_LT(service.poured, std::size_t{32} << 20U);
}

TEST_F(HttpToPrinters, AHeaderWithoutAnEndIsCutToo) {
  service.pours = true;
  service.handler = [](const auto&) { return std::string("HTTP/1.1 200 OK\r\nX-Long: "); };
  const auto got = ask(service);
  ASSERT_FALSE(got.has_value());
  EXPECT_LT(service.poured, std::size_t{32} << 20U);
}

TEST_F(HttpToPrinters, AnAnswerThatIsCutOffIsNone) {
  service.closes = true;
  service.handler = [](const auto&) {
    return std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":");
  };
  expect_failure(ask(service), ErrorCode::bad_input, "no whole answer");
}

TEST_F(HttpToPrinters, WhatIsNoHttpIsNoAnswer) {
  service.closes = true;
  service.handler = [](const auto&) { return std::string("220 smtp.example ready\r\n"); };
  expect_failure(ask(service), ErrorCode::bad_input, "no whole answer");
}

TEST_F(HttpToPrinters, SilenceEndsAtTheTimeout) {
  expect_failure(ask(service, {.timeout = 50ms}), ErrorCode::unavailable,
                 "does not answer in time");
}

TEST_F(HttpToPrinters, AServiceThatIsNotThereIsUnreachable) {
  service.close();
  expect_failure(ask(service), ErrorCode::unavailable, "not reachable");
}

TEST_F(HttpToPrinters, OneSilentPrinterDelaysNoOther) {
  FakeService silent{io};
  auto slow = std::make_shared<HttpAccess>();
  slow->base_url = silent.url();
  bool slow_done = false;
  http.ask(slow, {}, [&](const Result<HttpAnswer>&) { slow_done = true; });
  turn_until([&] { return silent.open == 1; }, "the question to the silent one");
  service.handler = [](const auto&) { return http_answer(200, "{}"); };
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(ask(service).has_value());
  EXPECT_FALSE(slow_done);
}

TEST_F(HttpToPrinters, APinnedCertificateIsTakenAndAnotherIsRefused) {
  const auto own = make_certificate("own"), other = make_certificate("other");
  FakeService tls{io, own};
  tls.handler = [](const auto&) { return http_answer(200, "{}"); };
  const auto got = ask(tls, {}, pin_of(own));
  EXPECT_TRUE(got.has_value()) << got.error().message;
  expect_failure(ask(tls, {}, pin_of(other)), ErrorCode::refused, "another certificate");
  EXPECT_EQ(tls.requests.size(), 1U) << "the key went to a printer with another certificate";
}

TEST_F(HttpToPrinters, ASelfSignedCertificateWithoutAPinIsRefused) {
  FakeService tls{io, make_certificate("own")};
  expect_failure(ask(tls), ErrorCode::refused, "certificate");
  EXPECT_EQ(tls.requests.size(), 0U);
}

}  // namespace
}  // namespace firebreak::test
