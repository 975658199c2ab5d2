#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/guard/control/service.h"
#include "common/base/result.h"

namespace firebreak::guard {

/// The names of guard.yaml's `users`, each empty where it is not configured.
struct RightsNames {
  std::string operator_group;
  std::string reset_group;
  std::string uplink_user;
  std::filesystem::path group_file = "/etc/group";
  std::filesystem::path passwd_file = "/etc/passwd";
};

/// Who may do what on the two control sockets, as numbers that the kernel can be compared with.
struct ControlRights {
  uid_t own_uid = 0;
  std::optional<gid_t> operator_group;  ///< Absent: not configured or not on this host.
  std::optional<gid_t> reset_group;     ///< Absent: see `own_may_reset`.
  std::optional<uid_t> uplink_uid;      ///< Absent: a configured user that this host lacks.
  std::optional<gid_t> uplink_group;    ///< That user's own group, where it is not our own user.
  bool own_may_reset = false;  ///< The guard's own user resets: only without a configured group.
  std::vector<std::string> warnings;  ///< A configured name that this host does not know.
};

/// Looks the names up in the files themselves: the guard is a static binary, without the name
/// service switch (so a group of LDAP is not seen, and the warning says so). A name that is missing
/// takes its right from everybody and is a warning, never a reason not to protect the printers.
ControlRights resolve_rights(const RightsNames& names);

/// Who is at the other end of the connected unix socket `fd` (SO_PEERCRED, SO_PEERGROUPS: the
/// kernel's word at connect time) and what that person may do. Fails when the kernel does not say,
/// and for a peer that has no business on this socket.
Result<Peer> identify_peer(int fd, bool uplink_socket, const ControlRights& rights);

}  // namespace firebreak::guard
