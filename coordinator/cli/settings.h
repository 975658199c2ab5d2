#pragma once

#include <filesystem>
#include <string>

#include "coordinator/cli/context.h"

namespace firebreak::cli {

/// Where the coordinator is and with what right it is asked.
struct Settings {
  std::string server;             ///< https://host:port, without a slash at its end.
  std::filesystem::path ca_file;  ///< The pinned root.
  std::string token;
};

/// The folder of config.yaml and the token: --config, FIREBREAK_CONFIG, $XDG_CONFIG_HOME/firebreak
/// or ~/.config/firebreak. Need not exist.
Outcome<std::filesystem::path> config_folder(const Context& context);

/// Command line before environment before config.yaml (schemas/cli.schema.json). A stored token
/// goes to no other server than the one it was stored for.
Outcome<Settings> load_settings(const Context& context);

/// `text` as a server's address: "host:port" and "https://host:port/" are understood; anything but
/// HTTPS, and anything behind the port, is refused.
Outcome<std::string> parse_server(const std::string& text);

/// A token without the white space around it, or why it cannot be one. Never shows it.
Outcome<std::string> parse_token(const std::string& text);

/// A file's text, at most 64 KiB.
Outcome<std::string> read_small_file(const std::filesystem::path& path);

/// Writes `text` with mode 0600 in one rename, in a folder of mode 0700 that is made as needed.
Outcome<void> write_private_file(const std::filesystem::path& path, const std::string& text);

/// Writes config.yaml, ca.pem and token.
Outcome<void> store_settings(const std::filesystem::path& folder, const std::string& server,
                             const std::string& ca_pem, const std::string& token);

}  // namespace firebreak::cli
