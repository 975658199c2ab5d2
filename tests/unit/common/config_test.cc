#include "common/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "common/base/escape.h"
#include "common/config/resources.h"

namespace firebreak::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view schema = R"({
  "type": "object", "additionalProperties": false, "required": ["agent"],
  "properties": {
    "agent": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,31}$",
              "description": "Name of this host: lower case, digits and dashes."},
    "hold_ms": {"type": "integer", "minimum": 1000, "maximum": 2000},
    "limit_celsius": {"type": "number", "exclusiveMinimum": 0, "maximum": 500},
    "alarm": {"type": "boolean"},
    "note": {"type": "string", "maxLength": 20},
    "kind": {"enum": ["plain", "heartbeat", "none"]},
    "zone": {"oneOf": [{"const": "all"}, {"type": "array", "items": {"type": "string"}}]},
    "relays": {"type": "array", "items": {"oneOf": [
      {"type": "object", "additionalProperties": false, "required": ["kind", "line"],
       "properties": {"kind": {"const": "plain"}, "line": {"type": "string"}}},
      {"type": "object", "additionalProperties": false, "required": ["kind", "pulse_line"],
       "properties": {"kind": {"const": "heartbeat"}, "pulse_line": {"type": "string"},
                      "hold_ms": {"type": "integer"}}}]}},
    "printers": {"type": "array", "minItems": 1, "maxItems": 3, "uniqueItems": true,
                 "items": {"$ref": "#/definitions/printer"}}
  },
  "definitions": {"printer": {
    "type": "object", "additionalProperties": false, "required": ["name"],
    "properties": {
      "name": {"type": "string"}, "baud": {"enum": [115200, 250000]},
      "limits": {"type": "object", "additionalProperties": {"type": "number"}}}}}
})";

std::string refusal(std::string_view text) {
  const auto document = parse_yaml(text, "guard.yaml", schema);
  return document ? "" : document.error().message;
}

TEST(Config, ReadsWhatIsPlain) {
  const auto document = parse_yaml(R"(# a comment
agent: garage
hold_ms: 1500
limit_celsius: 2.75e2
alarm: true
note: "010"
kind: heartbeat
zone: all
printers:
  - { name: p1, baud: 250000 }
  - name: 'no'
    limits: { hotend: 275, bed: 1.1e+2 }
)",
                                   "guard.yaml", schema);
  ASSERT_TRUE(document) << document.error().message;
  const auto& value = document->value();
  EXPECT_EQ(value["agent"], "garage");
  EXPECT_EQ(value["hold_ms"], 1500);
  EXPECT_TRUE(value["hold_ms"].is_number_integer());
  EXPECT_EQ(value["limit_celsius"], 275.0);
  EXPECT_EQ(value["alarm"], true);
  EXPECT_EQ(value["note"], "010");
  EXPECT_EQ(value["printers"][1]["name"], "no");
  EXPECT_EQ(value["printers"][1]["limits"]["bed"], 110.0);
}

TEST(Config, KnowsTheLineOfEveryValue) {
  const auto document =
      parse_yaml("agent: a\nprinters:\n  - name: p1\n    limits:\n      hotend: 5\n  - name: p2\n",
                 "guard.yaml", schema);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->line_of("/agent"), 1);
  EXPECT_EQ(document->line_of("/printers"), 2);
  EXPECT_EQ(document->line_of("/printers/0/limits/hotend"), 5);
  EXPECT_EQ(document->line_of("/printers/1/name"), 6);
  EXPECT_EQ(document->line_of("/printers/1/baud"), 6) << "the nearest parent";
  EXPECT_EQ(document->line_of("/nothing/here"), 1);
  EXPECT_EQ(document->error_at("/printers/0/limits/hotend", "is too low").message,
            "guard.yaml:5: printers[0].limits.hotend: is too low");
}

struct Refused {
  const char* name;
  const char* text;
  int line;
  const char* what;
};

class ConfigRefuses : public ::testing::TestWithParam<Refused> {};

TEST_P(ConfigRefuses, WithFileLineAndWhatIsAllowed) {
  const Refused& c = GetParam();
  const std::string message = refusal(c.text);
  EXPECT_THAT(message, HasSubstr("guard.yaml:" + std::to_string(c.line) + ": "));
  EXPECT_THAT(message, HasSubstr(c.what));
}

