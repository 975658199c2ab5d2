#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/hex.h"
#include "common/chain/event_chain.h"
#include "common/chain/keyed_chain.h"
#include "common/chain/merkle.h"

namespace firebreak::chain {
namespace {

using nlohmann::json;

Bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::vector<std::uint8_t> unhex(std::string_view hex) {
  std::vector<std::uint8_t> out(hex.size() / 2);
  EXPECT_TRUE(from_hex(hex, out)) << hex;
  return out;
}

// FIPS 180-4 examples (NIST CSRC, SHA256.pdf) and SHA256ShortMsg.rsp.
TEST(Sha256, GivesThePublishedValues) {
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(sha256(unhex("d3"))),
            "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1");
  EXPECT_EQ(to_hex(sha256(bytes(std::string(1'000'000, 'a')))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, OfPartsIsThatOfTheWhole) {
  EXPECT_EQ(sha256(bytes("a"), bytes("bc")), sha256(bytes("abc")));
  EXPECT_EQ(sha256(bytes("a"), {}, bytes("bc")), sha256(bytes("abc")));
}

// RFC 4231, test cases 1 and 2 with the key padded to 32 bytes by zeros, which HMAC does itself.
TEST(Hmac, GivesThePublishedValues) {
  Digest key{};
  std::fill_n(key.begin(), 20, std::uint8_t{0x0b});
  EXPECT_EQ(to_hex(hmac_sha256(key, bytes("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  key = {};
  std::copy_n("Jefe", 4, key.begin());
  EXPECT_EQ(to_hex(hmac_sha256(key, bytes("what do ya want "), bytes("for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

// The leaves, roots and proofs of certificate-transparency's merkletree tests.
const char* const leaves_hex[] = {"",
                                  "00",
                                  "10",
                                  "2021",
                                  "3031",
                                  "40414243",
                                  "5051525354555657",
                                  "606162636465666768696a6b6c6d6e6f"};
const char* const roots_hex[] = {
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

std::vector<Digest> leaves() {
  std::vector<Digest> out;
  for (const char* hex : leaves_hex) out.push_back(leaf_hash(unhex(hex)));
  return out;
}

TEST(TreeHead, GivesTheRootsOfCertificateTransparency) {
  TreeHead head;
  EXPECT_EQ(to_hex(head.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  std::size_t i = 0;
  for (const Digest& leaf : leaves()) {
    head.append(leaf);
    EXPECT_EQ(to_hex(head.root()), roots_hex[i++]) << i << " leaves";
  }
}

TEST(TreeHead, GoesOnWhereItWasSaved) {
  TreeHead whole;
  TreeHead saved;
  for (int i = 0; i < 300; ++i) {
    const Digest leaf = leaf_hash(bytes(std::to_string(i)));
    whole.append(leaf);
    auto restored = TreeHead::restore(saved.size(), saved.peaks());
    ASSERT_TRUE(restored);
    restored->append(leaf);
    saved = *restored;
    ASSERT_EQ(whole.root(), saved.root());
  }
  EXPECT_FALSE(TreeHead::restore(3, std::vector<Digest>(1)));
}

TEST(Merkle, PathOfThePublishedLeavesIsThePublishedOne) {
  const auto path = inclusion_path(leaves(), 5);
  ASSERT_TRUE(path);
  ASSERT_EQ(path->size(), 3U);
  EXPECT_EQ(to_hex((*path)[0]), "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b");
  EXPECT_EQ(to_hex((*path)[1]), "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0");
  EXPECT_EQ(to_hex((*path)[2]), "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
}

std::vector<Digest> many(std::size_t n) {
  std::vector<Digest> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(leaf_hash(bytes(std::to_string(i))));
  return out;
}

Digest root_of(std::span<const Digest> list) {
  TreeHead head;
  for (const Digest& leaf : list) head.append(leaf);
  return head.root();
}

TEST(Merkle, EveryInclusionOfSmallTreesVerifiesAndNoOtherDoes) {
  const auto all = many(33);
  for (std::size_t size = 1; size <= all.size(); ++size) {
    const auto part = std::span(all).first(size);
    const Digest root = root_of(part);
    for (std::size_t i = 0; i < size; ++i) {
      auto path = inclusion_path(part, i);
      ASSERT_TRUE(path);
      EXPECT_TRUE(verify_inclusion(all[i], i, size, *path, root));
      EXPECT_FALSE(verify_inclusion(all[(i + 1) % 33], i, size, *path, root));
      EXPECT_FALSE(verify_inclusion(all[i], i, size, *path, all[0]) && size > 1);
      path->push_back(root);
      EXPECT_FALSE(verify_inclusion(all[i], i, size, *path, root));
    }
    EXPECT_FALSE(inclusion_path(part, size));
  }
}

TEST(Merkle, EveryPrefixOfSmallTreesIsConsistentAndAnEditedOneIsNot) {
  const auto all = many(33);
  for (std::size_t size = 1; size <= all.size(); ++size) {
    const Digest root = root_of(std::span(all).first(size));
    for (std::size_t old = 1; old <= size; ++old) {
      const Digest old_root = root_of(std::span(all).first(old));
      const auto path = consistency_path(std::span(all).first(size), old);
      ASSERT_TRUE(path);
      EXPECT_TRUE(verify_consistency(old, old_root, size, root, *path)) << old << " in " << size;
      auto edited = all;
      edited[old - 1] = leaf_hash(bytes("edited"));
      const Digest forged = root_of(std::span(edited).first(old));
      EXPECT_FALSE(verify_consistency(old, forged, size, root, *path)) << old << " in " << size;
    }
  }
  EXPECT_FALSE(consistency_path(all, 0));
  EXPECT_FALSE(consistency_path(all, 34));
}

json event_of(EventVerifier& chain, std::int64_t seq, const std::string& text) {
  json event = {{"log", "0123456789abcdef"},
                {"seq", seq},
                {"boot", std::string(32, 'a')},
                {"mono_ms", 1000 * seq},
                {"wall", nullptr},
                {"kind", "state"},
                {"severity", "info"},
                {"printer", "p1"},
                {"text", text},
                {"data", {{"celsius", 215.25}, {"n", 3}}}};
  const auto canonical = canonical_bytes(event);
  event["hash"] = to_hex(next_hash(chain.head(), *canonical));
  return event;
}

// The bytes are frozen: stored logs of every version depend on them.
TEST(CanonicalBytes, AreSortedShortestCbor) {
  const auto out = canonical_bytes({{"seq", 1},
                                    {"a", "x"},
                                    {"data", {{"z", 1.5}, {"b", nullptr}}},
                                    {"n", -7},
                                    {"hash", "not part of it"}});
  ASSERT_TRUE(out);
  EXPECT_EQ(to_hex(*out),
            "a4"
            "6161"
            "6178"
            "6464617461"
            "a2"
            "6162f6"
            "617afa3fc00000"
            "616e26"
            "6373657101")
      << "if this is meant, every log that exists becomes unverifiable";
}

TEST(CanonicalBytes, StayTheSameThroughJsonTextAndCbor) {
  const json event = {{"seq", 18446744073709551615ULL},
                      {"least", INT64_MIN},
                      {"real", 0.1},
                      {"single", 60.0},
                      {"tiny", 5e-324},
                      {"text", "µ \u2028 \"quoted\""},
                      {"list", {1, 2.5, true, nullptr}}};
  const auto direct = canonical_bytes(event);
  ASSERT_TRUE(direct);
  EXPECT_EQ(*direct, *canonical_bytes(json::parse(event.dump())));
  EXPECT_EQ(*direct, *canonical_bytes(json::from_cbor(json::to_cbor(event))));
}

TEST(CanonicalBytes, RefuseWhatJsonCannotCarry) {
  EXPECT_FALSE(canonical_bytes(json::array()));
  EXPECT_FALSE(canonical_bytes({{"x", std::numeric_limits<double>::infinity()}}));
  EXPECT_FALSE(canonical_bytes({{"x", {{"y", std::numeric_limits<double>::quiet_NaN()}}}}));
  EXPECT_FALSE(canonical_bytes({{"x", "\xff"}}));
  EXPECT_FALSE(canonical_bytes({{"\xff", 1}}));
  EXPECT_FALSE(canonical_bytes({{"x", json::binary({1, 2})}}));
  json deep = json::object();
  for (int i = 0; i < 100; ++i) deep = {{"x", deep}};
  EXPECT_FALSE(canonical_bytes(deep));
}

TEST(EventVerifier, TakesAChainAndStopsAtWhatDoesNotFit) {
  EventVerifier verifier;
  for (std::int64_t seq = 1; seq <= 5; ++seq) {
    ASSERT_TRUE(verifier.take(event_of(verifier, seq, "text")));
  }
  const json next = event_of(verifier, 6, "text");
  json edited = next;
  edited["text"] = "Text";
  EXPECT_EQ(verifier.take(edited).error().code, ErrorCode::corrupt);
  json added = next;
  added["more"] = 1;
  EXPECT_EQ(verifier.take(added).error().code, ErrorCode::corrupt);
  EXPECT_EQ(verifier.take(event_of(verifier, 7, "a gap")).error().code, ErrorCode::corrupt);
  EXPECT_EQ(verifier.take(event_of(verifier, 5, "again")).error().code, ErrorCode::corrupt);
  EXPECT_EQ(verifier.take(json::array()).error().code, ErrorCode::bad_input);
  EXPECT_EQ(verifier.take({{"seq", "6"}, {"hash", ""}}).error().code, ErrorCode::bad_input);
  EXPECT_EQ(verifier.seq(), 5);
  EXPECT_TRUE(verifier.take(next));
}

TEST(KeyedChain, CannotBeExtendedEditedOrCutWithoutItsKey) {
  Digest key{};
  key[0] = 1;
  KeyedChain chain(key);
  const Digest one = chain.append(bytes("one"));
  const Digest two = chain.append(bytes("two"));
  KeyedChain check(key);
  EXPECT_TRUE(check.verify_next(bytes("one"), one));
  EXPECT_FALSE(check.verify_next(bytes("twO"), two));
  EXPECT_TRUE(check.verify_next(bytes("two"), two));
  KeyedChain without_one(key);
  EXPECT_FALSE(without_one.verify_next(bytes("two"), two));
  KeyedChain other_key(Digest{}, one);
  EXPECT_FALSE(other_key.verify_next(bytes("two"), two));
}

}  // namespace
}  // namespace firebreak::chain
