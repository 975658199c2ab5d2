#pragma once

#include <array>
#include <atomic>
#include <filesystem>
#include <memory>

#include "agent/guard/hardware/board.h"

namespace firebreak::guard {

/// The board `sim`: lines that firebreak-sim holds behind a unix socket (SOCK_SEQPACKET, one ASCII
/// message a packet; its README has them). For demos, drills and tests.
class SimBoard final : public Board {
 public:
  static constexpr std::size_t max_lines = 64;

  /// Connects; the error says where firebreak-sim was expected.
  static Result<std::unique_ptr<SimBoard>> connect(const std::filesystem::path& socket);
  ~SimBoard() override;

  Result<std::size_t> claim_input(const std::string& line) override;
  Result<std::size_t> claim_output(const std::string& line, bool initial) override;
  [[nodiscard]] bool level(std::size_t line) const noexcept override;
  bool set(std::size_t line, bool level) noexcept override;
  [[nodiscard]] int poll_fd() const noexcept override { return fd_; }
  std::size_t read_changes(std::span<InputEdge> edges, bool& lost) noexcept override;
  bool own_reading(std::size_t line, float& value, std::int64_t& at_ns) const noexcept override;

 private:
  struct Line {
    std::atomic<bool> level{false};
    std::atomic<float> value{0};  ///< °C, or A.
    std::atomic<std::int64_t> value_at_ns{0};
    int index = -1;                                  ///< The simulator's number of this line.
    std::array<std::array<char, 16>, 2> messages{};  ///< "set <index> 0" and "… 1", ready-made.
    std::size_t message_size = 0;
  };

  explicit SimBoard(int fd) : fd_(fd) {}
  Result<std::size_t> claim(const std::string& line, const std::string& how);
  bool take(const char* packet, InputEdge& edge) noexcept;
  Line* by_index(int index, std::size_t& position) noexcept;

  int fd_;
  std::size_t count_ = 0;
  std::array<Line, max_lines> lines_;
};

}  // namespace firebreak::guard
