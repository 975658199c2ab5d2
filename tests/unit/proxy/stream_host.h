#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace firebreak::guard {

/// A G-code host on the simulated clock, as OctoPrint and printcore are: numbers and sums its
/// lines, sends the next one at `ok`, goes back at `Resend:`. It keeps count of what a proxy would
/// do to it: an `ok` too many, or one that never comes.
class StreamHost {
 public:
  /// `job` may repeat for ever. `obeys_cancel`: ends the job at `//action:cancel`, as OctoPrint
  /// does; printcore goes on until its file is through.
  /// `window`: lines under way at a time; more than one as hosts that count bytes have it.
  StreamHost(std::vector<std::string> job, bool repeats, bool obeys_cancel, int window = 1);

  /// What it has to say `now`, after it has read `text`.
  std::string talk(const std::string& text, std::chrono::nanoseconds now);

  [[nodiscard]] bool finished() const noexcept { return stage_ == Stage::finished; }
  [[nodiscard]] int lines_done() const noexcept { return lines_done_; }
  [[nodiscard]] int resends() const noexcept { return resends_; }
  /// `ok` that came while nothing was under way.
  [[nodiscard]] int spare_oks() const noexcept { return spare_oks_; }
  /// Times that it waited for more than `patience` for any answer.
  [[nodiscard]] int stalls() const noexcept { return stalls_; }
  [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }
  [[nodiscard]] const std::string& heard() const noexcept { return heard_; }

  static constexpr std::chrono::seconds patience{30};

 private:
  enum class Stage { streaming, finished };

  void hear(const std::string& line);
  std::string next_line(std::chrono::nanoseconds now);
  [[nodiscard]] std::string line(int number) const;

  const std::vector<std::string> job_;
  const bool repeats_, obeys_cancel_;
  const int window_;
  Stage stage_ = Stage::streaming;
  int waiting_ = 0;  ///< Lines that are not acknowledged yet.
  int number_ = 0;   ///< Of the line that is sent next.
  int again_ = -1;   ///< The printer wants this one anew.
  int lines_done_ = 0, resends_ = 0, spare_oks_ = 0, stalls_ = 0;
  bool cancelled_ = false;
  std::chrono::nanoseconds sent_at_{0};
  std::string partial_, heard_;
};

/// `N<number> <command>*<sum>\n`.
std::string numbered(int number, const std::string& command);

}  // namespace firebreak::guard
