#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "agent/guard/blackbox/sample_store.h"
#include "coordinator/cli/replay/black_box_reader.h"
#include "coordinator/cli/replay/player.h"

namespace firebreak::cli::replay {
namespace {

using guard::Sample;
using guard::SampleStore;
using ::testing::HasSubstr;

/// A guard's state folder, as a running guard fills it.
class BlackBoxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() /
             ("replay-box-" + std::to_string(getpid()) + "-" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  SampleStore open(const std::string& boot) {
    auto store = SampleStore::open(folder / "samples.db", "", boot, 100'000);
    EXPECT_TRUE(store) << (store ? "" : store.error().message);
    return std::move(*store);
  }
  /// A hotend that heats, holds 200 degrees, and from `fault_s` on rises though its target is 0.
  static SampleStore::Block stuck(const std::string& printer, int fault_s,
                                  const std::string& heater = "hotend") {
    SampleStore::Block block{printer, heater, {}};
    float celsius = 25;
    for (int t = 0; t < fault_s + 60; ++t) {
      const bool heating = t > 20 && celsius < 200;
      if (heating) celsius += 3;
      if (t > fault_s) celsius += 2.5F;
      Sample sample;
      sample.mono_ns = (5000LL + t) * 1'000'000'000;
      sample.celsius = celsius + 0.05F * static_cast<float>(t % 3);
      sample.target_celsius = t > 20 && t <= fault_s + 2 ? 200 : 0;
      sample.duty = t > 20 && t <= fault_s + 2 ? (heating ? 1 : 0.35F) : 0;
      block.samples.push_back(sample);
    }
    return block;
  }
  void write(SampleStore& store, const SampleStore::Block& block) {
    const auto done = store.write({&block, 1});
    ASSERT_TRUE(done) << done.error().message;
  }
  Result<Trace> read(const BlackBoxChoice& choice = {}) {
    return read_black_box(folder, choice, notes);
  }

  std::filesystem::path folder;
  std::vector<std::string> notes;
};

TEST_F(BlackBoxTest, IsReadWhileItsGuardWritesAndWouldHaveCaughtTheFire) {
  auto running = open("boot-1");
  write(running, stuck("p1", 300));
  const auto trace = read();
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->size(), 360U);
  EXPECT_EQ(trace->front().t_s, 0);
  const auto outcome = play(*trace, {});
  ASSERT_TRUE(outcome.first_trip);
  EXPECT_GE(outcome.found[*outcome.first_trip].t_s, 300);
  EXPECT_LE(outcome.found[*outcome.first_trip].t_s, 330);
  write(running, stuck("p1", 10));
}

TEST_F(BlackBoxTest, IsTakenByItsFolderItsSamplesOrItsEvents) {
  auto store = open("boot-1");
  write(store, stuck("p1", 30));
  EXPECT_TRUE(is_black_box(folder));
  EXPECT_TRUE(is_black_box(folder / "samples.db"));
  EXPECT_FALSE(is_black_box(folder / "missing.db"));
  EXPECT_TRUE(read_black_box(folder / "samples.db", {}, notes));
  EXPECT_TRUE(read_black_box(folder / "blackbox.db", {}, notes));
}

TEST_F(BlackBoxTest, OfSeveralPrintersOneMustBeNamed) {
  auto store = open("boot-1");
  write(store, stuck("p1", 30));
  write(store, stuck("p2", 30));
  EXPECT_THAT(read().error().message, HasSubstr("--printer one of: p1, p2"));
  EXPECT_TRUE(read({"p2", 0}));
  EXPECT_THAT(read({"p9", 0}).error().message, HasSubstr("no printer p9"));
}

TEST_F(BlackBoxTest, AnEarlierBootOfTheHostIsAskedForByItsNumber) {
  {
    auto store = open("boot-1");
    write(store, stuck("p1", 300));
  }
  auto store = open("boot-2");
  write(store, stuck("p1", 30));
  EXPECT_EQ(read()->size(), 90U);
  EXPECT_EQ(read({"", 1})->size(), 360U);
  EXPECT_THAT(read({"", 2}).error().message, HasSubstr("2 boot(s)"));
}

TEST_F(BlackBoxTest, ASecondWithoutAReadingIsSilenceAndSoBlindness) {
  auto block = stuck("p1", 200);
  for (std::size_t i = 150; i < 220; ++i) block.samples[i].celsius = guard::unknown;
  auto store = open("boot-1");
  write(store, block);
  const auto outcome = play(*read(), {});
  ASSERT_TRUE(outcome.first_trip);
  EXPECT_EQ(outcome.found[*outcome.first_trip].verdict.rule, guard::thermal::Rule::blind);
}

TEST_F(BlackBoxTest, ASecondHotendIsLeftOutAndThatIsSaid) {
  auto store = open("boot-1");
  write(store, stuck("p1", 30));
  write(store, stuck("p1", 30, "hotend1"));
  EXPECT_EQ(read()->size(), 90U);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_THAT(notes[0], HasSubstr("hotend1"));
}

TEST_F(BlackBoxTest, AnotherDatabaseIsRefused) {
  {
    auto other = storage::Database::open(folder / "samples.db", {});
    ASSERT_TRUE(other);
    ASSERT_TRUE(other->execute("CREATE TABLE x (y)"));
  }
  EXPECT_THAT(read().error().message, HasSubstr("no ring of samples"));
}

}  // namespace
}  // namespace firebreak::cli::replay
