#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/guard/blackbox/record.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace firebreak::guard {

/// A printer as the black box knows it: what stands for an index in records and samples.
struct BlackBoxPrinter {
  std::string name;
  std::vector<std::string> heaters;  ///< "hotend", "bed", … by heater index.
};

struct BlackBoxOptions {
  std::filesystem::path directory;  ///< State directory; blackbox.db and samples.db live there.
  std::string boot_id;              ///< 32 hexadecimal digits of this boot.
  std::vector<BlackBoxPrinter> printers;

  /// Samples are written this often, in one transaction: an SD card wears by writes. Longer loses
  /// more of the ordinary record at a power cut; a trip writes everything at once.
  std::chrono::seconds sample_batch{60};
  /// How long samples are kept, counted in samples (so that no clock can empty the ring).
  std::chrono::hours sample_keep{7 * 24};
  /// Events that the coordinator has durably are dropped beyond this many newest ones …
  std::int64_t events_keep = 100'000;
  /// … and events that it does not have beyond this many, which is a loss that is said.
  std::int64_t events_max = 500'000;
  /// Events that wait in memory while the disk refuses them.
  std::size_t waiting_max = 4096;
  /// Hard limit of SQLite's memory in this process (a quarter of it is the soft one); the caches
  /// take 320 KiB. The guard is the only user of SQLite in its process. 0 leaves it as it is.
  std::int64_t sqlite_heap_bytes = 4 * 1024 * 1024;

  std::string vfs;  ///< For tests that cut the power; empty = the system's.
};

/// State of the black box, for status answers.
struct BlackBoxStatus {
  bool ok = false;
  std::string detail;  ///< For people: what is wrong and since what; empty when ok.
  std::string log;     ///< 16 hexadecimal digits; empty until the first open succeeded.
  std::int64_t last_seq = 0;
  std::int64_t durable_seq = 0;
  std::uint64_t events_lost = 0;  ///< Since the process started.
  std::uint64_t samples_lost = 0;
  std::size_t events_waiting = 0;  ///< In memory, not on the disk yet.
};

struct BlackBoxLog {
  std::string log;
  std::int64_t last_seq = 0;
};

/// The guard's recorder. Producers push into their own queue and never wait; the thread `store`
/// calls run_once(); the thread `control` reads. Its failure is a warning, never a block: with the
/// disk full, broken or gone it keeps trying and keeps what fits in memory.
/// Threads: run_once() and flush() on `store`; everything else on any thread.
class BlackBox {
 public:
  /// Never fails and does not touch the disk: the first run_once() opens the files.
  /// `clock` must outlive it.
  BlackBox(BlackBoxOptions options, const Clock& clock);
  ~BlackBox();
  BlackBox(const BlackBox&) = delete;
  BlackBox& operator=(const BlackBox&) = delete;

  /// A new queue for one producing thread; lives as long as the black box. Allocates.
  [[nodiscard]] EventQueue& event_queue(std::size_t capacity = 64);
  [[nodiscard]] SampleQueue& sample_queue(std::size_t capacity = 256);

  /// Empties the queues and writes events in one FULL transaction; samples when a batch is due or
  /// a trip is among the events. Call every `run_period` (and when a producer wishes). Blocks on
  /// the disk.
  void run_once();
  /// How often `store` calls run_once(): a trip is on disk within 1 s also on a slow card.
  static constexpr std::chrono::milliseconds run_period{100};

  /// run_once() and all samples at once: for the orderly end of the process.
  void flush();

  /// Stored events of `log` (empty = the current one) with seq > `after`, oldest first, in the JSON
  /// shape of the protocol, at most `limit` and about `bytes_max` of JSON text (always one, if
  /// there is one). Each event's hash was checked. not_found: no such log. unavailable: the disk.
  /// corrupt: an event does not verify; `store` then puts the file aside.
  [[nodiscard]] Result<nlohmann::json> events_after(std::string_view log, std::int64_t after,
                                                    std::size_t limit,
                                                    std::size_t bytes_max = 48 * 1024);

  /// Waits at most `wait` until an event with seq > `after` is stored; true when there is one.
  [[nodiscard]] bool wait_for_event(std::int64_t after, std::chrono::milliseconds wait);

  /// The logs that events_after() can serve; empty before the first open.
  [[nodiscard]] std::vector<BlackBoxLog> logs() const;

  /// The coordinator has all events up to `seq` of `log` durably: they may be dropped. Never goes
  /// back. not_found: no such log. bad_input: beyond the last event.
  [[nodiscard]] Result<void> mark_durable(std::string_view log, std::int64_t seq);

  [[nodiscard]] BlackBoxStatus status() const;
  /// Highest stored event; one atomic load.
  [[nodiscard]] std::int64_t last_seq() const noexcept;

  /// The samples of one heater, oldest first, as JSON arrays [age_ms, celsius, target, duty] of the
  /// last `span` from memory (at most `memory_span`). not_found: no such heater.
  [[nodiscard]] Result<nlohmann::json> recent_samples(std::size_t printer, std::size_t heater,
                                                      std::chrono::seconds span) const;
  /// How far back the memory goes: five minutes of evidence and a margin.
  static constexpr std::chrono::seconds memory_span{330};

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firebreak::guard
