#pragma once

#include <cstdint>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/identity/certificate.h"
#include "common/tls/tls_context.h"

namespace firebreak::uplink {

/// Who this agent is: its key with its certificate, and the root that it trusts.
struct Identity {
  tls::Credentials credentials;
  identity::CertificateInfo certificate;
  std::string authority_pem;
};

/// What is kept over restarts besides the identity.
struct Memory {
  std::uint64_t epoch = 0;  ///< The newest epoch of the coordinator that was seen.
  std::string head;         ///< Its audit log's head, as it last said: a witness of a rollback.
  std::string host;         ///< Where the enrolment token said that it is.
  std::uint16_t port = 0;
};

/// The files of the state folder. Key and certificate are one file, so that a renewal replaces
/// both in one step. Every write is atomic and synced. One thread.
class StateFiles {
 public:
  explicit StateFiles(std::string folder) : folder_(std::move(folder)) {}

  /// Makes the folder (0700) when it is missing. Errors: unavailable.
  Result<void> prepare() const;

  /// Errors: not_found (not enrolled), corrupt, not_allowed (others may read the key).
  Result<Identity> load_identity() const;
  Result<void> save_identity(const std::string& key_pem, const std::string& certificate_pem) const;
  Result<void> save_authority(const std::string& pem) const;
  Result<void> save_reset_key(const std::string& hex) const;

  /// A file that is missing or does not read gives the defaults: nothing in it is needed.
  Memory load_memory() const;
  Result<void> save_memory(const Memory& memory) const;

  std::string time_file() const { return folder_ + "/time"; }
  std::string reset_key_file() const { return folder_ + "/reset.pub"; }

 private:
  std::string folder_;
};

}  // namespace firebreak::uplink
