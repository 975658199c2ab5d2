#include "agent/uplink/settings.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/config/config.h"
#include "common/config/resources.h"

namespace firebreak::uplink {

Result<Settings> load_settings(const std::string& path) {
  const auto schema = config::resource("schemas/uplink.schema.json");
  if (!schema) return fail(ErrorCode::internal, "the schema of uplink.yaml is not built in");
  auto document = config::load_yaml(path, *schema);
  if (!document) return fail(document.error());
  const nlohmann::json& value = document->value();
  Settings settings;
  settings.agent = value.at("agent");
  // Relative paths are relative to the file that names them, wherever the process was started.
  const auto folder = std::filesystem::absolute(path).parent_path();
  settings.guard_socket = (folder / value.at("guard_socket").get<std::string>()).string();
  settings.state_dir = (folder / value.at("state_dir").get<std::string>()).string();
  if (value.contains("coordinator")) {
    settings.host = value["coordinator"].at("host");
    settings.port = value["coordinator"].at("port");
  }
  auto printers = read_printers(value, folder);
  if (!printers) return fail(printers.error().within(path));
  settings.printers = std::move(*printers);
  settings.reconnect_max = std::chrono::seconds{value.value("reconnect_max_seconds", 60)};
  return settings;
}

std::vector<std::string> keys_that_need_a_restart(const Settings& running, const Settings& wanted) {
  std::vector<std::string> out;
  const auto compare = [&](const char* key, const auto& before, const auto& after) {
    if (before != after) out.emplace_back(key);
  };
  compare("agent", running.agent, wanted.agent);
  compare("guard_socket", running.guard_socket, wanted.guard_socket);
  compare("state_dir", running.state_dir, wanted.state_dir);
  compare("coordinator.host", running.host, wanted.host);
  compare("coordinator.port", running.port, wanted.port);
  compare("printers", running.printers, wanted.printers);
  compare("reconnect_max_seconds", running.reconnect_max, wanted.reconnect_max);
  return out;
}

}  // namespace firebreak::uplink
