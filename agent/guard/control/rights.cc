#include "agent/guard/control/rights.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace firebreak::guard {
namespace {

// The kernel's own bound on supplementary groups is 65,536; nobody at a printer has more than this.
constexpr std::size_t groups_max = 256;

struct FileCloser {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

std::optional<gid_t> find_group(const std::filesystem::path& path, const std::string& name) {
  const File file(std::fopen(path.c_str(), "re"));
  if (!file) return std::nullopt;
  while (const group* entry = fgetgrent(file.get())) {
    if (name == entry->gr_name) return entry->gr_gid;
  }
  return std::nullopt;
}

struct User {
  uid_t uid;
  gid_t gid;
};

std::optional<User> find_user(const std::filesystem::path& path, const std::string& name) {
  const File file(std::fopen(path.c_str(), "re"));
  if (!file) return std::nullopt;
  while (const passwd* entry = fgetpwent(file.get())) {
    if (name == entry->pw_name) return User{entry->pw_uid, entry->pw_gid};
  }
  return std::nullopt;
}

Result<std::vector<gid_t>> groups_of(int fd, gid_t primary) {
  std::vector<gid_t> groups(groups_max);
  auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) {
    return fail(ErrorCode::not_allowed,
                "the kernel does not tell the groups of the caller (or there are more than 256); "
                "use a user that is in fewer groups");
  }
  groups.resize(size / sizeof(gid_t));
  groups.push_back(primary);
  return groups;
}

bool contains(const std::vector<gid_t>& groups, const std::optional<gid_t>& wanted) {
  return wanted && std::find(groups.begin(), groups.end(), *wanted) != groups.end();
}

}  // namespace

ControlRights resolve_rights(const RightsNames& names) {
  ControlRights rights;
  rights.own_uid = geteuid();
  const auto warn = [&](const std::string& what, const std::string& name, const char* file) {
    rights.warnings.push_back(what + " '" + name + "' of guard.yaml is not in " + file +
                              ": nobody has its rights until it is added and the guard restarted");
  };
  if (!names.operator_group.empty()) {
    rights.operator_group = find_group(names.group_file, names.operator_group);
    if (!rights.operator_group) warn("operator_group", names.operator_group, "/etc/group");
  }
  if (names.reset_group.empty()) {
    rights.own_may_reset = true;
  } else {
    rights.reset_group = find_group(names.group_file, names.reset_group);
    if (!rights.reset_group) warn("reset_group", names.reset_group, "/etc/group");
  }
  if (names.uplink_user.empty()) {
    rights.uplink_uid = rights.own_uid;
  } else if (const auto user = find_user(names.passwd_file, names.uplink_user)) {
    rights.uplink_uid = user->uid;
    if (user->uid != rights.own_uid) rights.uplink_group = user->gid;
  } else {
    warn("uplink_user", names.uplink_user, "/etc/passwd");
  }
  return rights;
}

Result<Peer> identify_peer(int fd, bool uplink_socket, const ControlRights& rights) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return fail(ErrorCode::not_allowed, "the kernel does not say who calls; try again");
  }
  Peer peer;
  peer.uid = credentials.uid;
  peer.pid = credentials.pid;
  peer.uplink = uplink_socket;
  peer.name = "uid " + std::to_string(peer.uid) + " (pid " + std::to_string(peer.pid) + ")";
  if (uplink_socket) {
    if (rights.uplink_uid == peer.uid) return peer;
    return fail(ErrorCode::not_allowed,
                peer.name + " is not the uplink's user; people use control.sock beside it");
  }
  const auto groups = groups_of(fd, credentials.gid);
  if (!groups) return fail(groups.error());
  const bool own = peer.uid == rights.own_uid;
  const bool root = peer.uid == 0;
  peer.may_reset = root || contains(*groups, rights.reset_group) || (own && rights.own_may_reset);
  peer.operate = root || own || peer.may_reset || contains(*groups, rights.operator_group);
  if (peer.operate) return peer;
  return fail(ErrorCode::not_allowed,
              peer.name +
                  " is not in the guard's operator group; ask for membership "
                  "(adduser NAME firebreak) and log in again");
}

}  // namespace firebreak::guard
