#include <gtest/gtest.h>

#include <filesystem>

#include "agent/guard/config/config_files.h"
#include "agent/guard/config/profile_reader.h"
#include "common/config/resources.h"

namespace firebreak::guard {
namespace {

/// Every profile that is shipped, by its name in the program.
std::vector<std::string> shipped_profiles() {
  std::vector<std::string> names;
  for (const auto& file : config::resources()) {
    if (file.name.starts_with("boards/printers/")) names.emplace_back(file.name);
  }
  return names;
}

class ShippedProfile : public ::testing::TestWithParam<std::string> {};

TEST_P(ShippedProfile, IsValidAndCarefulEnough) {
  const std::filesystem::path path = GetParam();
  const auto found = find_shipped("/nowhere", "printers", path.stem().string());
  ASSERT_TRUE(found) << found.error().message;
  const auto document = load_shipped(*found, "printer.schema.json");
  ASSERT_TRUE(document) << document.error().message;
  Problems problems;
  const auto profile = read_profile(*document, problems);
  EXPECT_TRUE(problems.none()) << problems.error().message;
  EXPECT_EQ(profile.name, path.stem().string()) << "the file is named after the profile";
  for (const auto& heater : profile.heaters) {
    // research/thermal, section 4: caps of a profile. Above them a person must write an own one.
    EXPECT_LE(heater.limit_celsius, heater.kind == HeaterKind::hotend ? 320 : 140) << heater.name;
    EXPECT_GE(heater.fastest_rise_kelvin_per_s, heater.kind == HeaterKind::hotend ? 3.0 : 0.5)
        << "a low value would delay the cut of a blind heater: " << heater.name;
    EXPECT_GE(heater.hysteresis_kelvin, 3) << heater.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Each, ShippedProfile, ::testing::ValuesIn(shipped_profiles()),
                         [](const auto& info) {
                           std::string name = std::filesystem::path(info.param).stem().string();
                           for (auto& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

TEST(ShippedProfiles, AreBuiltIn) { EXPECT_GE(shipped_profiles().size(), 1U); }

}  // namespace
}  // namespace firebreak::guard
