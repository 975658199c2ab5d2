#pragma once

#include "agent/guard/blackbox/record.h"
#include "agent/guard/links/link_events.h"

namespace firebreak::guard {

/// Carries a link's notes into the black box. Belongs to one link's thread.
class LinkNotes final : public LinkEvents {
 public:
  LinkNotes(EventQueue& events, const Clock& clock, std::int16_t printer)
      : events_(events), clock_(clock), printer_(printer) {}

  void note(const LinkRecord& record) noexcept override {
    const bool identity =
        record.note == LinkNote::identified || record.note == LinkNote::wrong_printer;
    auto event = make_record(clock_, identity ? EventKind::identity : EventKind::link,
                             severity(record.severity), printer_);
    event.set_text(record.view());
    events_.push(event);
  }

 private:
  static Severity severity(NoteSeverity severity) noexcept {
    switch (severity) {
      case NoteSeverity::info: return Severity::info;
      case NoteSeverity::warning: return Severity::warning;
      case NoteSeverity::alarm: return Severity::alarm;
    }
    return Severity::warning;
  }

  EventQueue& events_;
  const Clock& clock_;
  const std::int16_t printer_;
};

}  // namespace firebreak::guard
