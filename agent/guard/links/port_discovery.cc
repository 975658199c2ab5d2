#include "agent/guard/links/port_discovery.h"

#include <libserialport.h>

#include <algorithm>

#include "common/base/escape.h"

namespace firebreak::guard {
namespace {

constexpr const char* by_id_folder = "/dev/serial/by-id";
constexpr const char* by_path_folder = "/dev/serial/by-path";

/// The link in `folder` that leads to `device`, or nothing.
std::string link_to(const char* folder, const std::string& device) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const auto target = std::filesystem::weakly_canonical(entry.path(), error);
    if (!error && target == device) return entry.path();
  }
  return {};
}

std::string text_of(const char* text) {
  return text == nullptr ? std::string() : escape_untrusted(text, 120);
}

PortInfo describe(const sp_port* port) {
  PortInfo info;
  info.device = sp_get_port_name(port);
  info.description = text_of(sp_get_port_description(port));
  if (sp_get_port_transport(port) == SP_TRANSPORT_USB) {
    sp_get_port_usb_vid_pid(port, &info.usb_vendor, &info.usb_product);
    info.usb_serial = text_of(sp_get_port_usb_serial(port));
  }
  info.by_path = link_to(by_path_folder, info.device);
  info.by_id = link_to(by_id_folder, info.device);
  return info;
}

}  // namespace

std::vector<PortInfo> list_ports() {
  std::vector<PortInfo> ports;
  sp_port** found = nullptr;
  if (sp_list_ports(&found) != SP_OK) return ports;
  for (std::size_t i = 0; found[i] != nullptr; ++i) ports.push_back(describe(found[i]));
  sp_free_port_list(found);
  return ports;
}

bool may_be_ambiguous(const std::filesystem::path& name) {
  return name.parent_path() == by_id_folder;
}

Result<void> check_port_name(const std::filesystem::path& name, std::span<const PortInfo> ports) {
  if (!may_be_ambiguous(name)) return {};
  const auto named = std::find_if(ports.begin(), ports.end(),
                                  [&](const PortInfo& port) { return port.by_id == name; });
  if (named == ports.end()) return {};  // Not plugged in now: opening it will say so.
  std::string twins;
  for (const auto& port : ports) {
    // udev makes the name of vendor, product and serial number; of several boards that have all
    // three in common, only one gets the link, and which one changes from boot to boot.
    const bool twin = port.usb_vendor != 0 && port.usb_vendor == named->usb_vendor &&
                      port.usb_product == named->usb_product &&
                      port.usb_serial == named->usb_serial;
    if (!twin || port.device == named->device) continue;
    twins += (twins.empty() ? "" : ", ") + (port.by_path.empty() ? port.device : port.by_path);
  }
  if (twins.empty()) return {};
  return fail(ErrorCode::bad_input,
              name.string() +
                  ": this name is shared by several boards; use the name of the place "
                  "instead: " +
                  (named->by_path.empty() ? named->device : named->by_path) + " (the others are " +
                  twins + ")");
}

}  // namespace firebreak::guard
