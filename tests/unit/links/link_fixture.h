#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/guard/config/guard_config.h"
#include "agent/guard/core/descriptor_keeper.h"
#include "agent/guard/links/link_events.h"

namespace firebreak::guard {

inline HeaterProfile heater(const std::string& name, HeaterKind kind) {
  HeaterProfile profile;
  profile.name = name;
  profile.kind = kind;
  return profile;
}

inline PrinterConfig one_tool_printer() {
  PrinterConfig config;
  config.name = "p1";
  config.profile.heaters = {heater("hotend", HeaterKind::hotend), heater("bed", HeaterKind::bed)};
  config.profile.boot_time = std::chrono::seconds{5};
  config.expected_uuid = "cede2a2f-41a2-4748-9b12-c55c62f367ff";
  config.expected_machine = "SimRap 1.4";
  config.pty = "p1";
  return config;
}

inline const std::string firmware_line =
    "FIRMWARE_NAME:Marlin bugfix-2.1.x (Nov 21 2026 11:25:21) "
    "SOURCE_CODE_URL:github.com/MarlinFirmware/Marlin PROTOCOL_VERSION:1.0 MACHINE_TYPE:SimRap 1.4 "
    "EXTRUDER_COUNT:1 UUID:cede2a2f-41a2-4748-9b12-c55c62f367ff\n";

/// Keeps what a descriptor store would keep: dup()s, by name.
class FakeKeeper final : public DescriptorKeeper {
 public:
  std::optional<int> take(std::string_view name) override {
    const auto found = kept.find(std::string(name));
    if (found == kept.end()) return std::nullopt;
    const int fd = found->second;
    kept.erase(found);
    return fd;
  }
  void keep(std::string_view name, int fd) override;
  void forget(std::string_view name) override;
  ~FakeKeeper() override;

  std::map<std::string, int> kept;
};

struct NoteList final : LinkEvents {
  void note(const LinkRecord& record) noexcept override { records.push_back(record); }
  [[nodiscard]] int count(LinkNote kind) const {
    int found = 0;
    for (const auto& record : records) found += record.note == kind ? 1 : 0;
    return found;
  }
  [[nodiscard]] std::string text(LinkNote kind) const {
    for (const auto& record : records) {
      if (record.note == kind) return std::string(record.view());
    }
    return {};
  }
  std::vector<LinkRecord> records;
};

}  // namespace firebreak::guard
