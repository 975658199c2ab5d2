#include <sodium.h>

#include <algorithm>

#include "common/base/escape.h"
#include "common/base/hex.h"
#include "coordinator/api/api.h"
#include "coordinator/api/fields.h"
#include "coordinator/store/wall_text.h"

namespace firebreak::coordinator {

using nlohmann::json;

namespace {

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t enrolment_minutes_max = 15;

json token_json(const TokenRow& row, std::int64_t now_ms) {
  const bool expired = row.expires_ms && now_ms >= *row.expires_ms;
  return {{"id", row.id},
          {"name", row.name},
          {"kind", row.person ? "person" : "machine"},
          {"scopes", scope_names(row.scopes)},
          {"created", wall_text(row.created_ms)},
          {"expires", row.expires_ms ? json(wall_text(*row.expires_ms)) : json()},
          {"revoked", row.revoked_ms ? json(wall_text(*row.revoked_ms)) : json()},
          {"state", row.revoked_ms ? "revoked"
                    : expired      ? "expired"
                                   : "valid"}};
}

/// The bits of a list of scopes; what is wrong lands in `fields`.
unsigned read_scopes(Fields& fields) {
  const json names = scope_names(all_scopes);
  unsigned out = 0;
  const auto list = fields.texts("scopes", 5);
  for (std::size_t i = 0; list && i < list->size(); ++i) {
    const auto at = std::find(names.begin(), names.end(), (*list)[i]);
    const std::string pointer = "/scopes/" + std::to_string(i);
    if (at == names.end()) {
      fields.wrong(pointer, "must be view, stop, operate, reset or admin");
      continue;
    }
    const unsigned bit = 1U << (at - names.begin());
    if ((out & bit) != 0) fields.wrong(pointer, "stands twice");
    out |= bit;
  }
  return out;
}

struct TokenWish {
  std::string name;
  bool person = false;
  unsigned scopes = 0;
  std::optional<std::int64_t> expires_ms;
};

TokenWish read_wish(Fields& fields, const Principal& asker, std::int64_t now_ms) {
  TokenWish out;
  out.name = escape_untrusted(fields.text("name", 1, 64).value_or(""), 200);
  fields.require("name");
  const auto kind = fields.text("kind", 1, 16);
  if (kind && *kind != "person" && *kind != "machine")
    fields.wrong("/kind", "must be person or machine");
  out.person = kind == "person";
  if (out.person && !asker.person)
    fields.wrong("/kind", "a machine's token cannot make a person's token");
  out.scopes = read_scopes(fields);
  fields.require("scopes");
  if (!out.person && (out.scopes & static_cast<unsigned>(Scope::reset)) != 0)
    fields.wrong("/scopes", "a machine's token never holds reset; set kind to person");
  const auto expires = fields.text("expires", 1, 40);
  if (expires) out.expires_ms = parse_wall(*expires);
  if (expires && !out.expires_ms)
    fields.wrong("/expires", "must be RFC 3339 in UTC, such as 2027-01-31T12:00:00Z");
  if (out.expires_ms && *out.expires_ms <= now_ms) fields.wrong("/expires", "is in the past");
  return out;
}

}  // namespace

Response Api::create_token(const Request& request) {
  const std::int64_t now = parts_.clock.wall().time_since_epoch().count();
  Fields fields(request.body);
  const TokenWish wish = read_wish(fields, request.principal, now);
  if (auto wrong = fields.problems(); !wrong.empty())
    return field_problem(request, std::move(wrong));
  const NewToken made = make_token(wish.name, wish.person, wish.scopes, now, wish.expires_ms);
  if (auto stored = parts_.store.add_token(made.row, request.principal.who()); !stored)
    return store_problem(request, stored.error(), parts_.store.health());
  parts_.tokens.put(made.row);
  json out = token_json(made.row, now);
  for (const char* other : {"created", "revoked", "state"}) out.erase(other);
  out["token"] = made.text;
  return json_response(201, out);
}

Response Api::tokens(const Request& request) {
  auto rows = parts_.store.tokens();
  if (!rows) return store_problem(request, rows.error(), parts_.store.health());
  const std::int64_t now = parts_.clock.wall().time_since_epoch().count();
  json list = json::array();
  for (const TokenRow& row : *rows) list.push_back(token_json(row, now));
  return json_response(200, {{"tokens", std::move(list)}});
}

Response Api::revoke_token(const Request& request) {
  auto row = parts_.store.revoke_token(request.arguments.at(0), request.principal.who());
  if (!row) return store_problem(request, row.error(), parts_.store.health());
  parts_.tokens.put(*row);
  return json_response(200, token_json(*row, parts_.clock.wall().time_since_epoch().count()));
}

Response Api::enroll(const Request& request) {
  const std::int64_t now = parts_.clock.wall().time_since_epoch().count();
  Fields fields(request.body);
  const auto agent = fields.agent_name("agent");
  const auto minutes = fields.integer("minutes", 1, enrolment_minutes_max);
  fields.require("agent");
  if (auto wrong = fields.problems(); !wrong.empty())
    return field_problem(request, std::move(wrong));
  chain::Digest secret{};
  std::array<std::uint8_t, 8> id{};
  randombytes_buf(secret.data(), secret.size());
  randombytes_buf(id.data(), id.size());
  EnrollmentRow row;
  row.id = to_hex(id);
  row.agent = *agent;
  row.secret_hash = chain::sha256(secret);
  row.created_ms = now;
  row.expires_ms = now + minutes.value_or(enrolment_minutes_max) * minute_ms;
  auto stored = parts_.store.add_enrollment(row, request.principal.who());
  if (!stored) return store_problem(request, stored.error(), parts_.store.health());
  const std::string text = parts_.enrolment_text(*agent, secret);
  sodium_memzero(secret.data(), secret.size());
  return json_response(201, {{"id", row.id},
                             {"agent", row.agent},
                             {"token", text},
                             {"expires", wall_text(row.expires_ms)}});
}

Response Api::enrollments(const Request& request) {
  auto rows = parts_.store.enrollments();
  if (!rows) return store_problem(request, rows.error(), parts_.store.health());
  const std::int64_t now = parts_.clock.wall().time_since_epoch().count();
  json list = json::array();
  for (const EnrollmentRow& row : *rows)
    list.push_back({{"id", row.id},
                    {"agent", row.agent},
                    {"created", wall_text(row.created_ms)},
                    {"expires", wall_text(row.expires_ms)},
                    {"used", row.used_ms ? json(wall_text(*row.used_ms)) : json()},
                    {"state", row.used_ms             ? "used"
                              : now >= row.expires_ms ? "expired"
                                                      : "open"}});
  return json_response(200, {{"enrollments", std::move(list)}});
}

}  // namespace firebreak::coordinator
