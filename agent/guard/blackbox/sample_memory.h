#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "agent/guard/blackbox/black_box.h"
#include "agent/guard/blackbox/sample_store.h"

namespace firebreak::guard {

/// The last minutes of every heater in memory: the evidence of a trip, and what waits for the next
/// write to the disk. Takes all its memory in the constructor. Not thread-safe.
class SampleMemory {
 public:
  /// Readings kept of each heater: memory_span at 1 Hz.
  static constexpr std::size_t readings = BlackBox::memory_span.count();

  explicit SampleMemory(const std::vector<BlackBoxPrinter>& printers);

  /// Takes one reading; false when no such heater is configured.
  bool add(const Sample& sample) noexcept;

  /// Everything that mark_written() has not confirmed, in blocks for the disk.
  [[nodiscard]] std::vector<SampleStore::Block> unwritten() const;
  /// What unwritten() gave is on the disk. Call before any further add().
  void mark_written() noexcept;
  [[nodiscard]] bool has_unwritten() const noexcept;
  /// Readings that were overwritten before they were written; resets the count.
  [[nodiscard]] std::uint64_t take_lost() noexcept;

  /// What the last five minutes looked like, for each heater of a printer: number, first, last,
  /// least and greatest temperature, last target, mean duty. Small JSON object.
  [[nodiscard]] nlohmann::json evidence(std::size_t printer, std::int64_t now_ns) const;

  /// Readings of one heater not older than `span_ns` before `now_ns`, oldest first.
  [[nodiscard]] std::vector<Sample> recent(std::size_t printer, std::size_t heater,
                                           std::int64_t now_ns, std::int64_t span_ns) const;
  [[nodiscard]] bool knows(std::size_t printer, std::size_t heater) const noexcept;

 private:
  struct Series {
    std::size_t printer;
    std::size_t heater;
    std::uint64_t added = 0;    ///< Readings ever taken; added % readings is the next place.
    std::uint64_t written = 0;  ///< Of these, on the disk or lost.
    std::array<Sample, readings> ring{};
  };
  [[nodiscard]] const Series* find(std::size_t printer, std::size_t heater) const noexcept;

  std::vector<BlackBoxPrinter> printers_;
  std::vector<Series> series_;
  std::uint64_t lost_ = 0;
};

}  // namespace firebreak::guard
