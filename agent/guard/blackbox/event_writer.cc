#include "agent/guard/blackbox/event_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/guard/blackbox/event_json.h"
#include "agent/guard/blackbox/put_aside.h"
#include "common/base/escape.h"
#include "common/chain/event_chain.h"
#include "common/log/log.h"

namespace firebreak::guard {
namespace {

using nlohmann::json;

// Events of one transaction: at 500 bytes each, 64 KiB of the heap that SQLite is given.
constexpr std::size_t batch_max = 128;
// Old events dropped in one go.
constexpr std::int64_t prune_max = 512;
// What the coordinator has is written with the next event, or alone after this long: losing it
// costs only that some events are offered again.
constexpr std::chrono::seconds durable_period{60};

}  // namespace

EventWriter::EventWriter(const BlackBoxOptions& options, const Clock& clock,
                         std::function<void()> before_close)
    : options_(options),
      clock_(clock),
      before_close_(std::move(before_close)),
      path_(options.directory / "blackbox.db") {}

void EventWriter::accept(const BlackBoxRecord& record, std::string evidence) {
  // What is in flight may be on the disk already: dropping it here would not undo that, and its
  // number must still match when the file is open again.
  const auto begin =
      waiting_.begin() + static_cast<std::ptrdiff_t>(in_flight_ ? in_flight_->count : 0);
  if (waiting_.size() >= options_.waiting_max && begin != waiting_.end()) {
    const auto least = std::min_element(begin, waiting_.end(), [](const auto& a, const auto& b) {
      return a.record.severity < b.record.severity;
    });
    count_lost_events(1);
    if (least->record.severity > record.severity) return;
    waiting_.erase(least);
  }
  waiting_.push_back({record, std::move(evidence)});
}

void EventWriter::count_lost_events(std::uint64_t count) noexcept { events_lost_ += count; }
void EventWriter::count_lost_samples(std::uint64_t count) noexcept { samples_lost_ += count; }

void EventWriter::suspect(std::string reason) { suspicion_ = std::move(reason); }

void EventWriter::say(EventKind kind, Severity severity, std::string_view text,
                      std::string_view data) {
  BlackBoxRecord record = make_record(clock_, kind, severity);
  record.set_text(text);
  if (!data.empty() && data.size() <= BlackBoxRecord::data_bytes) record.set_data(data);
  accept(record, {});
  log::write(severity == Severity::info ? log::Level::info : log::Level::error, text);
}

void EventWriter::write(const std::string& durable_log, std::int64_t durable_seq) {
  if (suspicion_ && store_) {
    const std::string reason = std::move(*suspicion_);
    suspicion_.reset();
    replace({ErrorCode::corrupt, reason});
  }
  if (!retry_.due(clock_.now())) return;
  if (!store_ && !open()) return;
  if (durable_log == log_) durable_wanted_ = std::min(durable_seq, head_.seq);
  report_losses();
  while (!waiting_.empty()) {
    if (!write_batch()) return;
  }
  keep_house();
}

// Two guards on one folder would put each other's files aside as damaged.
bool EventWriter::own_folder() {
  if (owns_folder()) return true;
  auto taken = FileLock::take(options_.directory / "blackbox.lock");
  if (!taken) {
    failed(taken.error());
    return false;
  }
  lock_.emplace(std::move(*taken));
  return true;
}

bool EventWriter::open() {
  if (!own_folder()) return false;
  auto opened = EventStore::open(path_, options_.vfs);
  if (!opened && opened.error().code != ErrorCode::unavailable) {
    replace(opened.error());
    if (!retry_.due(clock_.now())) return false;
    opened = EventStore::open(path_, options_.vfs);
  }
  if (!opened) {
    failed(opened.error());
    return false;
  }
  store_.emplace(std::move(*opened));
  if (!settle_after_open()) return false;
  recovered();
  return true;
}

// Compares what the file holds with what was acknowledged and with what was in flight.
bool EventWriter::settle_after_open() {
  const EventStore::Head& found = store_->head();
  const bool same_log = log_ == store_->log();
  if (log_.empty() || !same_log) {  // the first open, or a new file after one was put aside
    in_flight_.reset();
    durable_wanted_ = 0;
  } else if (in_flight_ && found.seq == in_flight_->head.seq &&
             found.hash == in_flight_->head.hash) {
    waiting_.erase(waiting_.begin(),
                   waiting_.begin() + static_cast<std::ptrdiff_t>(in_flight_->count));
    in_flight_.reset();
  } else if (found.seq == head_.seq && found.hash == head_.hash) {
    in_flight_.reset();
  } else {
    // The disk lost what it had confirmed. The numbers may be known elsewhere: never use them
    // again.
    replace({ErrorCode::corrupt, "the disk lost events that it had confirmed: it ends at " +
                                     std::to_string(found.seq) + ", acknowledged were " +
                                     std::to_string(head_.seq)});
    return retry_.due(clock_.now()) && open();
  }
  log_ = store_->log();
  head_ = store_->head();
  durable_seq_ = store_->durable_seq();
  durable_wanted_ = std::max(durable_wanted_, durable_seq_);
  return true;
}

void EventWriter::recovered() {
  if (retry_.failing()) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - retry_.since()).count();
    say(EventKind::store, Severity::warning,
        "the black box writes again after " + std::to_string(seconds) + " s: " + detail_);
  }
  retry_.succeeded();
  detail_.clear();
}

