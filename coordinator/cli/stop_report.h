#pragma once

#include <string>
#include <utility>
#include <vector>

#include "coordinator/cli/console.h"
#include "coordinator/cli/exit_status.h"

namespace firebreak::cli {

/// What is known of one printer's stop, in the words of the guard.
struct StopAnswer {
  std::string printer;
  std::string agent;    ///< Empty when it was asked on its own host.
  std::string outcome;  ///< "proven", "sent", "not_sent", or empty: nothing known yet.
  std::string state;    ///< Empty: not known.
  std::string message;  ///< A sentence of the guard or the coordinator; may be empty.
  bool final = false;   ///< Nothing better is expected.
};

/// Prints each printer of one stop as soon as its outcome is final, exactly once, and counts.
/// Whatever is not proven is shown as "pull the power"; an outcome that is unknown when the wait
/// ends is shown as the worse of what it can be. One thread.
class StopReport {
 public:
  /// `next` is the command that a person should type when not everything is proven.
  StopReport(Console& console, std::string next) : console_(console), next_(std::move(next)) {}

  /// A printer that the stop is for. Asked twice, it is one.
  void expect(const std::string& printer, const std::string& agent);
  /// A name that nobody knows.
  void unknown_name(const std::string& name);
  /// News of a printer; prints it when they are final.
  void update(const StopAnswer& answer);
  /// Whether every printer has its final outcome.
  [[nodiscard]] bool complete() const;
  /// "p1 stopping, p2 armed": whoever is awaited, for the progress line.
  [[nodiscard]] std::string waiting_for() const;
  [[nodiscard]] bool empty() const { return entries_.empty(); }

  /// Ends the wait: prints the others as they stand, then the summary. A printer of which nothing
  /// is known is "not sent", and, where the stop was `accepted`, counts as unanswered.
  ExitStatus finish(bool accepted);

 private:
  struct Entry {
    StopAnswer answer;
    bool printed = false;
  };
  Entry* find(const std::string& printer, const std::string& agent);
  void print(Entry& entry);

  Console& console_;
  const std::string next_;
  std::vector<Entry> entries_;
  StopTally tally_;
  std::vector<std::string> unknown_names_;
};

}  // namespace firebreak::cli
