#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "agent/guard/thermal/verdict.h"

namespace firebreak::guard::thermal {
namespace {

TEST(Docs, NameEveryRule) {
  std::ifstream in(FIREBREAK_SOURCE_DIR "/docs/thermal-rules.md");
  const std::string page((std::istreambuf_iterator<char>(in)), {});
  for (unsigned i = 1; i < static_cast<unsigned>(Rule::count); ++i) {
    const auto& rule = info(static_cast<Rule>(i));
    const auto row = "| `" + std::string(rule.name) + "` |";
    EXPECT_NE(page.find(row), std::string::npos) << "docs/thermal-rules.md has no row " << row;
  }
}

}  // namespace
}  // namespace firebreak::guard::thermal
