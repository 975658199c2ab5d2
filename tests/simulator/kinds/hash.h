// The two hashes that old protocols of printers still ask for.
#pragma once

#include <string>

namespace firebreak::sim {

std::string sha1_base64(const std::string& text);  // the key of a websocket's handshake
std::string md5_hex(const std::string& text);      // digest authentication

}  // namespace firebreak::sim
