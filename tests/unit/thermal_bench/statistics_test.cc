#include "tests/thermal/bench/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace firebreak::thermal_bench {
namespace {

TEST(Statistics, QuantileIsTheNearestRank) {
  EXPECT_EQ(quantile({3, 1, 2, 4}, 0.5), 2);
  EXPECT_EQ(quantile({3, 1, 2, 4}, 0.95), 4);
  EXPECT_TRUE(std::isnan(quantile({}, 0.5)));
}

TEST(Statistics, WhatNeverCameCountsAsTheLatest) {
  const double never = std::numeric_limits<double>::infinity();
  EXPECT_EQ(quantile({1, 2, never}, 0.5), 2);
  EXPECT_EQ(quantile({1, 2, never}, 0.95), never);
}

TEST(Statistics, BootstrapIntervalHoldsTheValueAndIsTheSameEachTime) {
  std::vector<double> values;
  for (int i = 0; i < 500; ++i) values.push_back(i);
  const auto one = bootstrap_quantile(values, 0.95, 7);
  const auto two = bootstrap_quantile(values, 0.95, 7);
  EXPECT_EQ(one.value, 474);
  EXPECT_LT(one.low, 474);
  EXPECT_GT(one.high, 474);
  EXPECT_EQ(one.low, two.low);
}

TEST(Statistics, PoissonBoundOfNothingSeenIsThree) {
  EXPECT_NEAR(poisson_upper95(0), 2.996, 0.001);
  EXPECT_NEAR(poisson_upper95(1), 4.744, 0.001);
  EXPECT_NEAR(poisson_upper95(10), 16.962, 0.001);
}

}  // namespace
}  // namespace firebreak::thermal_bench
