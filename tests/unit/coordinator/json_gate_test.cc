#include "coordinator/api/json_gate.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace firebreak::coordinator {
namespace {

std::string repeated(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(JsonGate, lets_ordinary_json_through) {
  const auto parsed = parse_json(R"({"a":[1,2.5,true,null],"b":{"c":"d"}})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ((*parsed)["a"][1], 2.5);
}

TEST(JsonGate, refuses_a_hundred_thousand_levels_without_building_them) {
  for (const char* open : {"[", "{\"a\":", "[{\"a\":"}) {
    const auto parsed = parse_json(repeated(open, 100'000));
    ASSERT_FALSE(parsed);
    EXPECT_NE(parsed.error().detail.find("32 levels"), std::string::npos);
  }
}

TEST(JsonGate, takes_32_levels_and_not_33) {
  EXPECT_TRUE(parse_json(repeated("[", 32) + repeated("]", 32)));
  EXPECT_FALSE(parse_json(repeated("[", 33) + repeated("]", 33)));
}

TEST(JsonGate, takes_ten_thousand_values_and_not_more) {
  EXPECT_TRUE(parse_json("[" + repeated("1,", 9998) + "1]"));
  EXPECT_FALSE(parse_json("[" + repeated("1,", 9999) + "1]"));
}

TEST(JsonGate, points_at_a_doubled_key) {
  const auto parsed = parse_json(R"({"a":[0,{"b/c":1,"b/c":2}]})");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().pointer, "/a/1/b~1c");
}

TEST(JsonGate, refuses_what_is_not_json) {
  for (const char* text : {"", "{", "{}x", "{'a':1}", "[1,]", "NaN", "[1e999]", "\"\xff\"",
                           "[99999999999999999999]", "{\"a\":01}", "/*x*/{}"}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
}

}  // namespace
}  // namespace firebreak::coordinator
