#include "agent/guard/blackbox/sample_writer.h"

#include "agent/guard/blackbox/put_aside.h"
#include "common/base/escape.h"
#include "common/log/log.h"

namespace firebreak::guard {
namespace {

std::int64_t samples_kept(const BlackBoxOptions& options) {
  std::size_t heaters = 0;
  for (const BlackBoxPrinter& printer : options.printers) heaters += printer.heaters.size();
  return std::chrono::seconds(options.sample_keep).count() *
         static_cast<std::int64_t>(std::max<std::size_t>(heaters, 1));
}

}  // namespace

SampleWriter::SampleWriter(const BlackBoxOptions& options, const Clock& clock, EventWriter& events)
    : options_(options), clock_(clock), events_(events), path_(options.directory / "samples.db") {}

bool SampleWriter::open() {
  auto opened = SampleStore::open(path_, options_.vfs, options_.boot_id, samples_kept(options_));
  if (!opened) {
    failed(opened.error());
    return false;
  }
  store_.emplace(std::move(*opened));
  return true;
}

bool SampleWriter::write(std::span<const SampleStore::Block> blocks) {
  if (!retry_.due(clock_.now()) || !events_.owns_folder()) return false;
  if (!store_ && !open()) return false;
  // After a lost write the same blocks may turn up twice: a reader sees a reading doubled, with the
  // same time. That is better than a gap in the evidence.
  if (auto done = store_->write(blocks); !done) {
    failed(done.error());
    return false;
  }
  if (retry_.failing()) {
    events_.say(EventKind::store, Severity::warning,
                "samples are written again; before: " + escape_untrusted(detail_, 120));
  }
  retry_.succeeded();
  detail_.clear();
  return true;
}

void SampleWriter::failed(const Error& error) {
  if (!retry_.failing()) log::error("black box, samples: {}; tried again", error.message);
  detail_ = error.message;
  const bool damaged = error.code != ErrorCode::unavailable;
  if (store_ && (damaged || store_->lost_writes())) {
    store_->abandon();
    store_.reset();
  }
  if (damaged) {
    if (auto moved = put_aside(path_); moved) {
      events_.say(EventKind::store, Severity::warning,
                  "the ring of samples was damaged and put aside as " + moved->filename().string() +
                      "; a new one begins");
    }
  }
  retry_.failed(clock_.now());
}

}  // namespace firebreak::guard
