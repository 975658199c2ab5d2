#include "agent/guard/blackbox/black_box.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>

#include "agent/guard/blackbox/event_writer.h"
#include "agent/guard/blackbox/sample_memory.h"
#include "agent/guard/blackbox/sample_writer.h"
#include "common/base/hex.h"
#include "common/log/log.h"

namespace firebreak::guard {

using nlohmann::json;

namespace {

// A storm of trips must not write the samples at each: what the second one saw a moment later
// waits this long at most.
constexpr std::chrono::milliseconds flush_period_min{500};

}  // namespace

struct BlackBox::Impl {
  Impl(BlackBoxOptions given, const Clock& the_clock)
      : options(std::move(given)),
        clock(the_clock),
        events(options, clock, [this] { close_reader(); }),
        samples(options, clock, events),
        memory(options.printers) {
    if (options.sqlite_heap_bytes > 0) {
      storage::limit_heap(options.sqlite_heap_bytes / 4, options.sqlite_heap_bytes);
    }
  }

  void drain();
  void take(const BlackBoxRecord& record);
  void run();
  void write_samples();
  void publish();
  void close_reader() {
    const std::lock_guard lock(reader_mutex);
    if (reader) reader->abandon();
    reader.reset();
    readable = false;
  }

  const BlackBoxOptions options;
  const Clock& clock;

  // Grown by whoever starts a producer, emptied by `store`; the rings themselves need no lock.
  std::mutex queues_mutex;
  std::vector<std::unique_ptr<EventQueue>> event_queues;    // guarded by queues_mutex
  std::vector<std::unique_ptr<SampleQueue>> sample_queues;  // guarded by queues_mutex

  // Thread `store` only.
  EventWriter events;
  SampleWriter samples;
  MonotonicTime samples_due{};
  MonotonicTime samples_written{};
  bool started = false;

  // Shared with thread `control`. Lock order: queues_mutex, reader_mutex,
  // state_mutex.
  std::mutex reader_mutex;
  std::optional<EventReader> reader;  // guarded by reader_mutex
  // False from when the writer lets go of the file until it has it again; guarded by reader_mutex.
  bool readable = false;
  mutable std::mutex memory_mutex;
  SampleMemory memory;  // guarded by memory_mutex
  mutable std::mutex state_mutex;
  std::condition_variable stored;
  BlackBoxStatus status;                    // guarded by state_mutex
  std::string durable_log;                  // guarded by state_mutex
  std::int64_t durable_seq = 0;             // guarded by state_mutex
  std::optional<std::string> found_damage;  // guarded by state_mutex
  std::atomic<std::int64_t> last_seq{0};
};

void BlackBox::Impl::take(const BlackBoxRecord& record) {
  std::string evidence;
  if (record.kind == EventKind::trip) {
    samples_due = std::min(samples_due, samples_written + flush_period_min);
    if (record.printer >= 0) {
      const std::lock_guard lock(memory_mutex);
      evidence = memory.evidence(static_cast<std::size_t>(record.printer), record.mono_ns).dump();
    }
  }
  events.accept(record, std::move(evidence));
}

// Samples first, so that a trip's evidence holds the reading that caused it.
void BlackBox::Impl::drain() {
  const std::lock_guard queues_lock(queues_mutex);
  {
    const std::lock_guard lock(memory_mutex);
    Sample sample;
    for (auto& queue : sample_queues) {
      while (queue->pop(sample)) (void)memory.add(sample);
      events.count_lost_samples(queue->take_dropped());
    }
    events.count_lost_samples(memory.take_lost());
  }
  std::vector<BlackBoxRecord> records;
  BlackBoxRecord record;
  for (auto& queue : event_queues) {
    // At most one ring's worth, so that a busy producer cannot keep this thread here.
    for (std::size_t i = 0; i < queue->capacity() && queue->pop(record); ++i) {
      records.push_back(record);
    }
    events.count_lost_events(queue->take_dropped());
  }
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& a, const auto& b) { return a.mono_ns < b.mono_ns; });
  for (const BlackBoxRecord& each : records) take(each);
}

void BlackBox::Impl::write_samples() {
  std::vector<SampleStore::Block> blocks;
  {
    const std::lock_guard lock(memory_mutex);
    blocks = memory.unwritten();
  }
  const MonotonicTime now = clock.now();
  if (!blocks.empty()) {
    if (!samples.write(blocks)) return;  // tried again when its retry is due
    const std::lock_guard lock(memory_mutex);
    memory.mark_written();
  }
  samples_written = now;
  samples_due = now + options.sample_batch;
}

void BlackBox::Impl::run() {
  if (!started) {
    started = true;
    samples_due = clock.now() + options.sample_batch;
    samples_written = clock.now() - flush_period_min;
  }
  drain();
  std::string log;
  std::int64_t durable = 0;
  {
    const std::lock_guard lock(state_mutex);
    log = durable_log;
    durable = durable_seq;
    if (found_damage) events.suspect(std::move(*found_damage));
    found_damage.reset();
  }
  events.write(log, durable);
  if (clock.now() >= samples_due) write_samples();
  publish();
}

void BlackBox::Impl::publish() {
  {
    const std::lock_guard reader_lock(reader_mutex);
    readable = events.is_open();
  }
  const std::lock_guard lock(state_mutex);
  status.ok = events.ok() && samples.ok();
  status.detail = !events.detail().empty() ? events.detail() : samples.detail();
  status.log = events.log();
  status.last_seq = events.head().seq;
  status.durable_seq = std::max(events.durable_seq(), durable_log == status.log ? durable_seq : 0);
  status.events_lost = events.events_lost();
  status.samples_lost = events.samples_lost();
  status.events_waiting = events.waiting();
  last_seq.store(status.last_seq, std::memory_order_release);
  stored.notify_all();
}

