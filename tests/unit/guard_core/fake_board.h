#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/guard/hardware/board.h"

namespace firebreak::guard {

/// A board whose lines a test owns; remembers what was driven.
class FakeBoard final : public Board {
 public:
  struct Driven {
    std::string line;
    bool level;
  };
  std::vector<Driven> driven;
  std::vector<std::string> names;
  std::vector<bool> levels;

  explicit FakeBoard(std::map<std::string, bool> inputs) : inputs_(std::move(inputs)) {}

  Result<std::size_t> claim_input(const std::string& line) override {
    if (!inputs_.contains(line)) return fail(ErrorCode::not_found, "no line " + line);
    return add(line, inputs_.at(line));
  }
  Result<std::size_t> claim_output(const std::string& line, bool initial) override {
    driven.push_back({line, initial});
    return add(line, initial);
  }
  [[nodiscard]] bool level(std::size_t line) const noexcept override { return levels[line]; }
  bool set(std::size_t line, bool level) noexcept override {
    driven.push_back({names[line], level});
    levels[line] = level;
    return true;
  }
  [[nodiscard]] int poll_fd() const noexcept override { return -1; }
  std::size_t read_changes(std::span<InputEdge>, bool&) noexcept override { return 0; }
  bool own_reading(std::size_t, float&, std::int64_t&) const noexcept override { return false; }

  [[nodiscard]] std::size_t index(const std::string& line) const {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == line) return i;
    }
    return names.size();
  }
  [[nodiscard]] bool now(const std::string& line) const { return levels.at(index(line)); }

 private:
  std::size_t add(const std::string& line, bool level) {
    names.push_back(line);
    levels.push_back(level);
    return names.size() - 1;
  }
  std::map<std::string, bool> inputs_;
};

}  // namespace firebreak::guard
