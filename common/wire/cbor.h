#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "common/base/result.h"

namespace firebreak::wire {

/// Bounds of one message, checked while its bytes are read and before a tree is built of them:
/// nlohmann's copy and dump recurse, so a tree that is too deep is a crash that waits.
struct CborLimits {
  std::size_t depth = 32;       ///< The deepest real message (telemetry) needs 8.
  std::size_t nodes = 100'000;  ///< Values and keys; a telemetry of 64 printers has 20,000.
};

/// Reads exactly one CBOR map. Refused as bad_input: bytes left over, no map, too deep, too many
/// nodes, a key twice or not text, text that is not UTF-8, NaN and infinities, tags,
/// indefinite lengths, and byte strings anywhere but in the map itself (so that what is passed on
/// as JSON, events and readings, has none).
Result<nlohmann::json> parse_cbor(std::string_view bytes, CborLimits limits = {});

/// The same gate for one JSON text (the guard's lines): depth, nodes, doubled keys, UTF-8.
Result<nlohmann::json> parse_json(std::string_view text, CborLimits limits = {});

}  // namespace firebreak::wire
