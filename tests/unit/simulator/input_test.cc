// Bytes on their way into the firmware.
#include <gtest/gtest.h>

#include "tests/simulator/gcode.h"
#include "tests/simulator/serial_input.h"

namespace firebreak::sim::test {
namespace {

int halts_of_parser(const std::string& bytes) {
  EmergencyParser parser;
  int count = 0;
  for (const char byte : bytes) count += parser.take(byte) == Emergency::halt ? 1 : 0;
  return count;
}

int halts_of_watcher(const std::string& bytes) {
  HaltWatcher watcher;
  int count = 0;
  for (const char byte : bytes) count += watcher.take(std::string(1, byte));
  return count;
}

TEST(EmergencyParser, ActsAtTheEndOfALineThatBeginsWithTheHalt) {
  EXPECT_EQ(halts_of_parser("M112"), 0);
  EXPECT_EQ(halts_of_parser("M112\n"), 1);
  EXPECT_EQ(halts_of_parser("  N12 M112*35\n"), 1);
  EXPECT_EQ(halts_of_parser("\nM112\n\nM112\r\n"), 2);
}

TEST(EmergencyParser, DoesNotActOnCommentsTextOrHalfLines) {
  EXPECT_EQ(halts_of_parser("; M112\n"), 0);
  EXPECT_EQ(halts_of_parser("M117 M112\n"), 0);
  EXPECT_EQ(halts_of_parser("G1 X1M112\n"), 0);
  EXPECT_EQ(halts_of_parser("M11\n2\n"), 0);
  EXPECT_EQ(halts_of_parser("m112\n"), 0);
}

TEST(HaltWatcher, CountsAHaltWithItsLastLetterHoweverTheBytesAreCut) {
  EXPECT_EQ(halts_of_watcher("M112"), 1);
  EXPECT_EQ(halts_of_watcher("\nM112\nN5 M112*3\n"), 2);
  EXPECT_EQ(halts_of_watcher("M117 M112\n; M112\nG1M112\n"), 0);
  EXPECT_EQ(halts_of_watcher("G1 X20 Y1\nM112\n"), 1);
}

TEST(LineReader, CutsALongLineAndCountsItOnce) {
  LineReader reader(96);
  int lines = 0;
  std::string last;
  for (const char byte : std::string(4096, 'A') + "\nM105\n") {
    if (const auto result = reader.take(byte)) {
      ++lines;
      last = result->line;
      EXPECT_LE(last.size(), 95u);
    }
  }
  EXPECT_EQ(lines, 2);
  EXPECT_EQ(last, "M105");
}

TEST(Command, IsReadAsMarlinReadsIt) {
  EXPECT_TRUE(parse_command("M105M105").is('M', 105));
  EXPECT_TRUE(parse_command("N7 M 105*3").is('M', 105));
  EXPECT_TRUE(parse_command("M105.1").is('M', 105));
  EXPECT_EQ(parse_command("m105").letter, '?');
  EXPECT_EQ(parse_command("G1X5").value('X'), 5);
  EXPECT_EQ(parse_command("M104 Sabc").value('S'), 0);
  EXPECT_EQ(parse_command("M104 S-5.5").value('S'), -5.5);
  EXPECT_FALSE(parse_command("M104").has('S'));
}

}  // namespace
}  // namespace firebreak::sim::test
