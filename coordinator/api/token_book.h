#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "coordinator/api/http.h"

namespace firebreak::coordinator {

/// A new token: what the store keeps, and the text that is shown once.
struct NewToken {
  TokenRow row;
  std::string text;  ///< Secret.
};
NewToken make_token(std::string name, bool person, unsigned scopes, std::int64_t now_ms,
                    std::optional<std::int64_t> expires_ms);

/// How a bearer token was judged.
struct TokenVerdict {
  enum class Kind { none, wrong, revoked, expired, valid } kind = Kind::none;
  Principal principal;  ///< Of an expired or valid token; the id also of a revoked one.
};

/// All API tokens, in memory, so that a stop needs no disk to know who asks. Thread-safe.
class TokenBook {
 public:
  explicit TokenBook(const Clock& clock) : clock_(clock) {}

  void load(const std::vector<TokenRow>& tokens);
  void put(const TokenRow& token);

  /// Judges an Authorization header. Compares in constant time; costs one SHA-256.
  [[nodiscard]] TokenVerdict judge(std::string_view authorization) const;
  /// Whether the token may still be used for what it started before: known and not revoked.
  [[nodiscard]] bool usable(const std::string& id, bool even_expired) const;

 private:
  [[nodiscard]] bool expired(const TokenRow& token) const;

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, TokenRow, std::less<>> tokens_;  // guarded by mutex_
};

/// Slows guessing down, one source at a time, and bounds what guessing can write. A valid token
/// never meets it. Thread-safe; remembers at most 4096 sources.
class GuessBrake {
 public:
  struct Reaction {
    std::chrono::milliseconds delay{0};  ///< Hold the answer back so long.
    bool too_many = false;               ///< Answer 429.
    bool record = false;                 ///< Write an audit record now …
    std::uint64_t suppressed = 0;        ///< … which stands for so many unrecorded ones too.
  };
  explicit GuessBrake(const Clock& clock) : clock_(clock) {}
  Reaction on_wrong_token(const std::string& source);

 private:
  struct Source {
    double level = 0;  ///< Wrong tokens, forgotten at one in 3 s.
    MonotonicTime at{};
    MonotonicTime recorded{};
    bool ever_recorded = false;
    std::uint64_t suppressed = 0;
  };
  bool may_record(MonotonicTime now);
  void forget_oldest();

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Source> sources_;  // guarded by mutex_
  double record_budget_ = 20;              // guarded by mutex_
  MonotonicTime budget_at_{};              // guarded by mutex_
};

/// Requests of one token: a bucket of 200, filled at 100 a second. Never asked for a stop.
class RequestBrake {
 public:
  explicit RequestBrake(const Clock& clock) : clock_(clock) {}
  bool allow(const std::string& token_id);

 private:
  struct Bucket {
    double tokens = 200;
    MonotonicTime at{};
  };
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;  // guarded by mutex_; one for each known token
};

}  // namespace firebreak::coordinator
