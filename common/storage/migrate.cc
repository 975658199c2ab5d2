#include <string>

#include "common/storage/database.h"

namespace firebreak::storage {

Result<int> migrate(Database& database, std::span<const Migration> migrations) {
  auto found = database.integer("PRAGMA user_version");
  if (!found) return fail(std::move(found.error()));
  const auto version = found->value_or(0);
  const int last = migrations.empty() ? 0 : migrations.back().version;
  if (version < 0 || version > last) {
    return fail(ErrorCode::refused, database.path().string() + " has schema version " +
                                        std::to_string(version) + ", this program knows up to " +
                                        std::to_string(last) +
                                        "; start the newer program that wrote it");
  }
  for (const Migration& step : migrations) {
    if (step.version <= version) continue;
    auto transaction = Transaction::begin(database);
    if (!transaction) return fail(std::move(transaction.error()));
    // Another process may have been faster: look again, now that nobody else can write.
    auto now = database.integer("PRAGMA user_version");
    if (!now) return fail(std::move(now.error()));
    if (now->value_or(0) >= step.version) continue;
    const std::string sql =
        std::string(step.sql) + ";PRAGMA user_version=" + std::to_string(step.version);
    if (auto done = database.execute(sql); !done) {
      return fail(done.error().within(database.path().string() + ", schema step " +
                                      std::to_string(step.version)));
    }
    if (auto done = transaction->commit(); !done) return fail(std::move(done.error()));
  }
  return last;
}

}  // namespace firebreak::storage
