#include "agent/guard/blackbox/sample_store.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace firebreak::guard {
namespace {

// `total` is how many samples the file had seen after this row: the ring's length is counted in
// samples, because no clock that can be set may empty it.
// `samples`: per reading, little-endian, u32 milliseconds after mono_ms, f32 °C, i16 target in
// 0.1 K, i16 duty in 1/10000; NaN and -32768 are unknown.
constexpr std::array<storage::Migration, 1> migrations{{{1, R"(
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  boot TEXT NOT NULL,
  printer TEXT NOT NULL,
  heater TEXT NOT NULL,
  UNIQUE (boot, printer, heater)
) STRICT;
CREATE TABLE block (
  id INTEGER PRIMARY KEY,
  series INTEGER NOT NULL,
  mono_ms INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL,
  count INTEGER NOT NULL,
  total INTEGER NOT NULL,
  samples BLOB NOT NULL
) STRICT;
)"}}};

constexpr std::size_t reading_bytes = 12;
constexpr std::int16_t unknown = -32768;
constexpr int cache_kib = 128;
constexpr int checkpoint_pages = 256;
// Rows dropped at a time; a batch adds one for each heater.
constexpr std::int64_t prune_rows = 256;

static_assert(std::endian::native == std::endian::little, "blocks are little-endian");

std::int16_t scaled(float value, float factor) {
  if (!std::isfinite(value)) return unknown;
  return static_cast<std::int16_t>(std::clamp(std::lround(value * factor), -32767L, 32767L));
}

float unscaled(std::int16_t value, float factor) {
  return value == unknown ? std::numeric_limits<float>::quiet_NaN()
                          : static_cast<float>(value) / factor;
}

std::vector<std::uint8_t> pack(const std::vector<Sample>& samples) {
  std::vector<std::uint8_t> out(samples.size() * reading_bytes);
  std::uint8_t* at = out.data();
  for (const Sample& sample : samples) {
    const auto offset = static_cast<std::uint32_t>(
        std::max<std::int64_t>(0, (sample.mono_ns - samples[0].mono_ns) / 1'000'000));
    const std::int16_t target = scaled(sample.target_celsius, 10);
    const std::int16_t duty = scaled(sample.duty, 10'000);
    std::memcpy(at, &offset, 4);
    std::memcpy(at + 4, &sample.celsius, 4);
    std::memcpy(at + 8, &target, 2);
    std::memcpy(at + 10, &duty, 2);
    at += reading_bytes;
  }
  return out;
}

void unpack(std::span<const std::uint8_t> blob, std::int64_t mono_ms, std::int64_t wall_ms,
            std::vector<Sample>& out) {
  for (; blob.size() >= reading_bytes; blob = blob.subspan(reading_bytes)) {
    std::uint32_t offset = 0;
    std::int16_t target = 0;
    std::int16_t duty = 0;
    Sample sample;
    std::memcpy(&offset, blob.data(), 4);
    std::memcpy(&sample.celsius, blob.data() + 4, 4);
    std::memcpy(&target, blob.data() + 8, 2);
    std::memcpy(&duty, blob.data() + 10, 2);
    sample.mono_ns = (mono_ms + offset) * 1'000'000;
    sample.wall_ms = wall_ms + offset;
    sample.target_celsius = unscaled(target, 10);
    sample.duty = unscaled(duty, 10'000);
    out.push_back(sample);
  }
}

}  // namespace

Result<SampleStore> SampleStore::open(const std::filesystem::path& path, const std::string& vfs,
                                      const std::string& boot_id, std::int64_t samples_max) {
  if (auto done = storage::recover_log(path, vfs); !done) return fail(std::move(done.error()));
  storage::OpenOptions options;
  options.cache_kib = cache_kib;
  options.checkpoint_pages = checkpoint_pages;
  options.vfs = vfs;
  auto database = storage::Database::open(path, options);
  if (!database) return fail(std::move(database.error()));
  SampleStore store(std::move(*database));
  if (auto done = storage::migrate(store.database_, migrations); !done) {
    return fail(std::move(done.error()));
  }
  auto total = store.database_.integer("SELECT total FROM block ORDER BY id DESC LIMIT 1");
  if (!total) return fail(std::move(total.error()));
  store.total_ = total->value_or(0);
  store.boot_id_ = boot_id;
  store.samples_max_ = samples_max;
  return store;
}

Result<std::int64_t> SampleStore::series_of(const Block& block) {
  auto done = database_.run("INSERT OR IGNORE INTO series (boot, printer, heater) VALUES (?, ?, ?)",
                            boot_id_, block.printer, block.heater);
  if (!done) return fail(std::move(done.error()));
  auto id = database_.integer("SELECT id FROM series WHERE boot = ? AND printer = ? AND heater = ?",
                              boot_id_, block.printer, block.heater);
  if (!id) return fail(std::move(id.error()));
  return id->value_or(0);
}

Result<void> SampleStore::write(std::span<const Block> blocks) {
  auto transaction = storage::Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction.error()));
  std::int64_t total = total_;
  for (const Block& block : blocks) {
    if (block.samples.empty()) continue;
    auto series = series_of(block);
    if (!series) return fail(std::move(series.error()));
    total += static_cast<std::int64_t>(block.samples.size());
    auto done = database_.run(
        "INSERT INTO block (series, mono_ms, wall_ms, count, total, samples) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        *series, block.samples[0].mono_ns / 1'000'000, block.samples[0].wall_ms,
        block.samples.size(), total, pack(block.samples));
    if (!done) return fail(std::move(done.error()));
  }
  // The newest row stays whatever its total, so that the count survives.
  auto done = database_.run(
      "DELETE FROM block WHERE id IN (SELECT id FROM block ORDER BY id LIMIT ?) AND total <= ? "
      "AND id < (SELECT max(id) FROM block)",
      prune_rows, total - samples_max_);
  if (!done) return fail(std::move(done.error()));
  if (database_.changes() > 0) {
    // Rows come in the order of boots: a boot older than the oldest row's has none left.
    done = database_.run(
        "DELETE FROM series WHERE boot <> ?1 AND EXISTS (SELECT 1 FROM (SELECT o.id, o.boot FROM "
        "block JOIN series o ON o.id = block.series ORDER BY block.id LIMIT 1) AS oldest "
        "WHERE series.id < oldest.id AND series.boot <> oldest.boot)",
        boot_id_);
    if (!done) return fail(std::move(done.error()));
  }
  if (auto committed = transaction->commit(); !committed) return fail(std::move(committed.error()));
  total_ = total;
  return {};
}

Result<SampleStore> SampleStore::open_to_read(const std::filesystem::path& path) {
  storage::OpenOptions options;
  options.read_only = true;
  options.create = false;
  auto database = storage::Database::open(path, options);
  if (!database) return fail(std::move(database.error()));
  SampleStore store(std::move(*database));
  auto version = store.database_.integer("PRAGMA user_version");
  if (!version) return fail(std::move(version.error()));
  if (version->value_or(0) != migrations.back().version) {
    return fail(ErrorCode::refused,
                path.string() + ": is no ring of samples, or one of another version");
  }
  return store;
}

Result<std::vector<SampleStore::Series>> SampleStore::series() {
  auto rows = database_.prepare("SELECT boot, printer, heater FROM series ORDER BY id");
  if (!rows) return fail(std::move(rows.error()));
  std::vector<Series> out;
  for (;;) {
    auto row = rows->step();
    if (!row) return fail(std::move(row.error()));
    if (!*row) return out;
    out.push_back(
        {std::string(rows->text(0)), std::string(rows->text(1)), std::string(rows->text(2))});
  }
}

Result<std::vector<Sample>> SampleStore::read(const std::string& printer,
                                              const std::string& heater) {
  return read(Series{boot_id_, printer, heater});
}

Result<std::vector<Sample>> SampleStore::read(const Series& series) {
  auto rows = database_.prepare(
      "SELECT mono_ms, wall_ms, samples FROM block JOIN series ON series.id = block.series "
      "WHERE boot = ? AND printer = ? AND heater = ? ORDER BY block.id");
  if (!rows) return fail(std::move(rows.error()));
  rows->bind(series.boot, series.printer, series.heater);
  std::vector<Sample> out;
  for (;;) {
    auto row = rows->step();
    if (!row) return fail(std::move(row.error()));
    if (!*row) return out;
    unpack(rows->blob(2), rows->integer(0), rows->integer(1), out);
  }
}

}  // namespace firebreak::guard
