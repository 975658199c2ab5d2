// A host prints for a day, and another over a noisy line: nothing of it is lost or changed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/unit/proxy/simulated_link.h"

namespace firebreak::guard {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> sliced_cube() {
  std::ifstream file(FIREBREAK_SOURCE_DIR "/tests/data/gcode/sliced_cube.gcode");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    line = line.substr(0, line.find(';'));
    while (!line.empty() && line.back() == ' ') line.pop_back();
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

/// Takes out of `bytes` the whole lines that are the link's own, when they stand between lines.
std::string without_own_lines(const std::string& bytes) {
  std::string rest;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto end = std::min(bytes.find('\n', at), bytes.size() - 1);
    const auto line = bytes.substr(at, end + 1 - at);
    if (line != "M105\n" && line != "M155 S1\n" && line != "M115\n") rest += line;
    at = end + 1;
  }
  return rest;
}

TEST(LongPrint, ChangesNoByteOfADaysPrinting) {
  const auto day = std::getenv("FIREBREAK_FULL") != nullptr ? 24h : 20min;
  SimulatedLink bench;
  // The job's own M105 would look like the link's: this host asks by M155 alone.
  StreamHost host(sliced_cube(), true, true);
  bench.streamer = &host;
  bench.to_printer.clear();
  std::size_t passed = 0;
  std::string sent, wanted;
  for (auto left = std::chrono::duration_cast<std::chrono::seconds>(day); left > 0s; left -= 10s) {
    bench.run(10s);
    passed += bench.to_printer.size();
    sent += std::exchange(bench.to_printer, {});
    bench.from_printer.clear();
  }
  EXPECT_EQ(host.spare_oks(), 0);
  EXPECT_EQ(host.stalls(), 0);
  EXPECT_EQ(host.resends(), 0);
  EXPECT_GT(host.lines_done(), 1000);
  // Numbers and sums are the host's own, so each line tells whether it is whole and in its place.
  const auto job = sliced_cube();
  const auto got = without_own_lines(sent);
  std::size_t at = 0;
  int number = 0;
  while (at < got.size()) {
    const auto line =
        number == 0 ? numbered(0, "M110 N0")
                    : numbered(number, job[static_cast<std::size_t>(number - 1) % job.size()]);
    if (got.size() - at < line.size()) break;  // The last one is under way.
    ASSERT_EQ(got.substr(at, line.size()), line);
    at += line.size();
    ++number;
  }
  RecordProperty("bytes", static_cast<int>(passed / 1000));
  EXPECT_GE(number, host.lines_done());
}

/// A host that wants no reports by themselves: the link asks each second, between its lines.
std::vector<std::string> job_with_questions_of_the_link() {
  std::vector<std::string> job{"M155 S0"};
  for (int i = 0; i < 1000; ++i) job.push_back("G1 X" + std::to_string(i % 90) + " F9000");
  return job;
}

TEST(LongPrint, KeepsAHostInStepOverANoisyLine) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    SimulatedLink bench;
    std::mt19937 random(seed);
    bench.noise = [&](std::string& bytes) {
      for (auto& byte : bytes) {
        if (byte != '\n' && random() % 300 == 0) byte = static_cast<char>(byte ^ 0x04);
      }
    };
    StreamHost host(job_with_questions_of_the_link(), false, true);
    bench.streamer = &host;
    for (int i = 0; i < 20000 && !host.finished(); ++i) bench.run(100ms);
    ASSERT_TRUE(host.finished()) << host.lines_done();
    EXPECT_GT(host.resends(), 20);
    EXPECT_EQ(host.stalls(), 0) << host.heard();
    EXPECT_EQ(host.spare_oks(), 0) << host.heard();
  }
}

TEST(LongPrint, GivesAHostWithManyLinesUnderWayEachOfItsAnswers) {
  SimulatedLink bench;
  StreamHost host(job_with_questions_of_the_link(), false, true, 4);
  bench.streamer = &host;
  for (int i = 0; i < 20000 && !host.finished(); ++i) bench.run(100ms);
  EXPECT_TRUE(host.finished()) << host.lines_done();
  EXPECT_EQ(host.lines_done(), 1002);
  EXPECT_EQ(host.resends(), 0);
  EXPECT_EQ(host.stalls(), 0);
  EXPECT_EQ(host.spare_oks(), 0);
  EXPECT_NE(bench.to_printer.find("\nM105\n"), std::string::npos);
}

}  // namespace
}  // namespace firebreak::guard
