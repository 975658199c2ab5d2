#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "coordinator/cli/console.h"
#include "coordinator/cli/render.h"
#include "coordinator/cli/suggest.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr ConsoleOptions terminal{
    .out_is_terminal = true, .err_is_terminal = true, .colour = true, .columns = 40};

struct Screen {
  explicit Screen(ConsoleOptions options) : console(out, err, options) {}
  std::ostringstream out;
  std::ostringstream err;
  Console console;
};

Table two_rows() {
  Table table;
  table.header = {"PRINTER", "STATE", "NOTES"};
  table.rows = {{{"p1", Tone::strong}, {"armed", Tone::good}, {"-"}},
                {{"prusa-2"}, {"tripped", Tone::alarm}, {std::string(60, 'n')}}};
  return table;
}

TEST(Console, GivesAPipeTabsAndTheWholeTextWithoutHeaderOrColour) {
  Screen screen({});
  screen.console.table(two_rows(), "none");
  EXPECT_EQ(screen.out.str(), "p1\tarmed\t-\nprusa-2\ttripped\t" + std::string(60, 'n') + "\n");
}

TEST(Console, GivesATerminalAlignedColumnsColourAndNoLineThatIsTooLong) {
  Screen screen(terminal);
  screen.console.table(two_rows(), "none");
  const auto text = screen.out.str();
  EXPECT_THAT(text, HasSubstr("\033[32marmed\033[0m"));
  EXPECT_THAT(text, HasSubstr("nnn…"));
  auto plain = terminal;
  plain.colour = false;
  Screen without(plain);
  without.console.table(two_rows(), "none");
  EXPECT_THAT(without.out.str(), Not(HasSubstr("\033")));
  std::istringstream lines(without.out.str());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(shown_width(line), 40U) << line;
  EXPECT_THAT(without.out.str(), HasSubstr("p1       armed    -\n"));
}

TEST(Console, EscapesWhatPrintersAndAgentsSay) {
  for (const bool to_terminal : {true, false}) {
    Screen screen(to_terminal ? terminal : ConsoleOptions{});
    Table table;
    table.header = {"TEXT"};
    table.cut = false;
    table.rows = {{{"\033[2J\033]0;x\007 \xff tab\there\nline \xe2\x80\xae gnp"}}};
    screen.console.table(table, "");
    const auto text = screen.out.str();
    EXPECT_THAT(text, HasSubstr("\\x1b[2J\\x1b]0;x\\x07 \\xff tab\\there\\nline \\u{202e} gnp"));
    EXPECT_THAT(text, Not(HasSubstr("\033[2J")));
  }
}

TEST(Console, JsonIsOneAsciiLineWhateverItHolds) {
  Screen screen({.json = true});
  screen.console.document({{"text", "\033[31m\xff \xc3\xa9"}});
  EXPECT_EQ(screen.out.str(), "{\"text\":\"\\u001b[31m\\ufffd \\u00e9\"}\n");
  EXPECT_EQ(screen.err.str(), "");
}

TEST(Console, EndsEveryFailureWithTheNextCommand) {
  Screen screen({});
  screen.console.failure({ExitStatus::refused, "the bed has 81 C", "firebreak local status"});
  EXPECT_EQ(screen.err.str(), "firebreak: the bed has 81 C\nnext: firebreak local status\n");
  EXPECT_EQ(screen.out.str(), "");
  Screen machine({.json = true});
  machine.console.failure({ExitStatus::refused, "no", "firebreak status"});
  EXPECT_EQ(json::parse(machine.err.str()).at("code"), 6);
}

TEST(Console, ShowsProgressOnlyOnATerminalAndWipesItBeforeData) {
  Screen pipe({});
  pipe.console.progress("waiting");
  EXPECT_EQ(pipe.err.str(), "");
  Screen screen(terminal);
  screen.console.progress("waiting");
  screen.console.data("x\n");
  EXPECT_EQ(screen.err.str(), "\r\033[Kwaiting\r\033[K");
}

