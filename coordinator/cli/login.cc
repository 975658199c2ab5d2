#include <fmt/format.h>
#include <sodium.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "coordinator/cli/api.h"
#include "coordinator/cli/remote.h"

namespace firebreak::cli {
namespace {

constexpr std::size_t certificate_bytes_max = 16 * 1024;

// SHA-256 of the certificate in `pem`, 64 hex digits; empty when it holds none.
std::string fingerprint_of(const std::string& pem) {
  constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----";
  constexpr std::string_view end = "-----END CERTIFICATE-----";
  const auto from = pem.find(begin);
  const auto to = pem.find(end);
  if (from == std::string::npos || to == std::string::npos || to < from) return {};
  const auto text = pem.substr(from + begin.size(), to - from - begin.size());
  std::vector<unsigned char> der(certificate_bytes_max);
  std::size_t length = 0;
  if (sodium_base642bin(der.data(), der.size(), text.data(), text.size(), " \r\n\t", &length,
                        nullptr, sodium_base64_VARIANT_ORIGINAL) != 0 ||
      length == 0) {
    return {};
  }
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), der.data(), length);
  std::string hex;
  for (const auto byte : hash) hex += fmt::format("{:02x}", byte);
  return hex;
}

// "AA:BB:…" and "sha256:aabb…" are both written in the wild.
std::string plain_hex(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (text.starts_with("sha256:")) text.erase(0, 7);
  std::erase_if(text, [](char c) { return c == ':' || c == ' '; });
  return text;
}

std::string in_groups(const std::string& hex) {
  std::string text;
  for (std::size_t i = 0; i < hex.size(); i += 2) text += (i ? ":" : "") + hex.substr(i, 2);
  return text;
}

// The root to pin: from a file, or the one of those that the server shows which has the wanted
// fingerprint. Without either, the fingerprint is printed for comparison and nothing is trusted.
Outcome<std::string> root_to_pin(const LoginOrder& order, const std::string& server) {
  if (!order.ca_file.empty()) {
    auto pem = read_small_file(order.ca_file);
    if (!pem) return give_up(pem.error());
    if (!fingerprint_of(*pem).empty()) return pem;
    return give_up(ExitStatus::usage, order.ca_file + ": no certificate (PEM) is in it",
                   "copy ca.pem from the coordinator's state folder");
  }
  const auto shown = shown_certificates(server);
  if (!shown) {
    return give_up(ExitStatus::failed, server + " does not answer: " + shown.error().message,
                   "check the address and that the coordinator runs");
  }
  if (shown->empty()) {
    return give_up(ExitStatus::failed, server + " shows no certificate",
                   "firebreak login " + server + " --ca FILE");
  }
  const auto wanted = plain_hex(order.fingerprint);
  for (const auto& pem : *shown) {
    if (!wanted.empty() && fingerprint_of(pem) == wanted) return pem;
  }
  const auto found = in_groups(fingerprint_of(shown->back()));
  if (wanted.empty()) {
    return give_up(
        ExitStatus::usage,
        server + " shows a CA with the SHA-256 fingerprint " + found +
            "; compare it with that of ca.pem in the coordinator's state folder (there: openssl "
            "x509 -in ca.pem -noout -fingerprint -sha256)",
        "if they are the same: firebreak login " + server + " --fingerprint " + found);
  }
  return give_up(ExitStatus::not_allowed,
                 "no certificate of " + server + " has that fingerprint; its CA has " + found +
                     ". Somebody may be in between: nothing was sent",
                 "compare with the coordinator's own: openssl x509 -in ca.pem -noout -fingerprint "
                 "-sha256");
}

// One line without echo, so that a token is neither seen nor in a shell's history.
std::string ask_hidden(Context& context, const char* question) {
  termios old{};
  const bool terminal = tcgetattr(STDIN_FILENO, &old) == 0;
  if (terminal) {
    termios hidden = old;
    // No signals either: a Ctrl-C in here would leave the terminal without echo.
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    context.console.note(question);
  }
  std::string line;
  std::getline(context.in, line);
  if (terminal) tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
  return line;
}

Outcome<std::string> token_for(Context& context, const LoginOrder& order) {
  if (order.token_file.empty() || order.token_file == "-") {
    return parse_token(ask_hidden(context, "Token (it is not shown):"));
  }
  auto text = read_small_file(order.token_file);
  if (!text) return give_up(text.error());
  return parse_token(*text);
}

}  // namespace

Done login(Context& context, const LoginOrder& order) {
  const auto server = parse_server(order.server);
  if (!server) return give_up(server.error());
  const auto folder = config_folder(context);
  if (!folder) return give_up(folder.error());
  const auto root = root_to_pin(order, *server);
  if (!root) return give_up(root.error());
  const auto token = token_for(context, order);
  if (!token) return give_up(token.error());

  // Tried before it is kept, with the root in a file of its own: a failed login changes nothing.
  const auto trial = *folder / "ca.pem.login";
  if (auto done = write_private_file(trial, *root); !done) return give_up(done.error());
  Api api(Settings{*server, trial, *token});
  const auto fleet = api.get("/api/v1/fleet");
  std::error_code ignored;
  std::filesystem::remove(trial, ignored);
  // A token that may stop but not view answers 403: it is a good token all the same.
  const bool narrow = !fleet && api.last_status() == 403;
  if (!fleet && !narrow) return give_up(fleet.error());
  if (auto done = store_settings(*folder, *server, *root, *token); !done) {
    return give_up(done.error());
  }
  if (context.console.json()) {
    context.console.document({{"server", *server}, {"config", folder->string()}});
  }
  context.console.note("logged in to " + *server + "; kept in " + folder->string());
  if (narrow) context.console.note("this token may not view the fleet, but it is known there");
  return ExitStatus::done;
}

}  // namespace firebreak::cli
