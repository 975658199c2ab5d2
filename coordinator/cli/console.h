#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/cli/exit_status.h"

namespace firebreak::cli {

/// How a word is meant; colour only repeats what the word says.
enum class Tone { plain, good, warning, alarm, dim, strong };

struct Cell {
  std::string text;
  Tone tone = Tone::plain;
};

/// Rows for a person (aligned, cut to the terminal's width) or for a program (tab-separated,
/// uncut, without header).
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<Cell>> rows;
  bool cut = true;  ///< For people: one line a row; else a terminal wraps what is too long.
};

/// What the two ends of the program's output are.
struct ConsoleOptions {
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool colour = false;  ///< Wanted at all: not with NO_COLOR, nor on a dumb terminal.
  int columns = 80;
  bool json = false;
};

/// The program's voice: data to `out`, everything else to `err`. All text that comes from printers,
/// agents or files passes `escape_untrusted` in here. One thread.
class Console {
 public:
  Console(std::ostream& out, std::ostream& err, ConsoleOptions options)
      : out_(out), err_(err), options_(options) {}

  [[nodiscard]] bool json() const { return options_.json; }
  void set_json(bool json) { options_.json = json; }
  [[nodiscard]] bool for_people() const { return options_.out_is_terminal && !options_.json; }
  /// Nobody takes our data any more (a closed pipe, a full disk): following on is pointless.
  [[nodiscard]] bool out_is_broken() const { return !out_.good(); }
  /// Width of the terminal, or 80.
  [[nodiscard]] int columns() const { return options_.columns; }
  [[nodiscard]] bool err_is_terminal() const { return options_.err_is_terminal; }

  /// One table, escaped. With nothing in it, a person sees `empty` on stderr.
  void table(const Table& table, std::string_view empty);
  /// One row of a list that grows while it is shown: for people the columns are `widths` wide.
  void row(const std::vector<Cell>& cells, const std::vector<int>& widths);
  /// One JSON document on one line.
  void document(const nlohmann::json& value);
  /// Text of our own, as it is (a completion script, a token).
  void data(std::string_view text);
  /// A remark for people; not in JSON mode.
  void note(std::string_view text, Tone tone = Tone::plain);
  /// A remark that is also data on a terminal's screen but never in a pipe (a heading).
  void heading(std::string_view text, Tone tone = Tone::plain);
  /// The last word of a command that failed: sentence and next command, or one JSON object.
  void failure(const Failure& failure);
  /// A line that is overwritten by the next; only on a terminal. Empty text removes it.
  void progress(std::string_view text);

 private:
  [[nodiscard]] std::string paint(std::string_view text, Tone tone, bool terminal) const;

  std::ostream& out_;
  std::ostream& err_;
  ConsoleOptions options_;
  bool progress_shown_ = false;
};

/// Width of UTF-8 text in a terminal's columns, one for each code point (names and words here are
/// ASCII; escaped text has no marks of zero or double width that matter).
std::size_t shown_width(std::string_view text);

/// At most `columns` wide, the end replaced by "…" where it does not fit.
std::string cut_to(std::string_view text, std::size_t columns);

/// "0.3 s", "12 s", "3 min", "5 h", "2 d"; "never" when there is none.
std::string age_text(std::optional<std::int64_t> age_ms);

}  // namespace firebreak::cli
