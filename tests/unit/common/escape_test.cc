#include "common/base/escape.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "common/base/hex.h"
#include "common/log/log.h"

namespace firebreak {
namespace {

using namespace std::string_literals;

TEST(EscapeUntrusted, LeavesPlainTextAlone) {
  EXPECT_EQ(escape_untrusted("ok T:215.0 /215.0 B:60.0 @:64"), "ok T:215.0 /215.0 B:60.0 @:64");
  EXPECT_EQ(escape_untrusted("Düse 210 °C – heiß 🔥"), "Düse 210 °C – heiß 🔥");
  EXPECT_EQ(escape_untrusted(""), "");
}

TEST(EscapeUntrusted, ShowsWhatWouldMislead) {
  EXPECT_EQ(escape_untrusted("a\nb\r\tc\x1b[31m"), "a\\nb\\r\\tc\\x1b[31m");
  EXPECT_EQ(escape_untrusted("\0\x7f"s), "\\x00\\x7f");
  EXPECT_EQ(escape_untrusted("back\\slash"), "back\\\\slash");
  EXPECT_EQ(escape_untrusted("\xff\xc0\xaf"), "\\xff\\xc0\\xaf");
  EXPECT_EQ(escape_untrusted("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(escape_untrusted("\xc2\x9b"), "\\u{9b}") << "a C1 control sequence introducer";
  EXPECT_EQ(escape_untrusted("p\u202E1p"), "p\\u{202e}1p") << "right to left";
  EXPECT_EQ(escape_untrusted("a\u200Bb\u2028c\uFEFF"), "a\\u{200b}b\\u{2028}c\\u{feff}");
}

TEST(EscapeUntrusted, IsBoundedAndNeverCutsACharacter) {
  EXPECT_EQ(escape_untrusted(std::string(4096, 'x'), 10), "xxxxxxx…");
  EXPECT_EQ(escape_untrusted("0123456789", 10), "0123456789");
  EXPECT_EQ(escape_untrusted("ÄÄÄÄÄÄ", 10), "ÄÄÄ…");
  EXPECT_EQ(escape_untrusted("\x01\x01\x01\x01", 10), "\\x01…");
  EXPECT_EQ(escape_untrusted("abc", 2), "");
  EXPECT_EQ(escape_untrusted("abc", 0), "");
}

TEST(EscapeUntrusted, OfAnyBytesIsShortValidAndFreeOfControls) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 20000; ++trial) {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = static_cast<char>(random());
    const std::size_t max = random() % 50;
    const std::string out = escape_untrusted(text, max);
    ASSERT_LE(out.size(), max);
    ASSERT_TRUE(is_utf8(out)) << to_hex(
        {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    for (const char c : out) ASSERT_GE(static_cast<unsigned char>(c), 0x20);
    std::array<char, 64> buffer{};
    const std::size_t n = escape_untrusted_into(text, std::span(buffer).first(max));
    if (max <= text.size() * 10) {
      ASSERT_EQ(out, std::string(buffer.data(), n));
    }
  }
}

TEST(Hex, ReadsBackWhatItWroteAndNothingElse) {
  const std::array<std::uint8_t, 4> bytes{0x00, 0x7f, 0xa5, 0xff};
  EXPECT_EQ(to_hex(bytes), "007fa5ff");
  EXPECT_EQ(bytes_from_hex<4>("007FA5ff"), bytes);
  EXPECT_FALSE(bytes_from_hex<4>("007fa5f"));
  EXPECT_FALSE(bytes_from_hex<4>("007fa5ff0"));
  EXPECT_FALSE(bytes_from_hex<4>("007fa5fg"));
  EXPECT_FALSE(bytes_from_hex<4>(" 07fa5ff"));
}

TEST(Log, KeepsALineOneLine) {
  EXPECT_EQ(log::sanitize("first\nsecond\x1b[2J"), "first\\nsecond\\x1b[2J");
  EXPECT_EQ(log::sanitize("already \\x1b escaped"), "already \\x1b escaped");
  EXPECT_LE(log::sanitize(std::string(10000, 'x')).size(), log::line_bytes_max);
}

TEST(Log, BlacksOutTokens) {
  EXPECT_EQ(log::sanitize("bearer fbt_ab12_S3cr-et_x9 was used"), "bearer fbt_ab12_*** was used");
  EXPECT_EQ(log::sanitize("token fb1.AAbb-_99 ends"), "token fb1.*** ends");
  EXPECT_EQ(log::sanitize("fbt_ and fb1. alone"), "fbt_*** and fb1.*** alone");
}

}  // namespace
}  // namespace firebreak
