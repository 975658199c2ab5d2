#include "agent/guard/grant/grant.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>

#include "agent/guard/grant/challenge_book.h"

namespace firebreak::guard {
namespace {

using namespace std::chrono_literals;

/// A coordinator with a reset key, and a guard that knows its public half.
class Grants : public ::testing::Test {
 protected:
  Grants() {
    EXPECT_GE(sodium_init(), 0);
    crypto_sign_keypair(public_key_.data(), secret_key_.data());
    book_.emplace(std::vector<std::string>{"p1", "p2"}, key(), clock_);
  }

  [[nodiscard]] GrantKey key() const { return *GrantKey::from_hex(to_hex(public_key_)); }

  std::string sign(const ChallengeBytes& challenge, GrantAction action, std::uint32_t generation,
                   std::string_view printer) {
    const auto message = grant_message(challenge, action, generation, printer);
    SignatureBytes signature{};
    crypto_sign_detached(signature.data(), nullptr,
                         reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                         secret_key_.data());
    return to_hex(signature);
  }

  Result<GrantAction> answer(const ChallengeBytes& challenge, std::uint32_t generation = 7,
                             std::string_view printer = "p1") {
    return book_->accept(printer, "reset", to_hex(challenge),
                         sign(challenge, GrantAction::reset, generation, printer), generation);
  }

  ManualClock clock_;
  std::array<unsigned char, 32> public_key_{};
  std::array<unsigned char, 64> secret_key_{};
  std::optional<ChallengeBook> book_;
};

TEST_F(Grants, AnswerToAnOpenChallengeIsAccepted) {
  const auto challenge = book_->issue("p1", 7);
  ASSERT_TRUE(challenge);
  const auto action = answer(*challenge);
  ASSERT_TRUE(action) << action.error().message;
  EXPECT_EQ(*action, GrantAction::reset);
}

TEST_F(Grants, TheSignedBytesAreThoseOfTheProtocol) {
  ChallengeBytes challenge{};
  challenge.fill(0xab);
  const auto message = grant_message(challenge, GrantAction::reset_release, 0x01020304, "p1");
  const std::string expected = std::string("firebreak-grant-v1") + '\0' + std::string(32, '\xab') +
                               "\x03\x01\x02\x03\x04\x02p1";
  EXPECT_EQ(message, expected);
}

TEST_F(Grants, ReplayIsRefused) {
  const auto challenge = book_->issue("p1", 7);
  ASSERT_TRUE(answer(*challenge));
  const auto again = answer(*challenge);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::refused);
}

TEST_F(Grants, ANewCauseVoidsOpenChallenges) {
  const auto challenge = book_->issue("p1", 7);
  EXPECT_FALSE(answer(*challenge, 8)) << "signed for the new latch, but asked for the old";
  EXPECT_FALSE(answer(*challenge, 7)) << "and it does not come back";
}

TEST_F(Grants, SignatureForAnotherLatchIsRefused) {
  const auto challenge = book_->issue("p1", 7);
  const auto result = book_->accept("p1", "reset", to_hex(*challenge),
                                    sign(*challenge, GrantAction::reset, 6, "p1"), 7);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::not_allowed);
}

TEST_F(Grants, AChallengeLivesTenMinutes) {
  const auto first = book_->issue("p1", 7);
  clock_.advance(10min - 1ms);
  EXPECT_TRUE(answer(*first));
  const auto second = book_->issue("p1", 7);
  clock_.advance(10min);
  EXPECT_FALSE(answer(*second));
}

TEST_F(Grants, TheTimeOfDayDoesNotMatter) {
  const auto challenge = book_->issue("p1", 7);
  clock_.set_wall(WallTime{});
  EXPECT_TRUE(answer(*challenge));
}

TEST_F(Grants, AChallengeOfAnotherPrinterIsRefused) {
  const auto challenge = book_->issue("p1", 7);
  EXPECT_FALSE(answer(*challenge, 7, "p2"));
  EXPECT_TRUE(answer(*challenge, 7, "p1")) << "the attempt has used nothing up";
}

TEST_F(Grants, ASignatureForAnotherPrinterIsRefused) {
  const auto challenge = book_->issue("p1", 7);
  const auto result = book_->accept("p1", "reset", to_hex(*challenge),
                                    sign(*challenge, GrantAction::reset, 7, "p2"), 7);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::not_allowed);
}

TEST_F(Grants, ASignatureForReleaseDoesNotReset) {
  const auto challenge = book_->issue("p1", 7);
  const auto result = book_->accept("p1", "reset", to_hex(*challenge),
                                    sign(*challenge, GrantAction::release, 7, "p1"), 7);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::not_allowed);
}

