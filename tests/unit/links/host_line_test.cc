#include "agent/guard/proxy/host_line.h"

#include <gtest/gtest.h>

namespace firebreak::guard {
namespace {

TEST(HostLine, allows_questions_only_while_latched) {
  for (const auto* line : {"M105", "m105", " M105 ", "M105 ; comment", "N6 M105*33", "N6M105*33",
                           "M105*121", "M110 N0", "N0 M110 N0*125", "M114", "M115", "M119",
                           "M155 S2", "M503 S0", "M20", "M27", "M27 S5"}) {
    EXPECT_TRUE(parse_host_line(line).allowed) << line;
  }
  for (const auto* line : {"M104 S0",      "G28",
                           "M112",         "T0",
                           "X10",          "hello",
                           "M1050",        "M10",
                           "G105",         "M105 M104 S200",
                           "M105M104S200", "M105 G1 X10",
                           "M105 T1",      "M105\x01",
                           "M105 \"x\"",   "M155 S1 (M104 S200)",
                           "N5 N6 M105",   "@pause",
                           "M20 /x",       "\xff"}) {
    EXPECT_FALSE(parse_host_line(line).allowed) << line;
  }
}

TEST(HostLine, knows_what_sets_a_heater) {
  for (const auto* line :
       {"M104 S200", "M104S200", "m104 s1", "N4 M104 T1 S200*12", "M109 R30", "M140 S060.5",
        "M190 S 60", "M141 S0.5", "M191 R1", "M104 S+200", "M104 I1", "M104 B250 F1", "M303 E0",
        "M303 E-1 S60", "M306 T", "G1 X10 M104 S200", "M104 T0 S200 ; off M104 S0"}) {
    EXPECT_TRUE(parse_host_line(line).heats) << line;
  }
  for (const auto* line :
       {"M104 S0", "M104", "M109 S0.0", "M140 S-5", "M104 Sabc", "M117 M104 S200", "M118 M104 S200",
        "; M104 S200", "M1040 S200", "G1 X104", "M105"}) {
    EXPECT_FALSE(parse_host_line(line).heats) << line;
  }
}

TEST(HostLine, knows_which_lines_are_acknowledged) {
  for (const auto* line : {"", "   ", "; only a comment", "N5"}) {
    EXPECT_FALSE(parse_host_line(line).answered) << line;
  }
  for (const auto* line : {"M105", "hello", "(comment) M105", "N5 G1 X1*7"}) {
    EXPECT_TRUE(parse_host_line(line).answered) << line;
  }
}

TEST(HostLine, sees_motion_tools_fans_and_reports) {
  EXPECT_TRUE(parse_host_line("N3 G1 X10 Y2*7").moves);
  EXPECT_TRUE(parse_host_line("G0Z5").moves);
  EXPECT_TRUE(parse_host_line("g1 e-2").moves);
  EXPECT_FALSE(parse_host_line("G1 F3000").moves);
  EXPECT_FALSE(parse_host_line("G28 X").moves);
  EXPECT_EQ(parse_host_line("T1").tool, 1);
  EXPECT_EQ(parse_host_line("M104 T1 S0").tool, -1);
  EXPECT_EQ(parse_host_line("M106 S128").fan, 128);
  EXPECT_EQ(parse_host_line("M106").fan, 255);
  EXPECT_EQ(parse_host_line("M106 P1 S128").fan, -1);
  EXPECT_EQ(parse_host_line("M107").fan, 0);
  EXPECT_TRUE(parse_host_line("M105").asks_temperature);
  EXPECT_EQ(parse_host_line("M155 S2").autoreport_seconds, 2);
  EXPECT_FALSE(parse_host_line("M155").sets_autoreport);
}

TEST(HostLine, knows_the_beginning_of_a_binary_transfer) {
  for (const auto* line : {"M28 B1", "M28B1", "N4 M28 B1 x.gco*17"}) {
    EXPECT_TRUE(parse_host_line(line).begins_binary) << line;
  }
  for (const auto* line : {"M28 B0", "M28 part.gco", "M28 Bracket", "M28", "M280 B1"}) {
    EXPECT_FALSE(parse_host_line(line).begins_binary) << line;
  }
}

TEST(HostLine, knows_an_m118_that_would_read_as_a_report) {
  for (const auto* line : {"M118 T:20.00 /0.00", "M118 ok T:20 /0", "M118 ok", "M118 P0 T:1",
                           "M118 Error:Printer halted. kill() called!", "N9 M118 start*17",
                           "M118 A1 action:cancel ok"}) {
    const bool expected = std::string_view(line) != "M118 A1 action:cancel ok";
    EXPECT_EQ(parse_host_line(line).forges_report, expected) << line;
  }
  EXPECT_FALSE(parse_host_line("M118 E1 Layer 5 of 20").forges_report);
  EXPECT_FALSE(parse_host_line("M117 T:20 /0").forges_report);
}

}  // namespace
}  // namespace firebreak::guard
