#include "coordinator/cli/setup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <libserialport.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "coordinator/cli/settings.h"

namespace firebreak::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t key_digits = 2 * crypto_sign_PUBLICKEYBYTES;

Outcome<std::string> parse_key(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  const auto end = text.find_last_not_of(" \t\r\n");
  const std::string hex =
      begin == std::string::npos ? std::string{} : text.substr(begin, end - begin + 1);
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> key{};
  std::size_t length = 0;
  const bool read = hex.size() == key_digits &&
                    sodium_hex2bin(key.data(), key.size(), hex.data(), hex.size(), nullptr, &length,
                                   nullptr) == 0 &&
                    length == key.size();
  if (read && crypto_core_ed25519_is_valid_point(key.data()) == 1) {
    std::string lower(key_digits + 1, '\0');
    sodium_bin2hex(lower.data(), lower.size(), key.data(), key.size());
    lower.resize(key_digits);
    return lower;
  }
  return give_up(ExitStatus::usage, "that is not an Ed25519 public key (64 hex digits)",
                 "copy reset.pub from the coordinator's state folder, then: "
                 "sudo firebreak local enroll --key-file FILE");
}

Outcome<std::string> key_text(Context& context, const KeyOrder& order) {
  if (!order.key.empty()) return order.key;
  if (!order.key_file.empty() && order.key_file != "-") return read_small_file(order.key_file);
  std::string line;
  std::getline(context.in, line);
  return line;
}

// Readable by the guard, written in one rename.
Outcome<void> write_public_file(const fs::path& path, const std::string& text) {
  if (auto done = write_private_file(path, text); !done) {
    Failure failure = done.error();
    if (errno == EACCES || errno == EPERM) failure.status = ExitStatus::not_allowed;
    failure.next = "sudo firebreak local enroll …";
    return give_up(failure);
  }
  chmod(path.c_str(), 0644);
  return {};
}

// Where each device is linked from in `folder`: /dev/ttyUSB0 -> /dev/serial/by-path/….
std::map<std::string, std::string> links_in(const fs::path& folder) {
  std::map<std::string, std::string> links;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto device = fs::canonical(entry.path(), error);
    if (!error) links.emplace(device.string(), entry.path().string());
  }
  return links;
}

std::string text_or(const char* text, const char* otherwise = "") {
  return text == nullptr ? otherwise : text;
}

struct PortList {
  PortList() { sp_list_ports(&ports); }
  ~PortList() {
    if (ports != nullptr) sp_free_port_list(ports);
  }
  PortList(const PortList&) = delete;
  sp_port** ports = nullptr;
};

json describe(sp_port* port, const std::map<std::string, std::string>& by_path) {
  const std::string name = text_or(sp_get_port_name(port));
  const auto link = by_path.find(name);
  json value = {{"port", name},
                {"by_path", link == by_path.end() ? json() : json(link->second)},
                {"usb", nullptr},
                {"serial", nullptr},
                {"description", text_or(sp_get_port_description(port))}};
  int vendor = 0;
  int product = 0;
  if (sp_get_port_usb_vid_pid(port, &vendor, &product) == SP_OK) {
    value["usb"] = fmt::format("{:04x}:{:04x}", vendor, product);
    const auto serial = text_or(sp_get_port_usb_serial(port));
    if (!serial.empty()) value["serial"] = serial;
  }
  return value;
}

std::string name_of_board(const json& port) {
  if (!port["usb"].is_string()) return {};
  return port["usb"].get<std::string>() + "/" + port["serial"].dump();
}

}  // namespace

Done write_reset_key(Context& context, const KeyOrder& order) {
  const auto text = key_text(context, order);
  if (!text) return give_up(text.error());
  const auto key = parse_key(*text);
  if (!key) return give_up(key.error());
  std::error_code error;
  if (fs::exists(order.out, error)) {
    const auto old = read_small_file(order.out);
    const bool same = old && old->substr(0, key_digits) == *key;
    if (!same && !order.replace) {
      return give_up(ExitStatus::refused,
                     order.out.string() +
                         " holds another key: another coordinator may reset this "
                         "host's printers",
                     "if the coordinator really has a new key: repeat with --replace");
    }
  }
  if (auto done = write_public_file(order.out, *key + "\n"); !done) return give_up(done.error());
  if (context.console.json())
    context.console.document({{"file", order.out.string()}, {"key", *key}});
  context.console.note("written to " + order.out.string() +
                       "; it counts after: firebreak local restart");
  return ExitStatus::done;
}

Done list_ports(Context& context) {
  const PortList list;
  const auto by_path = links_in("/dev/serial/by-path");
  json ports = json::array();
  std::map<std::string, int> boards;
  for (sp_port** port = list.ports; port != nullptr && *port != nullptr; ++port) {
    ports.push_back(describe(*port, by_path));
    ++boards[name_of_board(ports.back())];
  }
  Table table;
  table.header = {"PORT", "FOR GUARD.YAML", "USB", "SERIAL", "DESCRIPTION", "NOTES"};
  for (auto& port : ports) {
    const auto board = name_of_board(port);
    const bool shared = !board.empty() && boards[board] > 1;
    port["shared_id"] = shared;
    const auto text = [&](const char* name) {
      return port[name].is_string() ? port[name].get<std::string>() : std::string("-");
    };
    table.rows.push_back({{text("port"), Tone::strong},
                          {text("by_path")},
                          {text("usb")},
                          {text("serial")},
                          {text("description")},
                          {shared ? "shares its by-id name: use by-path" : "-", Tone::warning}});
  }
  if (context.console.json())
    context.console.document(ports);
  else
    context.console.table(table,
                          "this host has no serial ports; is the printer plugged in and on?");
  return ExitStatus::done;
}

}  // namespace firebreak::cli
