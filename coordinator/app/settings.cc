#include "coordinator/app/settings.h"

#include <unistd.h>

#include <asio/ip/address.hpp>
#include <nlohmann/json.hpp>

#include "common/config/config.h"
#include "common/config/resources.h"

namespace firebreak::coordinator {

using nlohmann::json;

namespace {

template <class T>
void read(const json& object, const char* key, T& into) {
  if (object.contains(key)) into = object[key].get<T>();
}

Result<void> check_address(const config::Document& file, const char* pointer,
                           const std::string& text) {
  std::error_code error;
  asio::ip::make_address(text, error);
  if (!error) return {};
  return fail(file.error_at(pointer, "`" + text +
                                         "` is no IP address; write 127.0.0.1, ::1, "
                                         "0.0.0.0 or an address of this machine"));
}

void read_http(const json& http, Settings& out) {
  read(http, "listen", out.http_listen);
  read(http, "port", out.http_port);
  read(http, "names", out.http_names);
  read(http, "connections_max", out.http_connections_max);
  read(http, "workers", out.http_workers);
}

void read_agents(const json& agents, Settings& out) {
  read(agents, "listen", out.agents_listen);
  read(agents, "port", out.agents_port);
  read(agents, "advertise", out.agents_advertise);
}

log::Level level_of(const std::string& text) {
  if (text == "error") return log::Level::error;
  if (text == "warning") return log::Level::warning;
  return text == "debug" ? log::Level::debug : log::Level::info;
}

}  // namespace

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

Result<Settings> load_settings(const std::filesystem::path& path) {
  const auto schema = config::resource("schemas/coordinator.schema.json");
  if (!schema) return fail(ErrorCode::internal, "the configuration's schema was not built in");
  auto file = config::load_yaml(path, *schema);
  if (!file) return fail(file.error());
  const json& value = file->value();
  Settings out;
  out.state_dir = path.parent_path() / value["state_dir"].get<std::string>();
  if (value.contains("http")) read_http(value["http"], out);
  if (value.contains("agents")) read_agents(value["agents"], out);
  if (value.contains("durable_means") && value["durable_means"] == "stored")
    out.durable_means = DurableMeans::stored;
  read(value, "stop_retry_minutes", out.stop_retry_minutes);
  if (value.contains("log_level")) out.log_level = level_of(value["log_level"]);
  if (auto ok = check_address(*file, "/http/listen", out.http_listen); !ok) return fail(ok.error());
  if (auto ok = check_address(*file, "/agents/listen", out.agents_listen); !ok)
    return fail(ok.error());
  const bool same_port = out.http_port != 0 && out.http_port == out.agents_port;
  if (same_port && out.http_listen == out.agents_listen)
    return fail(file->error_at("/agents/port", "is the port of http too; give each its own"));
  if (out.agents_advertise.empty()) {
    const bool everywhere = out.agents_listen == "0.0.0.0" || out.agents_listen == "::";
    out.agents_advertise = everywhere ? host_name() : out.agents_listen;
  }
  return out;
}

std::vector<std::string> keys_that_need_a_restart(const Settings& running, const Settings& wanted) {
  std::vector<std::string> out;
  const auto compare = [&](const char* key, const auto& before, const auto& after) {
    if (!(before == after)) out.emplace_back(key);
  };
  compare("state_dir", running.state_dir, wanted.state_dir);
  compare("http.listen", running.http_listen, wanted.http_listen);
  compare("http.port", running.http_port, wanted.http_port);
  compare("http.names", running.http_names, wanted.http_names);
  compare("http.connections_max", running.http_connections_max, wanted.http_connections_max);
  compare("http.workers", running.http_workers, wanted.http_workers);
  compare("agents.listen", running.agents_listen, wanted.agents_listen);
  compare("agents.port", running.agents_port, wanted.agents_port);
  compare("agents.advertise", running.agents_advertise, wanted.agents_advertise);
  compare("durable_means", running.durable_means, wanted.durable_means);
  return out;
}

}  // namespace firebreak::coordinator
