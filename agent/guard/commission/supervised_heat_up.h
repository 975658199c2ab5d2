#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "agent/guard/commission/heat_up_plan.h"
#include "agent/guard/core/guard_core.h"
#include "agent/guard/thermal/model_fit.h"

namespace firebreak::guard::commission {

/// A person confirms at least this often (docs/safety.md, Commissioning).
inline constexpr std::chrono::seconds confirm_every{60};
/// The command line that began it asks at least this often, or was closed.
inline constexpr std::chrono::seconds asks_every{4};

/// One supervised heat-up of one printer. Sends the orders of the plan one by one, gathers every
/// report, and renews the monitor's deadline for as long as the person, the command line and this
/// thread all live. Told the time; decides nothing about stops. One thread.
class SupervisedHeatUp {
 public:
  enum class State : std::uint8_t {
    running,
    ending,    ///< It went wrong: the monitor stops the printer, this waits for the latch.
    finished,  ///< Went through; the samples are complete.
    failed     ///< reason() says why; the printer was stopped, or was already.
  };

  /// Begins at once: whoever asks for it has confirmed. `printer` must outlive it and be armed,
  /// cold and without targets, which the caller has checked.
  SupervisedHeatUp(PrinterRuntime& printer, std::int64_t now_ns);
  ~SupervisedHeatUp();
  SupervisedHeatUp(const SupervisedHeatUp&) = delete;
  SupervisedHeatUp& operator=(const SupervisedHeatUp&) = delete;

  /// A person has looked at the machine and confirms.
  void confirm(std::int64_t now_ns) noexcept;
  /// The command line is still open.
  void is_watched(std::int64_t now_ns) noexcept { watched_ns_ = now_ns; }
  /// The person ends it: heat ends by a stop.
  void cancel(const std::string& who);

  /// One look, at 10 Hz.
  void step(std::int64_t now_ns);

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  [[nodiscard]] const Stage& stage() const noexcept { return plan_[stage_]; }
  [[nodiscard]] std::size_t stage_number() const noexcept { return stage_; }
  [[nodiscard]] std::size_t stages() const noexcept { return plan_.size(); }
  /// What is left of a stage that lasts a fixed time, else of its limit.
  [[nodiscard]] std::int64_t stage_left_ns(std::int64_t now_ns) const noexcept;
  [[nodiscard]] std::int64_t confirm_left_ns(std::int64_t now_ns) const noexcept;

  /// What each heater did, in the profile's order.
  [[nodiscard]] const std::vector<std::vector<thermal::HeatUpSample>>& samples() const noexcept {
    return samples_;
  }

 private:
  void enter(std::size_t stage, std::int64_t now_ns);
  void gather();
  void send_orders(std::int64_t now_ns);
  [[nodiscard]] std::string person_is_gone(std::int64_t now_ns) const;
  [[nodiscard]] bool machine_is_ready(std::int64_t now_ns);
  [[nodiscard]] bool targets_are_ours(std::int64_t now_ns);
  [[nodiscard]] bool reached() const noexcept;
  void renew(std::int64_t now_ns) noexcept;
  void go_wrong(const std::string& why);
  void let_go() noexcept;

  PrinterRuntime& printer_;
  const std::vector<Stage> plan_;
  std::size_t stage_ = 0;
  State state_ = State::running;
  std::string reason_;
  PrinterReadings readings_;
  std::deque<std::string> orders_;
  std::uint32_t order_serial_ = 0;
  bool order_waits_ = false;
  std::int64_t started_ns_;
  std::int64_t stage_since_ns_ = 0;  ///< Its orders are acknowledged since; 0 = not yet.
  std::int64_t ordered_ns_ = 0;
  std::int64_t confirmed_ns_;
  std::int64_t watched_ns_;
  std::int64_t unlike_since_ns_ = 0;
  std::int64_t ending_since_ns_ = 0;
  std::array<std::uint32_t, max_heaters> taken_{};
  std::vector<std::vector<thermal::HeatUpSample>> samples_;
};

}  // namespace firebreak::guard::commission
