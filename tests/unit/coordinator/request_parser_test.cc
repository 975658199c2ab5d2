#include "coordinator/front_door/request_parser.h"

#include <gtest/gtest.h>

#include "hostile_corpus.h"

namespace firebreak::coordinator {
namespace {

using State = RequestParser::State;

const std::string plain_get = "GET /g?x=1 HTTP/1.1\r\nHost: a\r\n\r\n";

/// Feeds `raw` in pieces of `size` and gives the parser as it stands after the first request.
RequestParser fed(const std::string& raw, std::size_t size) {
  RequestParser parser;
  for (std::size_t at = 0; at < raw.size();) {
    const auto taken = parser.feed(std::string_view(raw).substr(at, size));
    if (taken == 0) break;
    at += taken;
  }
  return parser;
}

TEST(RequestParser, judges_every_hostile_request_the_same_in_one_piece_and_byte_by_byte) {
  for (const HostileRequest& hostile : hostile_corpus()) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, hostile.raw.size()}) {
      const RequestParser parser = fed(hostile.raw, size);
      SCOPED_TRACE(hostile.name + ", in pieces of " + std::to_string(size));
      if (hostile.status == 200) {
        EXPECT_EQ(parser.state(), State::complete);
        EXPECT_EQ(parser.request().path, hostile.handled.front());
      } else if (hostile.status == 0) {
        EXPECT_TRUE(parser.state() == State::head || parser.state() == State::body);
      } else {
        ASSERT_EQ(parser.state(), State::refused);
        EXPECT_EQ(parser.refusal().status, hostile.status);
        EXPECT_FALSE(parser.refusal().code.empty());
      }
    }
  }
  EXPECT_GE(hostile_corpus().size(), 60u);
}

TEST(RequestParser, hands_on_only_headers_of_the_list_and_each_once) {
  RequestParser parser =
      fed("GET /g HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nREMOTE_ADDR: 1.2.3.4\r\n"
          "Accept-Encoding: gzip\r\nRange: bytes=0-1\r\nAUTHORIZATION:  Bearer x \r\n\r\n",
          1000);
  ASSERT_EQ(parser.state(), State::complete);
  const ParsedRequest request = parser.take();
  EXPECT_EQ(request.header("authorization"), "Bearer x");
  EXPECT_EQ(request.header("x-forwarded-for"), "");
  EXPECT_EQ(request.header("remote_addr"), "");
  EXPECT_EQ(request.headers.size(), 2u);
}

TEST(RequestParser, leaves_the_next_request_untouched) {
  RequestParser parser;
  const std::string two = plain_get + plain_get;
  EXPECT_EQ(parser.feed(two), plain_get.size());
  EXPECT_EQ(parser.state(), State::complete);
  EXPECT_EQ(parser.feed(two), 0u);
  parser.take();
  EXPECT_EQ(parser.state(), State::head);
  EXPECT_FALSE(parser.started());
  EXPECT_EQ(parser.feed(two), plain_get.size());
}

TEST(RequestParser, decodes_a_path_once_and_only_to_harmless_bytes) {
  RequestParser parser = fed("GET /a%3Ab/%41 HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
  ASSERT_EQ(parser.state(), State::complete);
  EXPECT_EQ(parser.request().path, "/a:b/A");
}

TEST(RequestParser, closes_when_the_client_asks_for_it) {
  RequestParser parser = fed("GET /g HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", 1000);
  EXPECT_FALSE(parser.request().keep_alive);
  EXPECT_TRUE(fed(plain_get, 1000).request().keep_alive);
}

TEST(RequestParser, takes_a_body_of_exactly_the_bound) {
  const std::string head =
      "POST /p HTTP/1.1\r\nHost: a\r\nContent-Type: application/json; charset=UTF-8\r\n"
      "Content-Length: 1048576\r\n\r\n";
  RequestParser parser;
  EXPECT_EQ(parser.feed(head), head.size());
  EXPECT_EQ(parser.state(), State::body);
  EXPECT_EQ(parser.feed(std::string(2'000'000, ' ')), request_body_bytes_max);
  EXPECT_EQ(parser.state(), State::complete);
  EXPECT_EQ(parser.request().body.size(), request_body_bytes_max);
}

}  // namespace
}  // namespace firebreak::coordinator
