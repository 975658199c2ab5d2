// The ring between two threads, and the records that go through it.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>

#include "agent/guard/blackbox/record.h"

namespace firebreak::guard {
namespace {

TEST(SpscQueue, GivesBackInOrderAndCountsWhatDidNotFit) {
  SpscQueue<int> queue(3);
  EXPECT_EQ(queue.capacity(), 4U);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.push(i));
  EXPECT_FALSE(queue.push(4));
  EXPECT_FALSE(queue.push(5));
  int value = -1;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(queue.pop(value));
    EXPECT_EQ(value, i);
  }
  EXPECT_FALSE(queue.pop(value));
  EXPECT_EQ(queue.take_dropped(), 2U);
  EXPECT_EQ(queue.take_dropped(), 0U);
}

TEST(SpscQueue, LosesNothingUncountedBetweenTwoThreads) {
  SpscQueue<std::uint64_t> queue(64);
  constexpr std::uint64_t count = 100'000;
  std::thread producer([&] {
    for (std::uint64_t i = 1; i <= count; ++i) queue.push(i);
    while (!queue.push(0)) std::this_thread::yield();
  });
  std::uint64_t taken = 0;
  std::uint64_t last = 0;
  bool ordered = true;
  for (std::uint64_t value = 1; value != 0;) {
    if (!queue.pop(value)) {
      value = 1;
      continue;
    }
    if (value == 0) break;
    ordered = ordered && value > last;
    last = value;
    ++taken;
  }
  producer.join();
  EXPECT_TRUE(ordered);
  EXPECT_GE(taken + queue.take_dropped(), count);
}

TEST(BlackBoxRecord, CutsWhatIsTooLongAndNeverGrows) {
  BlackBoxRecord record;
  record.set_text(std::string(1000, 'x'));
  EXPECT_EQ(record.text_size, BlackBoxRecord::text_bytes);
  record.format_text("{}", std::string(1000, 'y'));
  EXPECT_EQ(record.text_size, BlackBoxRecord::text_bytes);
  for (int i = 0; i < 20; ++i) record.add("key", i);
  EXPECT_EQ(record.number_count, BlackBoxRecord::numbers_max);
}

TEST(BlackBoxRecord, HasAWordForEveryKind) {
  std::set<std::string_view> words;
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(EventKind::count); ++i) {
    words.insert(to_string(static_cast<EventKind>(i)));
  }
  EXPECT_EQ(words.size(), static_cast<std::size_t>(EventKind::count));
  EXPECT_TRUE(words.contains("trip"));
  EXPECT_TRUE(words.contains("network"));
}

}  // namespace
}  // namespace firebreak::guard
