// What several agents found, as one list, and the configuration lines of what is new.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "coordinator/cli/find/scan.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json finding(const std::string& agent, const std::string& standing, const std::string& printer,
             const std::string& address = "http://10.0.0.8") {
  return {{"agent", agent},     {"standing", standing}, {"printer", printer}, {"kind", "octoprint"},
          {"address", address}, {"identity", ""},       {"name", "Left One"}, {"note", ""}};
}

TEST(FindingsOfSeveralAgents, WhatOneHasConfiguredIsNotNewToAnother) {
  const auto joined = join_findings({finding("a1", "new", ""), finding("a2", "known", "o1")});
  EXPECT_EQ(joined[0]["standing"], "known");
  EXPECT_EQ(joined[0]["printer"], "a2:o1");
  EXPECT_EQ(joined[1]["note"], "") << "one agent alone claims it";
}

TEST(FindingsOfSeveralAgents, OnePrinterOfTwoAgentsIsShownAtBoth) {
  const auto joined = join_findings({finding("a1", "known", "o1"), finding("a2", "known", "o2")});
  EXPECT_THAT(joined[0]["note"].get<std::string>(), HasSubstr("a2:o2"));
  EXPECT_THAT(joined[1]["note"].get<std::string>(), HasSubstr("a1:o1"));
}

TEST(FindingsOfSeveralAgents, SerialPortsOfTwoHostsAreNeverOnePrinter) {
  auto one = finding("a1", "new", "", "/dev/ttyUSB0");
  auto two = finding("a2", "known", "m1", "/dev/ttyUSB0");
  one["kind"] = two["kind"] = "serial";
  EXPECT_EQ(join_findings({one, two})[0]["standing"], "new");
}

TEST(ConfigurationLines, NameTheFileTheHostAndTheAddressOfWhatIsNew) {
  const auto lines = configuration_lines(
      json::array({finding("a1", "new", ""), finding("a1", "known", "o1", "http://10.0.0.9")}));
  EXPECT_THAT(lines, HasSubstr("guard.yaml of a1"));
  EXPECT_THAT(lines, HasSubstr("uplink.yaml of a1"));
  EXPECT_THAT(lines, HasSubstr("name: left-one, kind: octoprint, address: \"http://10.0.0.8\""));
  EXPECT_THAT(lines, Not(HasSubstr("10.0.0.9")));
  EXPECT_EQ(configuration_lines(json::array()), "");
}

TEST(ConfigurationLines, KeepWhatStrangersWroteInItsPlace) {
  auto hostile = finding("a1", "new", "", "x\"\n  - { name: evil }");
  hostile["name"] = "}\n- evil: {";
  const auto lines = configuration_lines(json::array({hostile}));
  EXPECT_THAT(lines, Not(HasSubstr("\n  - { name: evil }")));
  EXPECT_THAT(lines, HasSubstr("name: evil,"));
}

}  // namespace
}  // namespace firebreak::cli
