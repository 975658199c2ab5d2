#include "agent/guard/links/port_holder.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>

#include "common/base/escape.h"

namespace firebreak::guard {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const noexcept { closedir(dir); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

bool is_number(const char* text) noexcept {
  for (; *text != '\0'; ++text) {
    if (*text < '0' || *text > '9') return false;
  }
  return true;
}

/// True if this descriptor is the master of the pty with number `index`.
bool is_master_of(const std::string& process, const char* fd, unsigned index) {
  std::ifstream file(process + "/fdinfo/" + fd);
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("tty-index:"))
      return std::strtoul(line.c_str() + 10, nullptr, 10) == index;
  }
  return false;
}

/// True if the process has the device open. Who made a pty may keep its slave open beside the
/// master: that is the printer's side (a simulator), not a rival. The number of a pty says which
/// one it is within its own file system alone: each container counts from 0.
bool has_open(const std::string& process, const struct stat& device) {
  const unsigned kind = major(device.st_rdev);
  const bool pty = kind >= 136 && kind <= 143;
  const dev_t ptmx = makedev(5, 2);
  bool found = false;
  Dir dir(opendir((process + "/fd").c_str()));
  while (const dirent* entry = dir ? readdir(dir.get()) : nullptr) {
    struct stat info {};
    if (entry->d_name[0] == '.') continue;
    if (fstatat(dirfd(dir.get()), entry->d_name, &info, 0) != 0 || !S_ISCHR(info.st_mode)) continue;
    if (info.st_rdev == device.st_rdev && (!pty || info.st_dev == device.st_dev)) found = true;
    if (pty && info.st_rdev == ptmx &&
        is_master_of(process, entry->d_name, minor(device.st_rdev))) {
      return false;
    }
  }
  return found;
}

std::string process_name(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/comm");
  std::string name;
  std::getline(file, name);
  return escape_untrusted(name, 64) + " (pid " + pid + ")";
}

}  // namespace

std::string find_port_holder(const std::filesystem::path& path) {
  struct stat device {};
  if (stat(path.c_str(), &device) != 0 || !S_ISCHR(device.st_mode)) return {};
  const std::string self = std::to_string(getpid());
  Dir proc(opendir("/proc"));
  while (const dirent* entry = proc ? readdir(proc.get()) : nullptr) {
    if (!is_number(entry->d_name) || self == entry->d_name) continue;
    const std::string pid = entry->d_name;
    if (has_open("/proc/" + pid, device)) return process_name(pid);
  }
  return {};
}

}  // namespace firebreak::guard
