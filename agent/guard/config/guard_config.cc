#include "agent/guard/config/guard_config.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "agent/guard/config/board_reader.h"
#include "agent/guard/config/config_files.h"
#include "agent/guard/config/problems.h"
#include "agent/guard/config/profile_reader.h"

namespace firebreak::guard {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// 64 hex digits and a line end, from a file of at most 256 bytes. A file that is not there yet is
/// a warning: protection must not wait for an enrolment.
void read_grant_key(const config::Document& document, const fs::path& file, GuardConfig& config,
                    Problems& problems) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    config.warnings.push_back("grant_key " + file.string() +
                              " cannot be read: no grant is accepted until the guard is started "
                              "with it (`firebreak local enroll` writes it)");
    return;
  }
  std::string text(256, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  const bool hex = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
  if (text.size() != 64 || !hex) {
    problems.add(document, "/grant_key",
                 file.string() + " does not hold 64 hex digits; enrol again, or remove the key");
    return;
  }
  config.grant_key_hex = text;
}

PrinterConfig read_printer(const json& value) {
  PrinterConfig printer;
  printer.name = value.at("name").get<std::string>();
  if (value.contains("klipper")) {
    printer.link = LinkKind::klipper;
    printer.port = value.at("klipper").get<std::string>();
  } else if (value.contains("network")) {
    printer.link = LinkKind::network;
    printer.network = value.at("network").get<std::string>();
  } else {
    printer.port = value.at("port").get<std::string>();
  }
  printer.baud = value.value("baud", 115200);
  printer.relay = value.value("relay", std::string());
  printer.pty = value.value("pty", printer.name);
  if (value.contains("identity")) {
    printer.expected_uuid = value.at("identity").value("uuid", std::string());
    printer.expected_machine = value.at("identity").value("machine", std::string());
  }
  return printer;
}

/// Profiles are read once each, however many printers have them.
class ProfileShelf {
 public:
  explicit ProfileShelf(fs::path folder) : folder_(std::move(folder)) {}

  PrinterProfile get(const config::Document& guard, const std::string& at, const std::string& name,
                     Problems& problems) {
    const auto known = profiles_.find(name);
    if (known != profiles_.end()) return known->second;
    PrinterProfile profile;
    if (const auto file = find_shipped(folder_, "printers", name); !file) {
      problems.add(guard, at, file.error().message);
    } else if (const auto document = load_shipped(*file, "printer.schema.json"); !document) {
      problems.add(document.error().message);
    } else {
      profile = read_profile(*document, problems);
    }
    return profiles_.emplace(name, profile).first->second;
  }

 private:
  fs::path folder_;
  std::map<std::string, PrinterProfile> profiles_;
};

/// The device behind a port's name, where it is plugged in: two names may be one port.
fs::path device_of(const fs::path& port) {
  std::error_code error;
  const auto real = fs::canonical(port, error);
  return error ? port.lexically_normal() : real;
}

/// What a person must know of a printer that only the network reaches.
void check_network(const PrinterConfig& printer, GuardConfig& config) {
  if (printer.link != LinkKind::network || !printer.relay.empty()) return;
  config.warnings.push_back("printer " + printer.name +
                            " is monitored only: it is reached over the network (" +
                            printer.network + ") and no relay can stop it");
}

void read_printers(const config::Document& document, const fs::path& folder, GuardConfig& config,
                   Problems& problems) {
  ProfileShelf shelf(folder);
  std::map<std::string, std::size_t> names, ports, ptys;
  const auto& printers = document.value().at("printers");
  for (std::size_t i = 0; i < printers.size(); ++i) {
    const auto at = "/printers/" + std::to_string(i);
    auto printer = read_printer(printers[i]);
    printer.profile = shelf.get(document, at + "/profile",
                                printers[i].at("profile").get<std::string>(), problems);
    const auto once = [&](std::map<std::string, std::size_t>& seen, const std::string& key,
                          const char* field, const std::string& what) {
      const auto [place, first] = seen.emplace(key, i);
      if (first) return;
      problems.add(document, at + "/" + field,
                   what + " of printer " + config.printers[place->second].name + " already");
    };
    once(names, printer.name, "name", "is the name");
    if (printer.link != LinkKind::network) {
      const bool klipper = printer.link == LinkKind::klipper;
      once(ports, device_of(printer.port).string(), klipper ? "klipper" : "port", "is the port");
    }
    once(ptys, printer.pty.string(), "pty", "is the pty");
    check_network(printer, config);
    if (printer.expected_uuid.empty() && printer.expected_machine.empty()) {
      config.warnings.push_back("printer " + printer.name +
                                " has no identity: any printer on its port is taken for it");
    }
    config.printers.push_back(std::move(printer));
  }
}

void read_users(const json& value, GuardConfig& config) {
  if (!value.contains("users")) return;
  const auto& users = value.at("users");
  config.operator_group = users.value("operator_group", std::string());
  config.reset_group = users.value("reset_group", std::string());
  config.uplink_user = users.value("uplink_user", std::string());
}

}  // namespace

Result<GuardConfig> load_guard_config(const fs::path& file) {
  const auto schema = embedded_schema("guard.schema.json");
  if (!schema) return fail(schema.error());
  const auto document = config::load_yaml(file, *schema);
  if (!document) return fail(document.error());

  Problems problems;
  GuardConfig config;
  const auto& value = document->value();
  std::error_code ignored;
  const auto folder = fs::absolute(file, ignored).parent_path();
  const auto path = [&](const char* key) {
    return (folder / value.at(key).get<std::string>()).lexically_normal();
  };
  config.agent = value.at("agent").get<std::string>();
  config.run_dir = path("run_dir");
  config.state_dir = path("state_dir");
  read_users(value, config);
  if (value.contains("grant_key")) read_grant_key(*document, path("grant_key"), config, problems);
  // sun_path holds 107 bytes; the longest socket in it is uplink.sock.
  if ((config.run_dir / "control.sock").string().size() > 107) {
    problems.add(*document, "/run_dir", "too long: a socket's path in it has at most 107 bytes");
  }
  read_printers(*document, folder, config, problems);

  const auto board_name = value.at("board").get<std::string>();
  if (const auto found = find_shipped(folder, "hosts", board_name); !found) {
    problems.add(*document, "/board", found.error().message);
  } else if (const auto board = load_shipped(*found, "board.schema.json"); !board) {
    problems.add(board.error().message);
  } else {
    const auto base = found->embedded.empty() ? found->path.parent_path() : folder;
    config.board = read_board(*board, base, problems);
    check_wiring(*document, *board, config, problems);
  }
  if (!problems.none()) return fail(problems.error());
  return config;
}

}  // namespace firebreak::guard