INSTANTIATE_TEST_SUITE_P(
    Table, ConfigRefuses,
    ::testing::Values(
        Refused{"UnknownKey", "agent: a\nhold_s: 1\n", 2,
                "did you mean hold_ms? It is in milliseconds."},
        Refused{"UnknownKeyListsAllowed", "agent: a\nxyzzy: 1\n", 2, "Allowed here: agent, alarm"},
        Refused{"MisspeltNestedKey", "agent: a\nprinters:\n  - nme: x\n", 3, "did you mean name?"},
        Refused{"DoubledKey", "agent: a\nalarm: true\nagent: b\n", 3, "already on line 1"},
        Refused{"DoubledNestedKey", "agent: a\nprinters:\n  - name: x\n    name: y\n", 4,
                "doubled"},
        Refused{"MissingKey", "alarm: true\n", 1, "the key agent is missing (Name of this host"},
        Refused{"Unit", "agent: a\nhold_ms: 2s\n", 2,
                "must be a whole number (milliseconds), is \"2s\""},
        Refused{"UnitQuoted", "agent: a\nhold_ms: \"1500\"\n", 2, "write the number alone"},
        Refused{"RangeLow", "agent: a\nhold_ms: 2\n", 2,
                "at least 1000 and at most 2000 milliseconds, is 2"},
        Refused{"RangeHigh", "agent: a\nhold_ms: 2001\n", 2, "at most 2000"},
        Refused{"RangeExclusive", "agent: a\nlimit_celsius: 0\n", 2,
                "more than 0 and at most 500 degrees Celsius"},
        Refused{"NotWhole", "agent: a\nhold_ms: 1500.5\n", 2, "a whole number"},
        Refused{"TooLargeNumber", "agent: a\nhold_ms: 123456789012345678901234567890\n", 2,
                "too large a number"},
        Refused{"InfiniteNumber", "agent: a\nlimit_celsius: 1e999\n", 2, "too large a number"},
        Refused{"NumberForText", "agent: 12\n", 1, "must be text, is 12; put it in quotes"},
        Refused{"ExponentForText", "agent: a\nnote: 1e3\n", 2, "put it in quotes"},
        Refused{"BooleanForText", "agent: a\nnote: true\n", 2, "put it in quotes"},
        Refused{"TextForBoolean", "agent: a\nalarm: \"true\"\n", 2, "must be true or false"},
        Refused{"ScalarForList", "agent: a\nprinters: p1\n", 2, "must be a list"},
        Refused{"ScalarForMap", "agent: a\nprinters:\n  - p1\n", 3, "must be a map of keys"},
        Refused{"ListForFile", "- a\n", 1, "must be a map of keys"},
        Refused{"Choice", "agent: a\nkind: hartbeat\n", 2,
                "must be plain, heartbeat or none, is \"hartbeat\"; did you mean heartbeat?"},
        Refused{"NumberChoice", "agent: a\nprinters:\n  - {name: x, baud: 9600}\n", 3,
                "must be 115200 or 250000, is 9600"},
        Refused{"Pattern", "agent: Garage\n", 1, "does not have the form"},
        Refused{"PatternNewline", "agent: \"a\\n\"\n", 1, "does not have the form"},
        Refused{"TooLong", "agent: a\nnote: 123456789012345678901x\n", 2, "at most 20 characters"},
        Refused{"TooFewItems", "agent: a\nprinters: []\n", 2, "at least 1 items"},
        Refused{"TooManyItems", "agent: a\nprinters: [{name: a},{name: b},{name: c},{name: d}]\n",
                2, "at most 3 items"},
        Refused{"ItemTwice", "agent: a\nprinters:\n  - name: x\n  - name: x\n", 4, "twice"},
        Refused{"AlternativeByKind", "agent: a\nrelays:\n  - {kind: heartbeat, line: x}\n", 3,
                "the key pulse_line is missing"},
        Refused{"AlternativeByType", "agent: a\nzone: [1]\n", 2, "zone[0]: must be text"},
        Refused{"MapOfNumbers", "agent: a\nprinters:\n  - name: x\n    limits: {bed: hot}\n", 4,
                "limits.bed: must be a number"},
        Refused{"Octal", "agent: a\nhold_ms: 010\n", 2, "octal"},
        Refused{"OctalZeros", "agent: a\nhold_ms: 007\n", 2, "octal"},
        Refused{"LeadingZeroText", "agent: a\nnote: 0123\n", 2, "octal"},
        Refused{"LeadingZeroDecimal", "agent: a\nhold_ms: 0999\n", 2, "plain decimal number"},
        Refused{"NewOctal", "agent: a\nhold_ms: 0o17\n", 2, "octal"},
        Refused{"Hexadecimal", "agent: a\nhold_ms: 0x5DC\n", 2, "hexadecimal"},
        Refused{"Underscore", "agent: a\nhold_ms: 1_500\n", 2, "plain decimal number"},
        Refused{"Plus", "agent: a\nhold_ms: +1500\n", 2, "plain decimal number"},
        Refused{"BareFraction", "agent: a\nlimit_celsius: .5\n", 2, "plain decimal number"},
        Refused{"BarePoint", "agent: a\nlimit_celsius: 5.\n", 2, "plain decimal number"},
        Refused{"Infinity", "agent: a\nlimit_celsius: .inf\n", 2, "infinity"},
        Refused{"NotANumber", "agent: a\nlimit_celsius: .NaN\n", 2, "not-a-number"},
        Refused{"Sexagesimal", "agent: a\nnote: 1:30\n", 2, "base 60"},
        Refused{"Date", "agent: a\nnote: 2026-01-02\n", 2, "a date"},
        Refused{"Yes", "agent: a\nalarm: yes\n", 2, "write true or false"},
        Refused{"No", "agent: no\n", 1, "write true or false, or put it in quotes"},
        Refused{"On", "agent: a\nalarm: on\n", 2, "write true or false"},
        Refused{"Off", "agent: a\nalarm: OFF\n", 2, "write true or false"},
        Refused{"Y", "agent: y\n", 1, "put it in quotes"},
        Refused{"CapitalTrue", "agent: a\nalarm: True\n", 2, "write true or false"},
        Refused{"Tilde", "agent: ~\n", 1, "empty"}, Refused{"Null", "agent: null\n", 1, "empty"},
        Refused{"CapitalNull", "agent: a\nnote: nULL\n", 2, "special meaning"},
        Refused{"Empty", "agent:\n", 1, "the value is empty"},
        Refused{"EmptyItem", "agent: a\nprinters:\n  -\n", 3, "empty"},
        Refused{"EmptyText", "agent: \"\"\n", 1, "does not have the form"},
        Refused{"Anchor", "agent: &x a\n", 1, "anchor"},
        Refused{"Alias", "agent: &x a\nnote: *x\n", 2, "alias"},
        Refused{"UnknownAlias", "agent: a\nnote: *x\n", 2, "YAML"},
        Refused{"Merge", "agent: a\nprinters:\n  - <<: {name: x}\n", 3, "merge key"},
        Refused{"Tag", "agent: !!str 12\n", 1, "tag"},
        Refused{"OwnTag", "agent: !env HOME\n", 1, "tag"},
        Refused{"TagOfMap", "agent: a\nprinters: !!seq []\n", 2, "tag"},
        Refused{"TwoDocuments", "agent: a\n---\nagent: b\n", 2, "second document"},
        Refused{"ListAsKey", "? [a, b]\n: 1\n", 1, "a key must be one word"},
        Refused{"NoKey", "agent: a\n: b\n", 2, "key is missing"},
        Refused{"Tab", "agent: a\nprinters:\n\t- name: x\n", 3, "YAML"},
        Refused{"Unclosed", "agent: \"a\n", 1, "YAML"},
        Refused{"UnclosedSingle", "agent: a\nnote: 'it''s\n", 2, "closing quote"},
        Refused{"UnclosedList", "agent: a\nprinters: [\n", 3, "YAML"},
        Refused{"Nothing", "", 1, "no settings"},
        Refused{"OnlyComments", "# nothing\n", 1, "no settings"},
        Refused{"ControlCharacter", "agent: a\nnote: \x1b[31m\n", 2, "control character"},
        Refused{"NotUtf8", "agent: a\nnote: \xff\n", 2, "not UTF-8"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Config, ListsEveryProblemInTheOrderOfLines) {
  const std::string message =
      refusal("agent: 010\nhold_ms: 5\nalarm: yes\nprinters:\n  - {name: p1, baud: 1}\n  - {}\n");
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 4) << message;
  std::size_t at = 0;
  for (int line : {1, 2, 3, 5, 6}) {
    const std::size_t next = message.find("guard.yaml:" + std::to_string(line) + ": ", at);
    ASSERT_NE(next, std::string::npos) << line << " in " << message;
    at = next;
  }
}

TEST(Config, StopsListingAtItsLimit) {
  std::string text = "agent: a\n";
  for (int i = 0; i < 200; ++i) text += "key" + std::to_string(i) + ": yes\n";
  const std::string message = refusal(text);
  EXPECT_LE(std::count(message.begin(), message.end(), '\n'),
            static_cast<std::ptrdiff_t>(problems_max));
}

TEST(Config, RefusesWhatIsTooDeepOrTooLargeWithinBounds) {
  EXPECT_THAT(refusal("- " + std::string(100'000, '[')), HasSubstr("guard.yaml:1"));
  const std::string lists = std::string(40, '[') + "x" + std::string(40, ']');
  EXPECT_THAT(refusal("agent: a\nprinters: " + lists), HasSubstr("nested deeper than 32"));
  EXPECT_THAT(refusal("agent: " + std::string(100'000, '{')), HasSubstr("guard.yaml:1"));
  std::string steps = "agent: a\nprinters:\n";
  for (int i = 0; i < 40; ++i) steps += std::string(static_cast<std::size_t>(i) * 2, ' ') + " -\n";
  EXPECT_NE(refusal(steps), "");
  EXPECT_THAT(refusal("agent: a\n#" + std::string(file_bytes_max, 'x')), HasSubstr("1 MiB"));
  EXPECT_THAT(refusal("agent: a\nnote: \"" + std::string(200'000, 'x') + "\"\n"),
              HasSubstr("at most"));
}

TEST(Config, NeverFailsInAnotherWayThanARefusal) {
  const std::string alphabet = "agent: hold_ms\n\n  - [{}],'\"&*!|>%@`#?~0123.e+:yno\t\x01\xc3\xa9";
  std::mt19937 random(7);
  for (int trial = 0; trial < 3'000; ++trial) {
    std::string text = random() % 2 == 0 ? "agent: a\nprinters:\n  - name: x\n" : "";
    const std::size_t n = random() % 60;
    for (std::size_t i = 0; i < n; ++i) {
      text.insert(text.begin() + static_cast<std::ptrdiff_t>(random() % (text.size() + 1)),
                  alphabet[random() % alphabet.size()]);
    }
    const auto document = parse_yaml(text, "f", schema);
    if (!document) {
      EXPECT_EQ(document.error().code, ErrorCode::bad_input) << text;
      EXPECT_TRUE(is_utf8(document.error().message));
    }
  }
}

TEST(Config, NamesTheFileThatItCannotRead) {
  const auto missing = load_yaml("/nonexistent/guard.yaml", schema);
  EXPECT_EQ(missing.error().code, ErrorCode::bad_input);
  EXPECT_THAT(missing.error().message, HasSubstr("/nonexistent/guard.yaml:1: "));
  EXPECT_THAT(load_yaml("/tmp", schema).error().message, HasSubstr("not an ordinary file"));
  EXPECT_THAT(load_yaml("/dev/zero", schema).error().message, HasSubstr("not an ordinary file"));
}

TEST(Config, ReadsAFile) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "config_test.yaml";
  std::ofstream(path) << "agent: garage\r\nalarm: false\r\n";
  const auto document = load_yaml(path, schema);
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(document->value()["agent"], "garage");
  EXPECT_EQ(document->file(), path.string());
  std::filesystem::remove(path);
}

TEST(Config, CallsAWrongSchemaAMistakeOfOurs) {
  EXPECT_EQ(parse_yaml("a: 1", "f", "{").error().code, ErrorCode::internal);
  EXPECT_EQ(parse_yaml("a: 1", "f", R"({"type": 5})").error().code, ErrorCode::internal);
}

TEST(Schema, PointsToTheFieldThatIsWrong) {
  const auto compiled = Schema::compile(schema);
  ASSERT_TRUE(compiled);
  EXPECT_TRUE(compiled->check({{"agent", "a"}}).empty());
  const auto problems =
      compiled->check({{"agent", 5}, {"printers", {{{"name", nlohmann::json::array()}}}}});
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].pointer, "/agent");
  EXPECT_EQ(problems[1].pointer, "/printers/0/name");
  EXPECT_THAT(problems[1].what, HasSubstr("must be text"));
}

TEST(Schema, RefusesDeepAndLongValuesBeforeTheyReachAStack) {
  const auto compiled = Schema::compile(schema);
  nlohmann::json deep = 1;
  for (int i = 0; i < 1'000; ++i) {
    nlohmann::json outer = nlohmann::json::array();
    outer.push_back(std::move(deep));  // a braced list would copy it, level by level
    deep = std::move(outer);
  }
  nlohmann::json value = nlohmann::json::object();
  value["agent"] = std::move(deep);
  EXPECT_FALSE(compiled->check(value).empty());
  const auto problems = compiled->check({{"agent", std::string(1'000'000, 'a')}});
  ASSERT_FALSE(problems.empty());
  EXPECT_THAT(problems[0].what, HasSubstr("bytes; at most"));
}

TEST(Resources, AreTheFilesOfTheRepository) {
  for (const Resource& file : resources()) {
    std::ifstream stream(std::filesystem::path(FIREBREAK_SOURCE_DIR) / file.name);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    EXPECT_EQ(file.text, text) << file.name;
    EXPECT_EQ(resource(file.name), file.text);
    if (file.name.starts_with("schemas/")) {
      const auto compiled = Schema::compile(file.text);
      EXPECT_TRUE(compiled) << file.name << ": " << compiled.error().message;
    }
  }
  EXPECT_FALSE(resource("schemas/none.json"));
}

}  // namespace
}  // namespace firebreak::config
