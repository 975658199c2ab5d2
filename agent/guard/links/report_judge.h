#pragma once

#include <array>

#include "agent/guard/links/heater_map.h"
#include "agent/guard/links/line_splitter.h"
#include "common/base/clock.h"

namespace firebreak::guard {

/// How far a report may be believed.
enum class Belief : std::uint8_t {
  full,      ///< It is the printer's own: its values replace the older ones.
  hot_only,  ///< Perhaps forged: only values that are hotter count.
  held,      ///< The printer's own by its form, but it fell faster than metal cools: the next
             ///< report must confirm it.
};

/// What is known of a report besides its values.
struct ReportContext {
  bool answers_question = false;            ///< An M105 is waiting for just this answer.
  bool unasked_expected = false;            ///< Autoreport is on, or the printer waits for heat.
  std::chrono::milliseconds cadence{1000};  ///< Between unasked reports.
  LineEnding ending = LineEnding::lf;
};

/// Tells the printer's own reports from text that a file makes it print (`M118`): the rules are
/// in README.md of this folder. A forged report can only ever make a heater look hotter, never
/// cooler and never fresh. Link thread only; no allocation.
class ReportJudge {
 public:
  /// A line that is surely the firmware's own ended like this.
  void learn_ending(LineEnding ending) noexcept;
  [[nodiscard]] bool is_own_ending(LineEnding ending) const noexcept;

  /// A host's M118 with a forged report has passed: until this ends nothing proves cooling.
  void quarantine(MonotonicTime now) noexcept;
  [[nodiscard]] bool in_quarantine(MonotonicTime now) const noexcept;

  /// Judges one report and remembers it. `contradicts` becomes true if it cannot be the printer's
  /// own. On `hot_only`, `samples` keeps only what is hotter than known (and NaN else).
  Belief judge(HeaterSamples& samples, const ReportContext& context, MonotonicTime now,
               bool& contradicts) noexcept;

  /// The printer was opened anew or has booted.
  void reset() noexcept;

 private:
  struct Last {
    float celsius = unknown;
    float target = unknown;
    MonotonicTime at{};
  };

  [[nodiscard]] bool in_slot(const ReportContext& context, MonotonicTime now) const noexcept;
  [[nodiscard]] bool confirms(const ReportContext& context, MonotonicTime now) const noexcept;
  [[nodiscard]] bool rises_too_fast(const HeaterSamples& samples, MonotonicTime now) const noexcept;
  [[nodiscard]] bool falls_too_fast(const HeaterSamples& samples, MonotonicTime now) const noexcept;
  [[nodiscard]] bool any_cooler(const HeaterSamples& samples, float by_kelvin) const noexcept;
  void keep_hotter(HeaterSamples& samples, MonotonicTime now) noexcept;
  void remember(const HeaterSamples& samples, MonotonicTime now) noexcept;

  std::array<Last, max_heaters> last_{};
  MonotonicTime unasked_at_{};
  MonotonicTime held_at_{};
  MonotonicTime quarantine_until_{};
  bool any_unasked_ = false;
  bool held_ = false;
  bool ending_known_ = false;
  LineEnding own_ending_ = LineEnding::lf;
};

}  // namespace firebreak::guard
