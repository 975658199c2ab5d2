#pragma once

#include <chrono>
#include <list>
#include <mutex>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/chain/sha256.h"
#include "coordinator/api/http.h"

namespace firebreak::coordinator {

/// The answers of requests that carried an `Idempotency-Key`, so that a client that lost one may
/// ask again without acting twice. In memory, because answers may hold secrets: bounded in number
/// and bytes (the oldest go first), gone with the process. Thread-safe.
class IdempotencyBook {
 public:
  /// How long an answer is kept. A stop's only for a retry: the same key must not swallow the next
  /// emergency.
  static constexpr std::chrono::minutes kept{10};
  static constexpr std::chrono::seconds stop_kept{60};
  static constexpr std::size_t entries_max = 1000;
  static constexpr std::size_t bytes_max = 8 * 1024 * 1024;

  explicit IdempotencyBook(const Clock& clock) : clock_(clock) {}

  /// One key of one token, and what was asked with it.
  struct Key {
    std::string token_id;
    std::string key;
    chain::Digest asked{};  ///< Method, path and body.
  };
  enum class Claim {
    act,      ///< New: act, then keep() or drop().
    replay,   ///< `answer` is what the first one got.
    waiting,  ///< The first one is being answered at this moment.
    other,    ///< The key was used for something else.
  };
  Claim claim(const Key& key, std::chrono::seconds keep_for, Response& answer);
  void keep(const Key& key, const Response& answer);
  /// The request did nothing: the key is free again.
  void drop(const Key& key);

  /// 1 to 128 visible ASCII characters.
  static bool is_key(std::string_view text);

 private:
  struct Entry {
    Key key;
    MonotonicTime ends{};
    bool answered = false;
    Response answer;  ///< Status, type, body and headers alone.
  };
  using Place = std::list<Entry>::iterator;
  Place find(const Key& key);
  void erase(Place place);
  void forget();

  const Clock& clock_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // oldest first; guarded by mutex_
  std::size_t bytes_ = 0;     // guarded by mutex_
};

}  // namespace firebreak::coordinator
