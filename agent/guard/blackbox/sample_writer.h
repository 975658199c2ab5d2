#pragma once

#include <optional>
#include <span>
#include <string>

#include "agent/guard/blackbox/event_writer.h"
#include "agent/guard/blackbox/sample_store.h"

namespace firebreak::guard {

/// Brings samples to their file, with the same stubbornness as EventWriter. Thread `store` only.
class SampleWriter {
 public:
  /// What goes wrong becomes an event in `events`.
  SampleWriter(const BlackBoxOptions& options, const Clock& clock, EventWriter& events);

  /// True when all blocks are on the disk. False: not now; call again, it knows when to retry.
  bool write(std::span<const SampleStore::Block> blocks);

  [[nodiscard]] bool ok() const noexcept { return !retry_.failing(); }
  [[nodiscard]] const std::string& detail() const noexcept { return detail_; }

 private:
  bool open();
  void failed(const Error& error);

  const BlackBoxOptions& options_;
  const Clock& clock_;
  EventWriter& events_;
  const std::filesystem::path path_;
  std::optional<SampleStore> store_;
  Retry retry_;
  std::string detail_;
};

}  // namespace firebreak::guard
