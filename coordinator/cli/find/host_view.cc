#include "coordinator/cli/find/host_view.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "agent/uplink/discovery/known_printers.h"
#include "common/config/config.h"
#include "common/config/resources.h"
#include "coordinator/cli/guard_client.h"

namespace firebreak::cli {
namespace {

using nlohmann::json;

Result<std::vector<uplink::PrinterSettings>> settings_in(const std::string& file) {
  // A host whose printers are all on cables needs no uplink.
  std::error_code error;
  if (!std::filesystem::exists(file, error) && !error)
    return std::vector<uplink::PrinterSettings>{};
  const auto schema = config::resource("schemas/uplink.schema.json");
  if (!schema) return fail(ErrorCode::internal, "the schema of uplink.yaml is not built in");
  const auto document = config::load_yaml(file, *schema);
  if (!document) return fail(document.error());
  return uplink::read_printers(document->value(), std::filesystem::absolute(file).parent_path());
}

}  // namespace

uplink::HostView view_of_this_host(const Context& context, const std::string& uplink_config) {
  uplink::HostView view;
  json status;
  auto guard = GuardClient::connect(context.guard_socket());
  auto told = guard ? guard->ask({{"do", "status"}}) : Outcome<json>(give_up(guard.error()));
  if (told)
    status = std::move(*told);
  else
    view.guard_problem = told.error().message;
  auto settings = settings_in(uplink_config);
  if (settings)
    view.settings = std::move(*settings);
  else
    view.settings_problem = "network printers are not known: " + settings.error().message;
  view.printers = uplink::known_printers(status, view.settings);
  return view;
}

}  // namespace firebreak::cli
