#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <string>

#include "agent/guard/proxy/extrusion_tracker.h"

namespace firebreak::guard {
namespace {

constexpr std::int64_t second = 1'000'000'000;

/// One line of G-code each second.
class Extrusion : public ::testing::Test {
 protected:
  void lines(int count, const std::function<std::string(int)>& line) {
    for (int i = 0; i < count; ++i) tracker.take(line(i), now += second);
  }
  float flow() { return tracker.flow(now); }

  ExtrusionTracker tracker;
  std::int64_t now = 100 * second;
};

TEST_F(Extrusion, IsUnknownBeforeTheFirstMove) {
  tracker.take("M106 S255", now);
  EXPECT_TRUE(std::isnan(flow()));
}

// 0.1 mm of 1.75 mm filament a millimetre of path, 60 mm/s: 6 mm a second, 14.4 mm³/s.
TEST_F(Extrusion, IsFilamentOverTheTimeOfThePath) {
  tracker.take("M83", now);
  lines(40, [](int i) {
    return "N" + std::to_string(i) + " G1 X" + std::to_string((i + 1) % 2 * 60) + " E6 F3600*33";
  });
  EXPECT_NEAR(flow(), 14.4, 1.5);
}

TEST_F(Extrusion, UnderstandsAbsoluteFilamentAndItsReset) {
  tracker.take("M82", now);
  lines(40, [this](int i) {
    if (i == 20) tracker.take("G92 E0", now);
    const int e = (i % 20 + 1) * 6;
    return "G1 X" + std::to_string((i + 1) % 2 * 60) + " E" + std::to_string(e) + " F3600";
  });
  EXPECT_NEAR(flow(), 14.4, 1.5);
}

TEST_F(Extrusion, FollowsTheFlowFactor) {
  tracker.take("M83", now);
  tracker.take("M221 S50", now);
  lines(40, [](int i) { return "G1 X" + std::to_string((i + 1) % 2 * 60) + " E6 F3600"; });
  EXPECT_NEAR(flow(), 7.2, 1);
}

TEST_F(Extrusion, EndsWithTheMoves) {
  tracker.take("M83", now);
  lines(20, [](int i) { return "G1 X" + std::to_string((i + 1) % 2 * 60) + " E6 F3600"; });
  now += 60 * second;
  EXPECT_GE(tracker.flow(now), 0);
  EXPECT_LT(tracker.flow(now + second), 1);
}

TEST_F(Extrusion, ARetractionIsNoFlow) {
  tracker.take("M83", now);
  lines(30, [](int) { return "G1 E-5 F1800"; });
  EXPECT_EQ(flow(), 0);
}

TEST_F(Extrusion, AnyBytesStayWithinBounds) {
  std::mt19937_64 random(3);
  const std::string pieces[] = {"G1 ", "E",    "1e308", "-", "nan", "F", "0",    "X",   "M221 S",
                                "G92", "9999", "M83",   "T", " ",   "*", "\xFF", "inf", "G91"};
  for (int i = 0; i < 20000; ++i) {
    std::string line;
    for (std::size_t k = random() % 8; k > 0; --k) line += pieces[random() % std::size(pieces)];
    tracker.take(line, now += static_cast<std::int64_t>(random() % second));
    const float flow = tracker.flow(now);
    ASSERT_TRUE(std::isnan(flow) || (flow >= 0 && flow <= 60)) << line;
  }
}

}  // namespace
}  // namespace firebreak::guard
