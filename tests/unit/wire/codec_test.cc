// Frames, the gate, tokens and the bytes of a grant, as bytes.

#include <gtest/gtest.h>

#include "agent/uplink/backoff.h"
#include "common/base/hex.h"
#include "common/identity/bytes.h"
#include "common/wire/cbor.h"
#include "common/wire/enrolment_token.h"
#include "common/wire/frame.h"
#include "common/wire/grant.h"
#include "common/wire/messages.h"

namespace firebreak::wire {
namespace {

using nlohmann::json;

TEST(Frame, has_its_length_in_four_bytes_big_endian_and_then_the_map) {
  const auto frame = encode_frame(json{{"t", "beat"}}).value();
  EXPECT_EQ(to_hex(identity::as_u8(frame)),
            "00000008"
            "a16174"
            "6462656174");
}

TEST(Frame, is_found_however_the_bytes_are_cut) {
  const std::string two =
      encode_frame(json{{"t", "a"}}).value() + encode_frame(json{{"t", "b"}}).value();
  for (std::size_t step = 1; step <= two.size(); ++step) {
    FrameReader reader;
    std::string types;
    for (std::size_t at = 0; at < two.size(); at += step) {
      ASSERT_TRUE(reader.feed(std::string_view(two).substr(at, step), [&](std::string_view frame) {
        types += parse_cbor(frame).value()["t"].get<std::string>();
        return true;
      }));
    }
    EXPECT_EQ(types, "ab");
    EXPECT_EQ(reader.held(), 0u);
  }
}

TEST(Frame, of_a_length_above_the_limit_is_refused_before_any_of_it_is_kept) {
  FrameReader reader(100);
  const std::string head("\x00\x00\x00\x65", 4);
  EXPECT_FALSE(reader.feed(head + std::string(50, 'x'), [](std::string_view) { return true; }));
  EXPECT_LE(reader.held(), 4u);
}

TEST(Frame, never_carries_more_than_a_mebibyte) {
  EXPECT_FALSE(encode_frame(json{{"x", std::string(frame_bytes_max, 'x')}}));
}

TEST(Gate, allows_a_depth_of_32_and_not_of_33) {
  json good = 1;
  for (int i = 0; i < 31; ++i) good = json::array({good});
  const auto bytes = [](const json& inner) {
    const auto cbor = json::to_cbor(json{{"x", inner}});
    return std::string(cbor.begin(), cbor.end());
  };
  EXPECT_TRUE(parse_cbor(bytes(good)));
  EXPECT_FALSE(parse_cbor(bytes(json::array({good}))));
}

TEST(Gate, counts_values_and_keys) {
  json list = json::array();
  for (int i = 0; i < 100; ++i) list.push_back(i);
  const auto cbor = json::to_cbor(json{{"x", list}});
  const std::string bytes(cbor.begin(), cbor.end());
  EXPECT_TRUE(parse_cbor(bytes, {32, 103}));
  EXPECT_FALSE(parse_cbor(bytes, {32, 102}));
}

TEST(Gate, survives_a_mebibyte_of_every_nesting_head) {
  for (const unsigned char head : {0x81, 0x9f, 0xa1, 0xbf, 0x7f, 0x5f, 0xc0, 0xd8}) {
    const std::string bytes = "\xa1\x61\x78" + std::string(1u << 20, static_cast<char>(head));
    EXPECT_FALSE(parse_cbor(bytes)) << int{head};
  }
}

TEST(Gate, keeps_what_json_text_can_keep) {
  const auto value = parse_json(R"({"a":[1,-2,3.5,null,true,"x"],"b":{"c":{}}})");
  ASSERT_TRUE(value);
  EXPECT_EQ((*value)["a"][1], -2);
  EXPECT_FALSE(parse_json("{\"a\":1,\"a\":2}"));
  EXPECT_FALSE(parse_json("[1]"));
  EXPECT_FALSE(parse_json(std::string(100'000, '[')));
  EXPECT_FALSE(parse_json("{\"a\":\"\xff\"}"));
  EXPECT_FALSE(parse_json(""));
}

TEST(Gate, knows_utf8_from_what_looks_like_it) {
  const auto text = [](const std::string& s) {
    return parse_cbor("\xa1\x61\x78" + std::string(1, static_cast<char>(0x60 + s.size())) + s)
        .has_value();
  };
  for (const char* good :
       {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x94\xa5", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(text(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xc3"}) {
    EXPECT_FALSE(text(bad)) << to_hex(identity::as_u8(bad));
  }
}

/// Over CBOR, where a number that is not negative has no sign.
json wired(const json& message) {
  return parse_cbor(std::string_view(encode_frame(message).value()).substr(length_bytes)).value();
}

TEST(Messages, come_back_as_they_went) {
  Hello hello{1, "garage", "test", "b", std::string(32, 'a'), {{"00000000000000aa", 9, 4}}, "ab"};
  EXPECT_EQ(encode(parse_hello(wired(encode(hello))).value()), encode(hello));
  Welcome welcome{1, 3, 1'800'000'000'000, "ff", {{"00000000000000aa", 9, 4}}, "pem"};
  EXPECT_EQ(encode(parse_welcome(wired(encode(welcome))).value()), encode(welcome));
  Command command{"op-1", 3, Nonce{1, 2}, std::chrono::seconds{10}, "stop", json{{"all", true}}};
  EXPECT_EQ(encode(parse_command(wired(encode(command))).value()), encode(command));
  CommandResult result{"op-1", false, {{"p1", "sent", "cutting", "x"}}, "e", true, json{{"a", 1}}};
  EXPECT_EQ(encode(parse_result(wired(encode(result))).value()), encode(result));
  Receipt receipt{{"00000000000000aa", 9, 4}, 77, "ff"};
  EXPECT_EQ(encode(parse_receipt(wired(encode(receipt))).value()), encode(receipt));
}

TEST(Messages, durable_is_never_above_stored) {
  EXPECT_FALSE(parse_receipt(wired(encode(Receipt{{"00000000000000aa", 4, 9}, 77, "ff"}))));
}

TEST(Token, comes_back_as_it_went_and_blanks_around_it_do_not_matter) {
  EnrolmentToken token{"coordinator.lan", 7777, {}, identity::random_bytes<32>(), "garage"};
  const std::string text = encode_token(token);
  EXPECT_TRUE(text.starts_with("fb1."));
  const auto back = decode_token(" " + text + "\n").value();
  EXPECT_EQ(back.host, token.host);
  EXPECT_EQ(back.port, token.port);
  EXPECT_EQ(back.secret, token.secret);
  EXPECT_EQ(back.agent, token.agent);
}

TEST(Token, that_is_damaged_is_refused_without_being_repeated) {
  const std::string text = encode_token({"h", 1, {}, {}, "garage"});
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto cut = decode_token(text.substr(0, i));
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().message.find(text.substr(0, i).substr(4 < i ? 4 : i) + "x"),
              std::string::npos);
  }
  EXPECT_FALSE(decode_token("fb2" + text.substr(3)));
  EXPECT_FALSE(decode_token(text + "!"));
}

TEST(Grant, signs_exactly_the_agreed_bytes) {
  std::array<std::uint8_t, 32> challenge{};
  challenge.fill(0xcc);
  const auto bytes = grant_message(challenge, GrantAction::reset_release, 0x01020304, "p1");
  EXPECT_EQ(to_hex(bytes), "66697265627265616b2d6772616e742d763100" + to_hex(challenge) + "03" +
                               "01020304" + "02" + "7031");
}

TEST(Backoff, doubles_up_to_its_bound_with_half_of_it_by_chance) {
  uplink::Backoff backoff(std::chrono::seconds{1}, std::chrono::seconds{60});
  for (const int bound : {1, 2, 4, 8, 16, 32, 60, 60}) {
    const auto pause = backoff.next(bound % 2 == 0 ? 0 : 0xffff);
    EXPECT_EQ(pause, bound % 2 == 0 ? std::chrono::milliseconds{500 * bound}
                                    : std::chrono::milliseconds{1000 * bound});
  }
  backoff.reset();
  EXPECT_EQ(backoff.next(0xffff), std::chrono::seconds{1});
}

}  // namespace
}  // namespace firebreak::wire
