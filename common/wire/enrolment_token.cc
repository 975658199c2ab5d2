#include "common/wire/enrolment_token.h"

#include <nlohmann/json.hpp>

#include "common/identity/bytes.h"
#include "common/wire/cbor.h"
#include "common/wire/fields.h"
#include "common/wire/messages.h"

namespace firebreak::wire {
namespace {

constexpr std::string_view prefix = "fb1.";
constexpr std::size_t token_bytes_max = 1024;

nlohmann::json binary(std::span<const std::uint8_t> bytes) {
  return nlohmann::json::binary(std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
}

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

}  // namespace

std::string encode_token(const EnrolmentToken& token) {
  const auto cbor = nlohmann::json::to_cbor({{"h", token.host},
                                             {"p", token.port},
                                             {"c", binary(token.authority)},
                                             {"s", binary(token.secret)},
                                             {"a", token.agent}});
  return std::string(prefix) + identity::base64url(cbor);
}

Result<EnrolmentToken> decode_token(std::string_view text) {
  text = trimmed(text);
  const auto wrong = fail(ErrorCode::bad_input,
                          "this is not an enrolment token; make one with 'firebreak enroll'");
  if (!text.starts_with(prefix) || text.size() > token_bytes_max) return wrong;
  const auto cbor = identity::from_base64url(text.substr(prefix.size()));
  if (!cbor) return wrong;
  const auto value = parse_cbor(*cbor);
  if (!value) return wrong;
  Fields fields(*value, "token");
  EnrolmentToken token{fields.text("h", 253, 1),
                       static_cast<std::uint16_t>(fields.number("p", 65535, 1)),
                       fields.bytes<32>("c"), fields.bytes<32>("s"), fields.text("a", 32)};
  if (!fields.done() || !is_name(token.agent)) return wrong;
  return token;
}

}  // namespace firebreak::wire
