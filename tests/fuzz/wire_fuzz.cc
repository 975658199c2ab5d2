// Bytes of the network, from the frame to the message: whatever comes, nothing crashes, nothing
// beyond the limits is held, and what a parser accepts can be written and read again as the same.
// links: fb_wire
// seeds: tests/data/wire

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/wire/cbor.h"
#include "common/wire/enrolment_token.h"
#include "common/wire/frame.h"
#include "common/wire/messages.h"

namespace {

using namespace firebreak;

void demand(bool good) {
  if (!good) std::abort();
}

template <class Parse>
void same_again(const nlohmann::json& message, Parse parse) {
  if (auto first = parse(message)) {
    const auto written = wire::encode_frame(wire::encode(*first));
    demand(written.has_value());
    auto second = parse(*wire::parse_cbor(std::string_view(*written).substr(wire::length_bytes)));
    demand(second.has_value() && wire::encode(*second) == wire::encode(*first));
  }
}

void try_message(std::string_view bytes) {
  auto message = wire::parse_cbor(bytes);
  if (!message) return;
  demand(wire::parse_json(message->dump(-1, ' ', false, nlohmann::json::error_handler_t::strict))
             .has_value() ||
         message->dump().find("\"bytes\"") != std::string::npos);
  auto frame = wire::encode_frame(*message);
  demand(frame.has_value());
  demand(wire::parse_cbor(std::string_view(*frame).substr(wire::length_bytes)) == *message);
  same_again(*message, wire::parse_hello);
  same_again(*message, wire::parse_welcome);
  same_again(*message, wire::parse_telemetry);
  same_again(*message, wire::parse_events);
  same_again(*message, wire::parse_receipt);
  same_again(*message, wire::parse_command);
  same_again(*message, wire::parse_result);
  same_again(*message, wire::parse_enroll);
  same_again(*message, wire::parse_enrolled);
  same_again(*message, wire::parse_renew);
  same_again(*message, wire::parse_renewed);
  same_again(*message, wire::parse_bye);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  wire::FrameReader reader(4096);
  // In two pieces, so that a cut falls everywhere.
  const std::size_t cut = size == 0 ? 0 : data[0] % (size + 1);
  for (const auto piece : {bytes.substr(0, cut), bytes.substr(cut)}) {
    const auto fed = reader.feed(piece, [](std::string_view frame) {
      demand(frame.size() <= 4096);
      try_message(frame);
      return true;
    });
    demand(reader.held() <= 4096 + wire::length_bytes);
    if (!fed) break;
  }
  try_message(bytes);
  (void)wire::parse_json(bytes);
  (void)wire::decode_token(bytes);
  return 0;
}