TEST(Console, CutsAtCodePointsAndSaysSo) {
  EXPECT_EQ(cut_to("äöü", 3), "äöü");
  EXPECT_EQ(cut_to("äöüß", 3), "äö…");
  EXPECT_EQ(cut_to("abc", 0), "");
}

TEST(Ages, AreWrittenInTheUnitThatAPersonWouldUse) {
  EXPECT_EQ(age_text(300), "0.3 s");
  EXPECT_EQ(age_text(42'000), "42 s");
  EXPECT_EQ(age_text(600'000), "10 min");
  EXPECT_EQ(age_text(7'200'000), "2 h");
  EXPECT_EQ(age_text(200'000'000), "2 d");
  EXPECT_EQ(age_text(std::nullopt), "never");
}

json printer() {
  return {{"name", "p1"},
          {"state", "armed"},
          {"outcome", "none"},
          {"latch_number", 4},
          {"causes", json::array()},
          {"first_cause", nullptr},
          {"no_new_heat", json::array()},
          {"relay", "r1"},
          {"independent_stop", true},
          {"link", {{"state", "ready"}, {"port", "/dev/ttyUSB0"}, {"age_ms", 30}}},
          {"heaters", json::array({{{"name", "hotend"},
                                    {"celsius", 214.94},
                                    {"target", 215},
                                    {"age_ms", 100},
                                    {"trusted", true}},
                                   {{"name", "bed"},
                                    {"celsius", 60.0},
                                    {"target", nullptr},
                                    {"age_ms", 6000},
                                    {"trusted", true}}})}};
}

std::string row_of(const json& printer) {
  std::string text;
  const auto table = printers_table(json::array({printer}), false);
  for (const auto& cell : table.rows.at(0)) {
    text += (text.empty() ? "" : "|") + cell.text;
  }
  return text;
}

TEST(PrinterRow, ShowsAnOldOrUntrustedReadingAsUnknown) {
  EXPECT_EQ(row_of(printer()), "p1|armed|-|-|-|hotend 214.9/215 bed ?/?|ready|-");
  auto doubted = printer();
  doubted["heaters"][0]["trusted"] = false;
  EXPECT_THAT(row_of(doubted), HasSubstr("hotend ?/215"));
}

TEST(PrinterRow, SaysWhatALatchedPrinterNeeds) {
  auto tripped = printer();
  tripped["state"] = "tripped";
  tripped["outcome"] = "sent";
  tripped["causes"] = {"stuck_on", "person"};
  tripped["first_cause"] = "stuck_on";
  tripped["independent_stop"] = false;
  EXPECT_EQ(row_of(tripped),
            "p1|tripped|sent|4|stuck_on (+1)|hotend 214.9/215 bed ?/?|ready|no independent stop");
}

TEST(PrinterRow, SurvivesAReportOfAnyShape) {
  for (const auto& odd : {json(), json::array(), json(7), json::object(),
                          json{{"name", 7}, {"heaters", "hot"}, {"causes", {1, 2}}}}) {
    EXPECT_THAT(row_of(odd), HasSubstr("unknown"));
    printer_facts(odd);
    agents_table(json::array({odd}));
    event_cells(odd);
  }
}

TEST(OutcomeText, IsNeverBetterThanTheOutcome) {
  EXPECT_EQ(outcome_text("proven"), "stopped and proven");
  EXPECT_EQ(outcome_text("sent"), "sent, not proven — pull the power");
  EXPECT_EQ(outcome_text("not_sent"), "not sent — pull the power");
  EXPECT_EQ(outcome_text("none"), "-");
}

TEST(DidYouMean, FindsTheNearestWordAndNoneThatIsFar) {
  const std::vector<std::string> words{"status", "stop", "reset", "release", "fleet"};
  EXPECT_EQ(nearest("stauts", words), "status");
  EXPECT_EQ(nearest("stp", words), "stop");
  EXPECT_EQ(nearest("rel", words), "release");
  EXPECT_EQ(nearest("explode", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(edit_distance("stauts", "status"), 1U);
}

}  // namespace
}  // namespace firebreak::cli