BlackBox::BlackBox(BlackBoxOptions options, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}
BlackBox::~BlackBox() { impl_->close_reader(); }

EventQueue& BlackBox::event_queue(std::size_t capacity) {
  const std::lock_guard lock(impl_->queues_mutex);
  return *impl_->event_queues.emplace_back(std::make_unique<EventQueue>(capacity));
}

SampleQueue& BlackBox::sample_queue(std::size_t capacity) {
  const std::lock_guard lock(impl_->queues_mutex);
  return *impl_->sample_queues.emplace_back(std::make_unique<SampleQueue>(capacity));
}

void BlackBox::run_once() try {
  impl_->run();
} catch (const std::exception& error) {  // out of memory: the next call tries again
  log::error("black box: {}", error.what());
}

void BlackBox::flush() {
  run_once();
  try {
    impl_->write_samples();
    impl_->publish();
  } catch (const std::exception& error) {
    log::error("black box: {}", error.what());
  }
}

Result<json> BlackBox::events_after(std::string_view log, std::int64_t after, std::size_t limit,
                                    std::size_t bytes_max) try {
  const std::lock_guard lock(impl_->reader_mutex);
  std::int64_t last = 0;
  {
    const std::lock_guard state(impl_->state_mutex);
    if (impl_->status.log.empty()) {
      return fail(ErrorCode::unavailable, "the black box is not open: " + impl_->status.detail);
    }
    if (!log.empty() && log != impl_->status.log) {
      return fail(ErrorCode::not_found, "the black box has no log of that name");
    }
    last = impl_->status.last_seq;
  }
  if (!impl_->readable) {
    return fail(ErrorCode::unavailable, "the black box is being opened again; try again later");
  }
  if (!impl_->reader) {
    auto opened = EventReader::open(impl_->options.directory / "blackbox.db", impl_->options.vfs);
    if (!opened) return fail(std::move(opened.error()));
    impl_->reader.emplace(std::move(*opened));
  }
  auto rows = impl_->reader->after(std::max<std::int64_t>(after, 0), limit, bytes_max);
  if (!rows) {
    impl_->reader.reset();
    if (rows.error().code == ErrorCode::corrupt) {
      const std::lock_guard state(impl_->state_mutex);
      impl_->found_damage = rows.error().message;
    }
    return fail(std::move(rows.error()));
  }
  json events = json::array();
  for (const EventReader::Row& row : *rows) {
    if (row.seq > last) break;  // committed, but not acknowledged yet
    json event = json::from_cbor(row.body, true, false);
    if (!event.is_object()) return fail(ErrorCode::corrupt, "an event is not readable");
    event["hash"] = to_hex(row.hash);
    events.push_back(std::move(event));
  }
  return events;
} catch (const std::exception& error) {
  return fail(ErrorCode::unavailable, std::string("events cannot be read: ") + error.what());
}

bool BlackBox::wait_for_event(std::int64_t after, std::chrono::milliseconds wait) {
  std::unique_lock lock(impl_->state_mutex);
  return impl_->stored.wait_for(lock, wait, [&] { return impl_->status.last_seq > after; });
}

std::vector<BlackBoxLog> BlackBox::logs() const {
  const std::lock_guard lock(impl_->state_mutex);
  if (impl_->status.log.empty()) return {};
  return {{impl_->status.log, impl_->status.last_seq}};
}

Result<void> BlackBox::mark_durable(std::string_view log, std::int64_t seq) {
  const std::lock_guard lock(impl_->state_mutex);
  if (log.empty() || log != impl_->status.log) {
    return fail(ErrorCode::not_found, "the black box has no log of that name");
  }
  if (seq < 0 || seq > impl_->status.last_seq) {
    return fail(ErrorCode::bad_input, "the log ends at event " +
                                          std::to_string(impl_->status.last_seq) +
                                          "; nothing beyond it can be durable");
  }
  if (impl_->durable_log != log) {
    impl_->durable_log = log;
    impl_->durable_seq = 0;
  }
  impl_->durable_seq = std::max(impl_->durable_seq, seq);
  impl_->status.durable_seq = std::max(impl_->status.durable_seq, seq);
  return {};
}

BlackBoxStatus BlackBox::status() const {
  const std::lock_guard lock(impl_->state_mutex);
  return impl_->status;
}

std::int64_t BlackBox::last_seq() const noexcept {
  return impl_->last_seq.load(std::memory_order_acquire);
}

Result<json> BlackBox::recent_samples(std::size_t printer, std::size_t heater,
                                      std::chrono::seconds span) const {
  const std::lock_guard lock(impl_->memory_mutex);
  if (!impl_->memory.knows(printer, heater)) {
    return fail(ErrorCode::not_found, "there is no such heater");
  }
  const std::int64_t now = impl_->clock.now().time_since_epoch().count();
  const auto known = [](float value) -> json {
    return std::isfinite(value) ? json(std::round(value * 100.0) / 100.0) : json(nullptr);
  };
  json out = json::array();
  for (const Sample& sample : impl_->memory.recent(
           printer, heater, now, std::chrono::nanoseconds(std::min(span, memory_span)).count())) {
    out.push_back({(now - sample.mono_ns) / 1'000'000, known(sample.celsius),
                   known(sample.target_celsius), known(sample.duty)});
  }
  return out;
}

}  // namespace firebreak::guard
