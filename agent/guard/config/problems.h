#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/config/config.h"

namespace firebreak::guard {

/// Everything that is wrong with a configuration, so that a person mends it in one go.
class Problems {
 public:
  /// At the value of a JSON pointer of `document`.
  void add(const config::Document& document, std::string_view pointer, std::string_view what) {
    add(document.error_at(pointer, what).message);
  }
  void add(std::string line) {
    if (lines_.size() < config::problems_max) lines_.push_back(std::move(line));
  }
  [[nodiscard]] bool none() const noexcept { return lines_.empty(); }
  [[nodiscard]] Error error() const {
    Error error{ErrorCode::bad_input, {}};
    for (const auto& line : lines_) error.message += (error.message.empty() ? "" : "\n") + line;
    return error;
  }

 private:
  std::vector<std::string> lines_;
};

}  // namespace firebreak::guard