TEST_F(Grants, EveryFlippedBitOfASignatureIsRefused) {
  const auto challenge = book_->issue("p1", 7);
  SignatureBytes signature{};
  ASSERT_TRUE(parse_hex(sign(*challenge, GrantAction::reset, 7, "p1"), signature));
  for (std::size_t bit = 0; bit < 8 * signature.size(); ++bit) {
    auto flipped = signature;
    flipped[bit / 8] ^= static_cast<unsigned char>(1U << (bit % 8));
    EXPECT_FALSE(book_->accept("p1", "reset", to_hex(*challenge), to_hex(flipped), 7)) << bit;
  }
  EXPECT_TRUE(book_->accept("p1", "reset", to_hex(*challenge), to_hex(signature), 7));
}

TEST_F(Grants, EveryFlippedBitOfAChallengeIsRefused) {
  const auto challenge = book_->issue("p1", 7);
  for (std::size_t bit = 0; bit < 8 * challenge->size(); ++bit) {
    auto flipped = *challenge;
    flipped[bit / 8] ^= static_cast<unsigned char>(1U << (bit % 8));
    EXPECT_FALSE(answer(flipped)) << bit;
  }
}

TEST_F(Grants, AnotherKeyIsRefused) {
  const auto challenge = book_->issue("p1", 7);
  crypto_sign_keypair(public_key_.data(), secret_key_.data());
  const auto result = answer(*challenge);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::not_allowed);
}

TEST_F(Grants, WithoutAKeyNothingIsAccepted) {
  ChallengeBook keyless({"p1"}, std::nullopt, clock_);
  const auto challenge = keyless.issue("p1", 7);
  ASSERT_TRUE(challenge);
  const auto result = keyless.accept("p1", "reset", to_hex(*challenge),
                                     sign(*challenge, GrantAction::reset, 7, "p1"), 7);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::refused);
}

TEST_F(Grants, AFifthChallengeTakesThePlaceOfTheOldest) {
  const auto oldest = book_->issue("p1", 7);
  clock_.advance(1s);
  const auto second = book_->issue("p1", 7);
  for (int i = 0; i < 3; ++i) {
    clock_.advance(1s);
    ASSERT_TRUE(book_->issue("p1", 7));
  }
  EXPECT_FALSE(answer(*oldest));
  EXPECT_TRUE(answer(*second));
}

TEST_F(Grants, ChallengesAreNeverTheSame) {
  std::vector<ChallengeBytes> seen;
  for (int i = 0; i < 1000; ++i) seen.push_back(*book_->issue("p1", 7));
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

TEST_F(Grants, AnEmptyPlaceIsNoChallengeOfZeros) {
  EXPECT_FALSE(answer(ChallengeBytes{})) << "a free place of the book holds zeros";
  EXPECT_FALSE(answer(ChallengeBytes{}, 0));
}

TEST_F(Grants, VoidAllEndsEveryOpenChallenge) {
  const auto challenge = book_->issue("p1", 7);
  book_->void_all("p1");
  EXPECT_FALSE(answer(*challenge));
}

TEST_F(Grants, WhatIsNoGrantIsCalledSo) {
  const auto challenge = book_->issue("p1", 7);
  const auto good = sign(*challenge, GrantAction::reset, 7, "p1");
  struct Row {
    const char* why;
    std::string action, challenge, signature;
  };
  const std::string hex = to_hex(*challenge);
  for (const auto& row :
       {Row{"unknown action", "heat", hex, good}, Row{"empty action", "", hex, good},
        Row{"short challenge", "reset", hex.substr(2), good},
        Row{"long challenge", "reset", hex + "00", good},
        Row{"no hex", "reset", "x" + hex.substr(1), good},
        Row{"short signature", "reset", hex, good.substr(2)},
        Row{"empty signature", "reset", hex, ""},
        Row{"huge signature", "reset", hex, std::string(1 << 20, 'a')}}) {
    const auto result = book_->accept("p1", row.action, row.challenge, row.signature, 7);
    ASSERT_FALSE(result) << row.why;
    EXPECT_EQ(result.error().code, ErrorCode::bad_input) << row.why;
  }
  EXPECT_EQ(book_->accept("p9", "reset", hex, good, 7).error().code, ErrorCode::not_found);
  EXPECT_EQ(book_->issue("p9", 7).error().code, ErrorCode::not_found);
}

TEST(GrantKeys, OnlyThirtyTwoBytesOfHexAreAKey) {
  EXPECT_TRUE(GrantKey::from_hex(std::string(64, 'a')));
  EXPECT_TRUE(GrantKey::from_hex(std::string(64, 'A')));
  for (const auto& bad : {std::string(), std::string(63, 'a'), std::string(65, 'a'),
                          std::string(63, 'a') + "g", std::string(64, '\0')}) {
    EXPECT_FALSE(GrantKey::from_hex(bad)) << bad;
  }
}

}  // namespace
}  // namespace firebreak::guard
