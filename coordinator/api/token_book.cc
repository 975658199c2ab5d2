#include "coordinator/api/token_book.h"

#include <sodium.h>

#include <algorithm>

#include "common/base/hex.h"
#include "common/chain/keyed_chain.h"

namespace firebreak::coordinator {
namespace {

constexpr std::size_t id_digits = 12;
constexpr std::size_t secret_digits = 64;
constexpr std::size_t sources_max = 4096;

chain::Digest hash_of(std::string_view secret) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(secret.data());
  return chain::sha256({bytes, secret.size()});
}

double seconds_between(MonotonicTime from, MonotonicTime to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

NewToken make_token(std::string name, bool person, unsigned scopes, std::int64_t now_ms,
                    std::optional<std::int64_t> expires_ms) {
  std::array<std::uint8_t, id_digits / 2> id{};
  std::array<std::uint8_t, secret_digits / 2> secret{};
  randombytes_buf(id.data(), id.size());
  randombytes_buf(secret.data(), secret.size());
  const std::string secret_text = to_hex(secret);
  NewToken out;
  out.row = {to_hex(id),           std::move(name), person,     scopes,
             hash_of(secret_text), now_ms,          expires_ms, std::nullopt};
  out.text = "fbt_" + out.row.id + "_" + secret_text;
  sodium_memzero(secret.data(), secret.size());
  return out;
}

void TokenBook::load(const std::vector<TokenRow>& tokens) {
  const std::lock_guard lock(mutex_);
  for (const TokenRow& token : tokens) tokens_[token.id] = token;
}

void TokenBook::put(const TokenRow& token) {
  const std::lock_guard lock(mutex_);
  tokens_[token.id] = token;
}

bool TokenBook::expired(const TokenRow& token) const {
  return token.expires_ms && clock_.wall().time_since_epoch().count() >= *token.expires_ms;
}

TokenVerdict TokenBook::judge(std::string_view authorization) const {
  using Kind = TokenVerdict::Kind;
  constexpr std::string_view scheme = "bearer ";
  TokenVerdict out;
  if (authorization.empty()) return out;
  out.kind = Kind::wrong;
  if (authorization.size() != scheme.size() + 4 + id_digits + 1 + secret_digits) return out;
  for (std::size_t i = 0; i < scheme.size(); ++i)
    if ((authorization[i] | 0x20) != (scheme[i] | 0x20)) return out;
  const std::string_view token = authorization.substr(scheme.size());
  if (!token.starts_with("fbt_") || token[4 + id_digits] != '_') return out;
  const chain::Digest hash = hash_of(token.substr(4 + id_digits + 1));
  const std::lock_guard lock(mutex_);
  const auto found = tokens_.find(token.substr(4, id_digits));
  // An unknown id is compared too, so that its time tells nothing.
  const chain::Digest nothing{};
  const bool same = chain::equal_constant_time(
      hash, found == tokens_.end() ? nothing : found->second.secret_hash);
  if (!same || found == tokens_.end()) return out;
  const TokenRow& row = found->second;
  out.principal = {row.id, row.name, row.person, row.scopes, false};
  if (row.revoked_ms) {
    out.kind = Kind::revoked;
  } else if (expired(row)) {
    out.kind = Kind::expired;
    out.principal.expired = true;
  } else {
    out.kind = Kind::valid;
  }
  return out;
}

bool TokenBook::usable(const std::string& id, bool even_expired) const {
  const std::lock_guard lock(mutex_);
  const auto found = tokens_.find(id);
  if (found == tokens_.end() || found->second.revoked_ms) return false;
  return even_expired || !expired(found->second);
}

GuessBrake::Reaction GuessBrake::on_wrong_token(const std::string& source) {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.now();
  auto found = sources_.find(source);
  if (found == sources_.end()) {
    if (sources_.size() >= sources_max) forget_oldest();
    found = sources_.emplace(source, Source{0, now, now, false, 0}).first;
  }
  Source& s = found->second;
  s.level = std::max(0.0, s.level - seconds_between(s.at, now) / 3.0) + 1;
  s.at = now;
  Reaction out;
  out.too_many = s.level > 20;
  // 0, 0, 0, then 0.25 s doubling to 4 s.
  const int step = std::min(static_cast<int>(s.level) - 3, 5);
  if (step > 0) out.delay = std::chrono::milliseconds{125 << step};
  // One record for each source and minute, and few a minute in all.
  if ((!s.ever_recorded || seconds_between(s.recorded, now) >= 60) && may_record(now)) {
    out.record = true;
    out.suppressed = s.suppressed;
    s.suppressed = 0;
    s.recorded = now;
    s.ever_recorded = true;
  } else {
    ++s.suppressed;
  }
  return out;
}

bool GuessBrake::may_record(MonotonicTime now) {
  if (budget_at_ != MonotonicTime{})
    record_budget_ = std::min(20.0, record_budget_ + seconds_between(budget_at_, now) / 3.0);
  budget_at_ = now;
  if (record_budget_ < 1) return false;
  record_budget_ -= 1;
  return true;
}

void GuessBrake::forget_oldest() {
  auto oldest = sources_.begin();
  for (auto it = sources_.begin(); it != sources_.end(); ++it)
    if (it->second.at < oldest->second.at) oldest = it;
  sources_.erase(oldest);
}

bool RequestBrake::allow(const std::string& token_id) {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_.now();
  auto [found, made] = buckets_.try_emplace(token_id, Bucket{200, now});
  Bucket& b = found->second;
  b.tokens = std::min(200.0, b.tokens + 100.0 * seconds_between(b.at, now));
  b.at = now;
  if (b.tokens < 1) return false;
  b.tokens -= 1;
  return true;
}

}  // namespace firebreak::coordinator
