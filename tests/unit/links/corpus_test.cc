// Every recorded line of real Marlin, against what it means (tests/data/reports).
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "agent/guard/links/line_splitter.h"
#include "tests/unit/links/recording.h"
#include "tests/unit/links/report_text.h"

namespace firebreak::guard {
namespace {

struct Meaning {
  std::string ending, text;
};

std::map<std::pair<std::string, int>, Meaning> read_meanings() {
  std::map<std::pair<std::string, int>, Meaning> meanings;
  std::ifstream file(std::string(FIREBREAK_SOURCE_DIR) + "/tests/data/reports/corpus_marlin.tsv");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    std::istringstream fields(line);
    std::string name, number;
    Meaning meaning;
    std::getline(fields, name, '\t');
    std::getline(fields, number, '\t');
    std::getline(fields, meaning.ending, '\t');
    std::getline(fields, meaning.text, '\t');
    meanings[{name, std::stoi(number)}] = meaning;
  }
  return meanings;
}

std::string said(const ParsedLine& parsed) {
  if (parsed.kind == LineKind::temperature) return meaning_of(parsed);
  if (parsed.kind == LineKind::thermal_fault || parsed.kind == LineKind::halt) {
    return kind_text(parsed.kind);
  }
  return "";
}

TEST(Corpus, every_line_means_what_it_meant_when_it_was_recorded) {
  const auto meanings = read_meanings();
  ASSERT_GT(meanings.size(), 1400U);
  std::size_t found = 0, lines = 0;
  for (const auto& path : marlin_recordings()) {
    LineSplitter splitter;
    for (const auto& recorded : read_recording(path)) {
      if (recorded.direction != '<') continue;
      for (const char byte : recorded.bytes) {
        if (!splitter.push(byte)) continue;
        ++lines;
        const auto known = meanings.find({path.filename().string(), recorded.number});
        const std::string wanted = known == meanings.end() ? "" : known->second.text;
        EXPECT_EQ(said(parse_line(splitter.line())), wanted)
            << path.filename() << ":" << recorded.number;
        if (known == meanings.end()) continue;
        ++found;
        EXPECT_EQ(splitter.ending(),
                  known->second.ending == "lf" ? LineEnding::lf : LineEnding::crlf)
            << path.filename() << ":" << recorded.number;
      }
    }
  }
  EXPECT_EQ(found, meanings.size());
  EXPECT_GT(lines, 3000U);
}

}  // namespace
}  // namespace firebreak::guard
