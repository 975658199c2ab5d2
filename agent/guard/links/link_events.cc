#include "agent/guard/links/link_events.h"

#include <algorithm>
#include <span>

#include "common/base/escape.h"

namespace firebreak::guard {
namespace {

/// The same note at most this often.
constexpr std::chrono::seconds note_gap{5};
constexpr std::chrono::seconds alarm_gap{1};

}  // namespace

void LinkNotebook::note(LinkNote kind, NoteSeverity severity, std::string_view text,
                        std::string_view quoted, MonotonicTime now) noexcept {
  auto& last = noted_at_[static_cast<std::size_t>(kind)];
  const auto gap = severity == NoteSeverity::alarm ? alarm_gap : note_gap;
  if (last != MonotonicTime{} && now - last < gap) return;
  last = now;
  LinkRecord record;
  record.note = kind;
  record.severity = severity;
  record.at_ns = now.time_since_epoch().count();
  const auto head = std::min(text.size(), record.text.size());
  std::copy_n(text.begin(), head, record.text.begin());
  const auto tail = escape_untrusted_into(quoted, std::span(record.text).subspan(head));
  record.text_size = static_cast<std::uint8_t>(head + tail);
  events_.note(record);
}

}  // namespace firebreak::guard
