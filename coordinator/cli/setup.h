#pragma once

#include <filesystem>
#include <string>

#include "coordinator/cli/context.h"

namespace firebreak::cli {

/// Verbs of setting a printer host up; they work without a guard.

struct KeyOrder {
  std::string key;       ///< 64 hex digits, or empty.
  std::string key_file;  ///< A file with them; "-" or empty: standard input.
  std::filesystem::path out = "/etc/firebreak/reset.pub";
  bool replace = false;
};

/// `local enroll`: writes the coordinator's public reset key (Ed25519) where guard.yaml's
/// `grant_key` points. A person carries it here, so that no network process can put in its own.
/// A different key that is already there is kept unless `replace`.
Done write_reset_key(Context& context, const KeyOrder& order);

/// `local ports`: the serial ports of this host, with the by-path name to write into guard.yaml and
/// a warning where two boards share one by-id name. Opens no port (opening may reset a board).
Done list_ports(Context& context);

}  // namespace firebreak::cli
