#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/identity/certificate.h"

namespace firebreak::identity {

/// The name that the coordinator's certificate carries for agents, whatever address they dial: an
/// address may change or be an IP literal, whose check mbedTLS 2.28 does not have.
inline constexpr std::string_view coordinator_server_name = "coordinator.firebreak.internal";

/// Lifetime of an agent's certificate. Renewal begins when a third is left (30 days), so that an
/// agent may be off for two months and come back by itself.
inline constexpr std::chrono::days agent_certificate_lifetime{90};
/// How long after its end a certificate may still be shown, to be renewed and for nothing else.
inline constexpr std::chrono::days renewal_grace{180};
/// Certificates begin this long before they are made: the clocks of a farm differ.
inline constexpr std::chrono::hours backdating{24};

/// A key and its certificate, both PEM; the certificate is followed by its root.
struct IssuedIdentity {
  std::string key_pem;
  std::string certificate_chain_pem;
};

/// The coordinator's own certificate authority. Immutable; safe to use from any thread.
class Authority {
 public:
  /// Makes a new root, good for 20 years.
  static Result<Authority> create(WallTime now);
  /// Errors: bad_input (does not parse, no CA bit, the key is not the certificate's).
  static Result<Authority> load(std::string certificate_pem, std::string key_pem);

  [[nodiscard]] const std::string& certificate_pem() const { return certificate_pem_; }
  [[nodiscard]] const std::string& key_pem() const { return key_pem_; }  ///< Secret.
  [[nodiscard]] const CertificateInfo& certificate() const { return certificate_; }

  /// Signs an agent's request: the request must prove that its sender has the key, be on P-256,
  /// and name exactly `agent`. The certificate is for clients only. Errors: bad_input.
  [[nodiscard]] Result<CertificateInfo> sign_agent(
      std::string_view request_pem, std::string_view agent, WallTime now,
      std::chrono::hours lifetime = agent_certificate_lifetime) const;

  /// Makes a key and a certificate for a server that is reached by these names; IP literals are
  /// recognised. `coordinator_server_name` is always among them. Errors: bad_input.
  [[nodiscard]] Result<IssuedIdentity> issue_server(const std::vector<std::string>& names,
                                                    WallTime now,
                                                    std::chrono::hours lifetime) const;

 private:
  Authority() = default;
  std::string certificate_pem_;
  std::string key_pem_;
  CertificateInfo certificate_;
};

}  // namespace firebreak::identity
