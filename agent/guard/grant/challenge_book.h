#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/guard/grant/grant.h"
#include "common/base/clock.h"

namespace firebreak::guard {

/// How long a challenge may be answered (docs/safety.md, reset). It lives in memory only: a
/// restart of the guard voids all.
inline constexpr std::chrono::minutes challenge_life{10};
/// Open challenges of one printer; a further one takes the place of the oldest.
inline constexpr std::size_t challenges_max = 4;

/// Fills a span with random bytes; libsodium's where nothing is given.
using RandomBytes = std::function<void(std::span<unsigned char>)>;

/// The challenges that the guard has asked, and the grants that answer them. A grant counts only
/// if it is signed by the key over a challenge that this book gave for that printer, is not older
/// than 10 minutes on the monotonic clock, was not used, and if no cause came since (the latch's
/// generation is the same). What a grant may reset is not decided here.
/// Not thread-safe: the control thread owns it. Bounded by printers × challenges_max.
class ChallengeBook {
 public:
  /// Without a key every grant is refused; challenges are still given, so that screens can say so.
  ChallengeBook(std::vector<std::string> printers, std::optional<GrantKey> key, const Clock& clock,
                RandomBytes random = {});

  /// A new challenge for the printer's present latch. not_found: no such printer.
  Result<ChallengeBytes> issue(std::string_view printer, std::uint32_t generation);

  /// Takes a grant. On success the challenge is used up and the action is returned.
  /// bad_input: not a grant at all. refused: unknown, used, expired or void challenge, or no key.
  /// not_allowed: the signature is not the coordinator's over exactly this.
  Result<GrantAction> accept(std::string_view printer, std::string_view action,
                             std::string_view challenge_hex, std::string_view signature_hex,
                             std::uint32_t generation);

  /// Voids all open challenges of a printer, as at a new cause. Not an error if there are none.
  void void_all(std::string_view printer) noexcept;

 private:
  struct Open {
    bool used = true;  ///< Free place.
    ChallengeBytes bytes{};
    std::uint32_t generation = 0;
    MonotonicTime issued{};
  };
  struct Page {
    std::string printer;
    std::array<Open, challenges_max> open{};
  };
  Page* find(std::string_view printer) noexcept;

  std::vector<Page> pages_;
  std::optional<GrantKey> key_;
  const Clock& clock_;
  RandomBytes random_;
};

}  // namespace firebreak::guard
