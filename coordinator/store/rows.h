#pragma once

#include <cstring>
#include <optional>
#include <string>

#include "common/storage/database.h"
#include "coordinator/store/store.h"
#include "coordinator/store/wall_text.h"

/// How columns become rows. Private to the SQLite store.
namespace firebreak::coordinator::rows {

inline constexpr const char* token_select =
    "SELECT id, name, person, scopes, secret_hash, created_ms, expires_ms, revoked_ms FROM token";

inline std::optional<std::int64_t> optional_integer(const storage::Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.integer(column);
}

inline chain::Digest digest(const storage::Statement& row, int column) {
  chain::Digest out{};
  const auto blob = row.blob(column);
  if (blob.size() == out.size()) std::memcpy(out.data(), blob.data(), out.size());
  return out;
}

inline TokenRow token(const storage::Statement& row) {
  return {std::string(row.text(0)), std::string(row.text(1)),
          row.integer(2) != 0,      static_cast<unsigned>(row.integer(3)),
          digest(row, 4),           row.integer(5),
          optional_integer(row, 6), optional_integer(row, 7)};
}

/// Reads all rows of a bound statement through `make`.
template <class T, class Make>
Result<std::vector<T>> all(storage::Statement& statement, Make make) {
  std::vector<T> out;
  while (true) {
    auto row = statement.step();
    if (!row) return fail(row.error());
    if (!*row) return out;
    out.push_back(make(statement));
  }
}

}  // namespace firebreak::coordinator::rows
