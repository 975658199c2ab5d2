#pragma once

#include <functional>
#include <memory>

#include "coordinator/cli/context.h"

namespace CLI {
class App;
}

namespace firebreak::cli {

/// The whole tree of commands with their options, help and (once parsed) the chosen action. Help,
/// completion and did-you-mean all read this one tree.
class Commands {
 public:
  explicit Commands(Context& context);
  ~Commands();

  [[nodiscard]] CLI::App& app();
  /// The chosen command; empty until app().parse() has succeeded on one.
  [[nodiscard]] const std::function<Done()>& action() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firebreak::cli
