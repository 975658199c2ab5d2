#include "coordinator/api/idempotency.h"

#include <algorithm>

namespace firebreak::coordinator {
namespace {

Response copy_of(const Response& answer) {
  Response out;
  out.status = answer.status;
  out.content_type = answer.content_type;
  out.body = answer.body;
  out.headers = answer.headers;
  return out;
}

}  // namespace

bool IdempotencyBook::is_key(std::string_view text) {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

IdempotencyBook::Claim IdempotencyBook::claim(const Key& key, std::chrono::seconds keep_for,
                                              Response& answer) {
  const std::lock_guard lock(mutex_);
  forget();
  const auto found = find(key);
  if (found == entries_.end()) {
    entries_.push_back({key, clock_.now() + keep_for, false, {}});
    return Claim::act;
  }
  if (found->key.asked != key.asked) return Claim::other;
  if (!found->answered) return Claim::waiting;
  answer = copy_of(found->answer);
  return Claim::replay;
}

void IdempotencyBook::keep(const Key& key, const Response& answer) {
  const std::lock_guard lock(mutex_);
  const auto found = find(key);
  if (found == entries_.end()) return;
  found->answered = true;
  found->answer = copy_of(answer);
  bytes_ += answer.body.size();
  forget();
}

void IdempotencyBook::drop(const Key& key) {
  const std::lock_guard lock(mutex_);
  if (const auto found = find(key); found != entries_.end()) erase(found);
}

IdempotencyBook::Place IdempotencyBook::find(const Key& key) {
  return std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.key.token_id == key.token_id && entry.key.key == key.key;
  });
}

void IdempotencyBook::erase(Place place) {
  if (place->answered) bytes_ -= place->answer.body.size();
  entries_.erase(place);
}

/// What is over, and the oldest beyond the bounds; never refuses a new one.
void IdempotencyBook::forget() {
  const MonotonicTime now = clock_.now();
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto place = at++;
    const bool too_much = entries_.size() > entries_max || bytes_ > bytes_max;
    if (place->ends <= now || too_much) erase(place);
  }
}

}  // namespace firebreak::coordinator
