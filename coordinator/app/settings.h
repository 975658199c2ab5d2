#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/log/log.h"
#include "coordinator/store/sqlite_store.h"

namespace firebreak::coordinator {

/// coordinator.yaml, read and checked.
struct Settings {
  std::filesystem::path state_dir;
  std::string http_listen = "127.0.0.1";
  std::uint16_t http_port = 8443;
  std::vector<std::string> http_names;
  std::size_t http_connections_max = 512;
  std::size_t http_workers = 4;
  std::string agents_listen = "127.0.0.1";
  std::uint16_t agents_port = 8444;
  std::string agents_advertise;
  DurableMeans durable_means = DurableMeans::off_host;
  std::int64_t stop_retry_minutes = 10;
  log::Level log_level = log::Level::info;
};

/// Reads the file against schemas/coordinator.schema.json. bad_input: "file:line: where: what".
Result<Settings> load_settings(const std::filesystem::path& file);

/// The keys in which the two differ, without those that are taken over while running.
std::vector<std::string> keys_that_need_a_restart(const Settings& running, const Settings& wanted);

/// This machine's name, or "localhost".
std::string host_name();

}  // namespace firebreak::coordinator
