#include <gtest/gtest.h>

#include <string>

#include "common/base/json_nesting.h"

namespace firebreak {
namespace {

TEST(JsonGate, TakesWhatIsExactlyAsDeepAsAllowed) {
  EXPECT_TRUE(nesting_within("[[[[[[[[]]]]]]]]", 8));
  EXPECT_FALSE(nesting_within("[[[[[[[[[]]]]]]]]]", 8));
}

TEST(JsonGate, CountsDepthAndNotTheNumberOfBrackets) {
  std::string flat = "[";
  for (int i = 0; i < 1000; ++i) flat += "{},";
  EXPECT_TRUE(nesting_within(flat + "0]", 8));
}

TEST(JsonGate, IgnoresBracketsInsideStrings) {
  EXPECT_TRUE(nesting_within(R"({"text":"[[[[[[[[[[[["})", 8));
  EXPECT_TRUE(nesting_within(R"({"text":"\"[[[[[[[[[[[["})", 8));
  EXPECT_FALSE(nesting_within(R"({"text":"\\",[[[[[[[[[[[[)", 8));
}

TEST(JsonGate, RefusesANestingOfAHundredThousandWithoutRecursion) {
  EXPECT_FALSE(nesting_within(std::string(100'000, '['), 8));
}

}  // namespace
}  // namespace firebreak
