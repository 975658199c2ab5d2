#include "coordinator/cli/settings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "common/base/system_reason.h"
#include "common/config/config.h"
#include "common/config/resources.h"
#include "coordinator/cli/json_access.h"

namespace firebreak::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* login_first = "firebreak login https://HOST:PORT --ca FILE --token-file FILE";
constexpr std::size_t small_file_bytes_max = 64 * 1024;
constexpr std::size_t token_bytes_max = 512;

std::string reason() { return system_reason(errno); }

Outcome<nlohmann::json> read_config(const fs::path& folder) {
  const fs::path file = folder / "config.yaml";
  std::error_code error;
  if (!fs::exists(file, error)) return nlohmann::json::object();
  const auto schema = config::resource("schemas/cli.schema.json");
  const auto document = config::load_yaml(file, schema.value_or("{}"));
  if (document) return document->value();
  return give_up(ExitStatus::usage, document.error().message,
                 "correct that file, or make it anew: " + std::string(login_first));
}

}  // namespace

Outcome<fs::path> config_folder(const Context& context) {
  if (!context.config.empty()) return fs::path(context.config);
  if (const auto folder = context.env("FIREBREAK_CONFIG")) return fs::path(*folder);
  if (const auto home = context.env("XDG_CONFIG_HOME")) return fs::path(*home) / "firebreak";
  if (const auto home = context.env("HOME")) return fs::path(*home) / ".config" / "firebreak";
  return give_up(ExitStatus::usage, "neither XDG_CONFIG_HOME nor HOME says where settings are",
                 "firebreak --config FOLDER …");
}

Outcome<std::string> parse_server(const std::string& text) {
  static const std::regex pattern(
      R"(^(https://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:[0-9]{1,5})?/?$)");
  std::smatch parts;
  if (text.size() < 512 && std::regex_match(text, parts, pattern)) {
    return "https://" + parts[2].str() + parts[3].str();
  }
  return give_up(ExitStatus::usage, "'" + text + "' is not the address of a coordinator",
                 "write it as https://HOST:PORT, without a path");
}

Outcome<std::string> parse_token(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  const auto end = text.find_last_not_of(" \t\r\n");
  const std::string token =
      begin == std::string::npos ? std::string{} : text.substr(begin, end - begin + 1);
  const bool clean =
      std::all_of(token.begin(), token.end(), [](unsigned char c) { return c > 0x20 && c < 0x7F; });
  if (!token.empty() && token.size() <= token_bytes_max && clean) return token;
  return give_up(ExitStatus::usage,
                 token.empty() ? "there is no token" : "what was given is not a token (fbt_…)",
                 login_first);
}

Outcome<std::string> read_small_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return give_up(ExitStatus::usage, path.string() + ": cannot be read: " + reason(),
                   "check the path and its rights: ls -l " + path.string());
  }
  std::string text(small_file_bytes_max + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() <= small_file_bytes_max) return text;
  return give_up(ExitStatus::usage, path.string() + ": larger than 64 KiB; not what is wanted here",
                 login_first);
}

Outcome<void> write_private_file(const fs::path& path, const std::string& text) {
  const auto failed = [&](const std::string& what) {
    return give_up(ExitStatus::failed, path.string() + ": " + what + ": " + reason(),
                   "check the folder's rights and the disk: df " + path.parent_path().string());
  };
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const fs::path temporary = path.string() + ".new";
  unlink(temporary.c_str());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return failed("cannot be written");
  const bool written =
      write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  close(fd);
  if (!written || rename(temporary.c_str(), path.c_str()) != 0) {
    const auto result = failed("cannot be written");
    unlink(temporary.c_str());
    return result;
  }
  return {};
}

Outcome<void> store_settings(const fs::path& folder, const std::string& server,
                             const std::string& ca_pem, const std::string& token) {
  std::error_code error;
  fs::create_directories(folder, error);
  chmod(folder.c_str(), 0700);
  // The token last: with it in place, everything that it needs is there too.
  const std::string config = "# Written by `firebreak login`.\nserver: " + server +
                             "\nca_file: ca.pem\ntoken_file: token\n";
  if (auto done = write_private_file(folder / "ca.pem", ca_pem); !done) return done;
  if (auto done = write_private_file(folder / "config.yaml", config); !done) return done;
  return write_private_file(folder / "token", token + "\n");
}

Outcome<Settings> load_settings(const Context& context) {
  const auto folder = config_folder(context);
  if (!folder) return give_up(folder.error());
  const auto config = read_config(*folder);
  if (!config) return give_up(config.error());
  const auto stored_server = text_of(*config, "server");
  Settings settings;
  std::string server = context.server;
  if (server.empty()) server = context.env("FIREBREAK_SERVER").value_or(stored_server);
  if (server.empty()) {
    return give_up(ExitStatus::usage, "no coordinator is known here", login_first);
  }
  const auto parsed = parse_server(server);
  if (!parsed) return give_up(parsed.error());
  settings.server = *parsed;
  const bool same = !stored_server.empty() && parse_server(stored_server).value_or("") == *parsed;

  if (const auto file = context.env("FIREBREAK_CA_FILE"))
    settings.ca_file = *file;
  else if (same)
    settings.ca_file = *folder / text_of(*config, "ca_file");
  if (settings.ca_file.empty()) {
    return give_up(ExitStatus::usage, "no CA is pinned for " + settings.server, login_first);
  }
  std::string token = context.env("FIREBREAK_TOKEN").value_or("");
  if (token.empty()) {
    fs::path file = context.env("FIREBREAK_TOKEN_FILE").value_or("");
    if (file.empty() && same) file = *folder / text_of(*config, "token_file");
    if (file.empty()) {
      return give_up(ExitStatus::not_allowed,
                     "the stored token is for " + stored_server + ", not for " + settings.server,
                     login_first);
    }
    const auto text = read_small_file(file);
    if (!text) return give_up(ExitStatus::not_allowed, text.error().message, login_first);
    token = *text;
    struct stat info {};
    if (stat(file.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
      context.console.note(
          "warning: others can read " + file.string() + "; type: chmod 600 " + file.string(),
          Tone::warning);
    }
  }
  const auto clean = parse_token(token);
  if (!clean) return give_up(clean.error());
  settings.token = *clean;
  return settings;
}

}  // namespace firebreak::cli
