// Every recording of real Marlin, replayed: same answers in the same order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/unit/simulator/recording.h"

namespace firebreak::sim::test {
namespace {

using nlohmann::json;

const char kDifferences[] = FIREBREAK_SOURCE_DIR "/tests/simulator/differences.json";

// The differences that are known and have a reason.
class Differences {
 public:
  Differences() {
    std::ifstream file(kDifferences);
    for (const json& entry : json::parse(file)) entries_.push_back({entry, false});
  }

  // The entry for this place, or null. Absent lines are empty strings.
  const json* find(const std::string& recording, const std::string& recorded,
                   const std::string& simulated) {
    for (Entry& entry : entries_) {
      if (entry.value.at("recording") != recording) continue;
      if (entry.value.at("recorded") != recorded || entry.value.at("simulated") != simulated) {
        continue;
      }
      entry.used = true;
      return &entry.value;
    }
    return nullptr;
  }
  std::vector<std::string> unused(const std::string& recording) const {
    std::vector<std::string> names;
    for (const Entry& entry : entries_) {
      if (entry.value.at("recording") == recording && !entry.used) {
        names.push_back(entry.value.dump());
      }
    }
    return names;
  }

 private:
  struct Entry {
    json value;
    bool used;
  };
  std::vector<Entry> entries_;
};

// Compares two lists of answers; what differs without a reason is returned.
std::vector<std::string> compare(const std::string& name, const std::vector<std::string>& recorded,
                                 const std::vector<std::string>& simulated,
                                 Differences* differences) {
  std::vector<std::string> problems;
  std::size_t r = 0;
  std::size_t s = 0;
  while (r < recorded.size() || s < simulated.size()) {
    const std::string want = r < recorded.size() ? recorded[r] : "";
    const std::string have = s < simulated.size() ? simulated[s] : "";
    if (r < recorded.size() && s < simulated.size() && want == have) {
      ++r, ++s;
    } else if (differences->find(name, want, have) != nullptr) {
      ++r, ++s;
    } else if (r < recorded.size() && differences->find(name, want, "") != nullptr) {
      ++r;
    } else if (s < simulated.size() && differences->find(name, "", have) != nullptr) {
      ++s;
    } else {
      problems.push_back("answer " + std::to_string(r) + ": recorded '" + want + "', simulated '" +
                         have + "'");
      ++r, ++s;
      if (problems.size() > 5) break;
    }
  }
  return problems;
}

class Replay : public testing::TestWithParam<std::string> {};

// By the clock: as many as recorded, but for the milliseconds and the speed of another plant.
void expect_close(const char* what, int recorded, int simulated) {
  const int tolerance = std::max(2, static_cast<int>(std::lround(recorded * 0.2)));
  EXPECT_NEAR(recorded, simulated, tolerance) << what;
}

// Between the same two answers lines of the same kind come by the clock; three or more of them are
// no accident of milliseconds.
void expect_same_kinds(std::size_t at, const ByClock& recorded, const ByClock& simulated) {
  const auto check = [at](const char* what, int want, int have) {
    constexpr int kNoAccident = 3;
    EXPECT_FALSE(want >= kNoAccident && have == 0) << "no " << what << " before answer " << at;
    EXPECT_FALSE(have >= kNoAccident && want == 0) << "unseen " << what << " before answer " << at;
  };
  check("temperature reports", recorded.reports, simulated.reports);
  check("reports while waiting", recorded.wait_reports, simulated.wait_reports);
  check("busy lines", recorded.busy, simulated.busy);
}

TEST_P(Replay, GivesTheSameAnswersInTheSameOrder) {
  const std::vector<RecordedLine> lines = load_recording(GetParam());
  const Dialogue recorded = recorded_dialogue(lines);
  const Dialogue simulated = replay(GetParam(), lines);
  Differences differences;
  EXPECT_THAT(compare(GetParam(), recorded.answers, simulated.answers, &differences),
              testing::IsEmpty());
  EXPECT_THAT(differences.unused(GetParam()), testing::IsEmpty());
  EXPECT_THAT(simulated.malformed, testing::IsEmpty());
  EXPECT_EQ(recorded.countdown, simulated.countdown);
  if (recorded.answers.size() == simulated.answers.size()) {
    for (std::size_t i = 0; i < recorded.before.size(); ++i) {
      expect_same_kinds(i, recorded.before[i], simulated.before[i]);
    }
  }
  expect_close("temperature reports", recorded.reports, simulated.reports);
  expect_close("reports while waiting", recorded.wait_reports, simulated.wait_reports);
  expect_close("busy lines", recorded.busy, simulated.busy);
}

INSTANTIATE_TEST_SUITE_P(Corpus, Replay, testing::ValuesIn(recording_names()),
                         [](const auto& info) { return info.param; });

TEST(Recordings, AreThereForBothDialects) {
  const auto names = recording_names();
  const auto count = [&names](const char* prefix) {
    return std::count_if(names.begin(), names.end(),
                         [prefix](const std::string& name) { return name.starts_with(prefix); });
  };
  EXPECT_GE(count("ep_"), 20);
  EXPECT_GE(count("notp_"), 20);
}

}  // namespace
}  // namespace firebreak::sim::test
