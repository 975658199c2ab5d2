#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

/// Reads the fields of one message and remembers the first that is wrong, so that a parser reads
/// as a list of its fields.
namespace firebreak::wire {

class Fields {
 public:
  Fields(const nlohmann::json& object, std::string_view message)
      : object_(object), message_(message) {
    if (!object.is_object()) wrong("(message)", "is not a map");
  }

  std::string text(const char* name, std::size_t bytes_max, std::size_t bytes_min = 0) {
    const auto* value = find(name);
    if (value == nullptr) return {};
    const auto* text = value->get_ptr<const std::string*>();
    if (text == nullptr || text->size() > bytes_max || text->size() < bytes_min) {
      wrong(name, "is not a text of the right length");
      return {};
    }
    return *text;
  }

  /// A text that may be absent.
  std::string text_or_empty(const char* name, std::size_t bytes_max) {
    return object_.is_object() && object_.contains(name) ? text(name, bytes_max) : std::string{};
  }

  std::uint64_t number(const char* name,
                       std::uint64_t max = std::numeric_limits<std::int64_t>::max(),
                       std::uint64_t min = 0) {
    const auto* value = find(name);
    if (value == nullptr) return 0;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() > max ||
        value->get<std::uint64_t>() < min) {
      wrong(name, "is not a number in its range");
      return 0;
    }
    return value->get<std::uint64_t>();
  }

  bool flag(const char* name, std::optional<bool> absent = {}) {
    if (absent && object_.is_object() && !object_.contains(name)) return *absent;
    const auto* value = find(name);
    if (value == nullptr) return false;
    if (!value->is_boolean()) {
      wrong(name, "is not true or false");
      return false;
    }
    return value->get<bool>();
  }

  template <std::size_t size>
  std::array<std::uint8_t, size> bytes(const char* name) {
    std::array<std::uint8_t, size> out{};
    const auto* value = find(name);
    if (value == nullptr) return out;
    if (!value->is_binary() || value->get_binary().size() != size) {
      wrong(name, "is not bytes of the right number");
      return out;
    }
    std::copy_n(value->get_binary().begin(), size, out.begin());
    return out;
  }

  /// An array of at most `size_max`; null on failure.
  const nlohmann::json* array(const char* name, std::size_t size_max) {
    const auto* value = find(name);
    if (value != nullptr && (!value->is_array() || value->size() > size_max)) {
      wrong(name, "is not a list, or too long");
      return nullptr;
    }
    return value;
  }

  const nlohmann::json* object(const char* name) {
    const auto* value = find(name);
    if (value != nullptr && !value->is_object()) {
      wrong(name, "is not a map");
      return nullptr;
    }
    return value;
  }

  void check(const char* name, bool good, const char* what) {
    if (!good) wrong(name, what);
  }

  /// Takes over a failure from a part of the message.
  void take(const Result<void>& part) {
    if (!part && problem_.empty()) problem_ = part.error().message;
  }

  [[nodiscard]] Result<void> done() const {
    if (problem_.empty()) return {};
    return fail(ErrorCode::bad_input, problem_);
  }

 private:
  const nlohmann::json* find(const char* name) {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    if (found != object_.end()) return &*found;
    wrong(name, "is missing");
    return nullptr;
  }

  void wrong(std::string_view name, std::string_view what) {
    if (!problem_.empty()) return;
    problem_ = std::string(message_) + ": '" + std::string(name) + "' " + std::string(what);
  }

  const nlohmann::json& object_;
  const std::string_view message_;
  std::string problem_;
};

}  // namespace firebreak::wire
