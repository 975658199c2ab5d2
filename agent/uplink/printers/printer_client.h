#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/uplink/printers/printer_facts.h"
#include "common/base/result.h"

namespace firebreak::uplink {

/// What a client tells its owner; called on the io_context's thread, never from inside a call that
/// the owner makes.
struct PrinterHandlers {
  std::function<void(const PrinterFacts&)> facts;  ///< At every change, and with every reading.
  std::function<void(PrinterEvent, const std::string& words)> event;
};

/// The other end of one network printer: one implementation a kind of interface. It connects, asks
/// and reconnects by itself in a bounded rhythm, with at most one question out, beside orders,
/// which go at once and past every question.
///
/// One thread, the io_context's; nothing blocks. Bad answers (wrong key, wrong certificate, another
/// printer, a redirect, too long, cut off, not UTF-8, JSON of another shape) become a Reach with a
/// sentence and never more memory than the kind's bound.
class PrinterClient {
 public:
  /// `confirmed` is true only if the printer itself said afterwards that it has stopped (or that
  /// every target is 0, for heaters_off); what was merely taken is a result of false.
  using Done = std::function<void(Result<bool> confirmed)>;

  virtual ~PrinterClient() = default;
  virtual void start(PrinterHandlers handlers) = 0;
  /// The kind's real stop (docs/printers.md); each call sends again. `done` is called once.
  virtual void stop_printer(Done done) = 0;
  virtual void heaters_off(Done done) = 0;
  /// After a stop: what brings the firmware back (FIRMWARE_RESTART, reconnect); false where a
  /// person must do it.
  virtual void revive(Done done) = 0;
  virtual void pause(Done done) = 0;
  virtual void cancel(Done done) = 0;
  virtual void close() = 0;
};

}  // namespace firebreak::uplink
