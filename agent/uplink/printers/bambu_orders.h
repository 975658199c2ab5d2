#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/uplink/printers/bambu_report.h"
#include "agent/uplink/printers/printer_client.h"

namespace firebreak::uplink {

enum class BambuOrder { stop, heaters_off, pause, cancel };

/// The request messages of one order, in the order to send them. `sequence` numbers the first.
///
/// stop: `print.stop` ends the job, G-code sets each heater's target to 0. No M112: no public
/// document says that this firmware knows it.
std::vector<std::string> messages_of(BambuOrder order, const BambuState& state,
                                     std::uint64_t sequence);
std::string full_report_question(std::uint64_t sequence);
std::string version_question(std::uint64_t sequence);

/// Which orders are open, and what the reports that came after them say. An order is confirmed only
/// by a report of the printer's state that came after it; the printer's word "success" is not
/// enough. One thread; pure but for the callbacks, which the caller runs.
class BambuOrders {
 public:
  /// A printer that obeys has shown it by then; many ends of a print are told within a second.
  static constexpr std::chrono::seconds longest{3};
  /// The guard repeats a stop each 250 ms: no more than these are open at once.
  static constexpr std::size_t open_max = 64;

  struct Finished {
    PrinterClient::Done done;
    Result<bool> result;
  };

  /// An order that was sent now. False: too many are open, `done` was not taken.
  bool open(BambuOrder order, const BambuState& state, MonotonicTime now,
            PrinterClient::Done& done);
  /// A report of the state has been merged: which orders it confirms.
  std::vector<Finished> on_status(const BambuState& state);
  /// The printer's word on an order. A refusal ends all open ones: it says the same of each.
  std::vector<Finished> on_answer(const BambuReport& answer);
  std::vector<Finished> expire(const BambuState& state, MonotonicTime now);
  /// The connection is gone: nobody can confirm any more.
  std::vector<Finished> abandon(const Error& error);

  /// The printer refuses to be controlled: it said so, or reported on and did nothing. Until an
  /// order is confirmed.
  [[nodiscard]] bool control_refused() const noexcept { return control_refused_; }

 private:
  struct Open {
    BambuOrder order;
    MonotonicTime until;
    PrinterClient::Done done;
    BambuState before;
    bool reported = false;  ///< A report came after it.
    bool taken = false;     ///< The printer said "success".
  };
  std::vector<Finished> take_if(const std::function<bool(const Open&)>& ends,
                                const Result<bool>& result);

  std::vector<Open> open_;
  bool control_refused_ = false;
};

}  // namespace firebreak::uplink