void EventWriter::failed(const Error& error) {
  if (!retry_.failing()) {
    log::error("black box: {}; events are kept in memory and this is tried again", error.message);
  }
  detail_ = error.message;
  if (store_ && store_->lost_writes()) {
    before_close_();
    store_->abandon();
    store_.reset();
  }
  retry_.failed(clock_.now());
}

void EventWriter::replace(const Error& reason) {
  const std::int64_t undelivered = head_.seq - std::max(durable_seq_, durable_wanted_);
  before_close_();
  if (store_) store_->abandon();
  store_.reset();
  auto moved = put_aside(path_);
  if (!moved && moved.error().code != ErrorCode::not_found) {
    failed(moved.error());
    return;
  }
  in_flight_.reset();
  const std::string name = moved ? moved->filename().string() : "(gone)";
  const json data = {{"file", name}, {"log", log_}, {"undelivered", undelivered}};
  say(EventKind::store, Severity::alarm,
      "the black box was damaged; it was put aside as " + name +
          " and a new log begins: " + escape_untrusted(reason.message, 100),
      data.dump());
  log_.clear();
  head_ = {};
  durable_seq_ = durable_wanted_ = 0;
}

void EventWriter::report_losses() {
  const std::uint64_t events = events_lost_ - events_reported_;
  const std::uint64_t samples = samples_lost_ - samples_reported_;
  if (events == 0 && samples == 0) return;
  events_reported_ = events_lost_;
  samples_reported_ = samples_lost_;
  BlackBoxRecord record = make_record(clock_, EventKind::loss, Severity::warning);
  record.format_text("{} events and {} samples were lost before they reached the disk", events,
                     samples);
  record.add("events", events).add("samples", samples);
  log::error("black box: {} events and {} samples were lost", events, samples);
  accept(record, {});
}

EventStore::Entry EventWriter::entry_of(const Waiting& item, std::int64_t seq,
                                        const chain::Digest& previous) const {
  json event = to_event(item.record, options_.boot_id, options_.printers);
  if (!item.evidence.empty()) {
    json evidence = json::parse(item.evidence, nullptr, false);
    if (evidence.is_object()) event["data"]["evidence"] = std::move(evidence);
  }
  event["log"] = log_;
  event["seq"] = seq;
  auto body = chain::canonical_bytes(event);
  if (!body) {  // cannot be, since to_event() cleans what it takes; the event must not be lost
    event["data"] = json::object();
    event["text"] = "an event could not be encoded";
    body = chain::canonical_bytes(event);
  }
  EventStore::Entry entry{std::move(*body), {}};
  entry.hash = chain::next_hash(previous, entry.body);
  return entry;
}

bool EventWriter::write_batch() {
  const std::size_t count = std::min(waiting_.size(), batch_max);
  std::vector<EventStore::Entry> entries;
  entries.reserve(count);
  chain::Digest previous = head_.hash;
  for (std::size_t i = 0; i < count; ++i) {
    entries.push_back(
        entry_of(waiting_[i], head_.seq + 1 + static_cast<std::int64_t>(i), previous));
    previous = entries.back().hash;
  }
  in_flight_ = InFlight{count, {head_.seq + static_cast<std::int64_t>(count), previous}};
  auto done = store_->append(entries, durable_wanted_);
  if (!done) {
    if (!store_->lost_writes()) in_flight_.reset();  // rolled back for certain
    if (done.error().code == ErrorCode::unavailable) {
      failed(done.error());
    } else {
      replace(done.error());
    }
    return false;
  }
  in_flight_.reset();
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  head_ = store_->head();
  durable_seq_ = store_->durable_seq();
  durable_written_ = clock_.now();
  if (retry_.failing()) recovered();
  return true;
}

void EventWriter::keep_house() {
  const auto check = [&](const auto& result) {
    if (result) return true;
    if (result.error().code == ErrorCode::unavailable) {
      failed(result.error());
    } else {
      replace(result.error());
    }
    return false;
  };
  if (durable_wanted_ > durable_seq_ && clock_.now() - durable_written_ >= durable_period) {
    if (!check(store_->set_durable(durable_wanted_))) return;
    durable_seq_ = store_->durable_seq();
    durable_written_ = clock_.now();
  }
  const std::int64_t kept = head_.seq - store_->first_seq() + 1;
  if (kept > options_.events_max) {
    const std::int64_t first = store_->first_seq();
    auto went = store_->prune(head_.seq - options_.events_max, prune_max);
    if (!check(went)) return;
    const std::int64_t last = first + *went - 1;
    count_lost_events(static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, last - std::max(first - 1, durable_wanted_))));
  } else if (kept > options_.events_keep + prune_max) {
    (void)check(
        store_->prune(std::min(durable_wanted_, head_.seq - options_.events_keep), prune_max));
  }
}

}  // namespace firebreak::guard
