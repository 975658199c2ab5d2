#include "agent/guard/grant/challenge_book.h"

#include <sodium.h>

#include <algorithm>

namespace firebreak::guard {

ChallengeBook::ChallengeBook(std::vector<std::string> printers, std::optional<GrantKey> key,
                             const Clock& clock, RandomBytes random)
    : key_(std::move(key)), clock_(clock), random_(std::move(random)) {
  for (auto& printer : printers) pages_.push_back({std::move(printer), {}});
  if (!random_) {
    random_ = [](std::span<unsigned char> bytes) { randombytes_buf(bytes.data(), bytes.size()); };
  }
}

ChallengeBook::Page* ChallengeBook::find(std::string_view printer) noexcept {
  const auto page = std::find_if(pages_.begin(), pages_.end(),
                                 [&](const auto& item) { return item.printer == printer; });
  return page == pages_.end() ? nullptr : &*page;
}

Result<ChallengeBytes> ChallengeBook::issue(std::string_view printer, std::uint32_t generation) {
  auto* page = find(printer);
  if (page == nullptr) return fail(ErrorCode::not_found, "there is no such printer on this host");
  if (sodium_init() < 0) return fail(ErrorCode::internal, "libsodium does not start");
  // A free place, or else the oldest.
  auto place = std::min_element(page->open.begin(), page->open.end(), [](auto& a, auto& b) {
    return a.used != b.used ? a.used : a.issued < b.issued;
  });
  *place = {false, {}, generation, clock_.now()};
  random_(place->bytes);
  return place->bytes;
}

Result<GrantAction> ChallengeBook::accept(std::string_view printer, std::string_view action,
                                          std::string_view challenge_hex,
                                          std::string_view signature_hex,
                                          std::uint32_t generation) {
  auto* page = find(printer);
  if (page == nullptr) return fail(ErrorCode::not_found, "there is no such printer on this host");
  const auto wanted = parse_grant_action(action);
  ChallengeBytes challenge{};
  SignatureBytes signature{};
  if (!wanted || !parse_hex(challenge_hex, challenge) || !parse_hex(signature_hex, signature)) {
    return fail(ErrorCode::bad_input,
                "not a grant: action reset, release or reset_release, a challenge of 64 and a "
                "signature of 128 hex digits are needed");
  }
  if (!key_) {
    return fail(ErrorCode::refused,
                "this guard has no grant key; enrol it with `firebreak local enroll`, or reset at "
                "the machine");
  }
  // All places are compared, each in constant time.
  Open* answered = nullptr;
  for (auto& open : page->open) {
    const bool same = sodium_memcmp(open.bytes.data(), challenge.data(), challenge.size()) == 0;
    if (same && !open.used) answered = &open;
  }
  if (answered == nullptr) {
    return fail(ErrorCode::refused,
                "this challenge is unknown or was used already; ask for a new one");
  }
  if (clock_.now() - answered->issued >= challenge_life) {
    answered->used = true;
    return fail(ErrorCode::refused, "this challenge is over 10 minutes old; ask for a new one");
  }
  if (answered->generation != generation) {
    answered->used = true;
    return fail(ErrorCode::refused,
                "a new cause came after this challenge; look at the causes and ask for a new one");
  }
  if (!key_->verifies(grant_message(challenge, *wanted, generation, printer), signature)) {
    return fail(ErrorCode::not_allowed,
                "the signature is not the coordinator's over this printer, action and challenge");
  }
  answered->used = true;
  return *wanted;
}

void ChallengeBook::void_all(std::string_view printer) noexcept {
  if (auto* page = find(printer)) {
    for (auto& open : page->open) open.used = true;
  }
}

}  // namespace firebreak::guard
