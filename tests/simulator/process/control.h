// The control socket's verbs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace firebreak::sim {

class World;

// Carries out one request line and returns the answer line (without its end). Bad requests get
// {"ok":false,"message":…}.
std::string control_answer(World& world, const std::string& request);

}  // namespace firebreak::sim
