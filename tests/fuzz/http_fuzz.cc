// links: fb_request_parser fb_json_gate
// seeds: tests/data/http
//
// Feeds bytes to the front door's parser whole and in pieces: both must judge alike, and what
// passes must be in its normal form. A body that passes goes through the JSON gate.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "coordinator/api/json_gate.h"
#include "coordinator/front_door/request_parser.h"

namespace {

using firebreak::coordinator::ParsedRequest;
using firebreak::coordinator::RequestParser;
using State = RequestParser::State;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_request(const ParsedRequest& request) {
  check(!request.path.empty() && request.path.front() == '/');
  check(request.path.find("//") == std::string::npos);
  check(request.path.find("/../") == std::string::npos);
  check(request.body.size() == request.content_length);
  for (const char c : request.path + request.query)
    check(static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f);
  for (const auto& [name, value] : request.headers)
    check(value.find_first_of("\r\n") == std::string::npos);
  if (!request.body.empty()) {
    const auto parsed = firebreak::coordinator::parse_json(request.body);
    if (parsed)
      check(!parsed->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  RequestParser whole, pieces;
  const std::size_t taken = whole.feed(bytes);
  check(taken <= size);
  std::size_t at = 0;
  while (at < size) {
    const std::size_t one = pieces.feed(bytes.substr(at, 1));
    if (one == 0) break;
    at += one;
  }
  check(whole.state() == pieces.state() && taken == at);
  if (whole.state() == State::refused)
    check(whole.refusal().status >= 400 && whole.refusal().status == pieces.refusal().status);
  if (whole.state() == State::complete) check_request(whole.take());
  (void)firebreak::coordinator::parse_json(bytes);
  return 0;
}
