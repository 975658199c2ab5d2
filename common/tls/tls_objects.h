#pragma once

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>

#include <mutex>
#include <optional>
#include <string>

#include "common/identity/mbedtls_objects.h"
#include "common/tls/tls_context.h"

/// The insides of a context, for common/tls alone.
namespace firebreak::tls {

using Config =
    identity::Owned<mbedtls_ssl_config, mbedtls_ssl_config_init, mbedtls_ssl_config_free>;
using Session =
    identity::Owned<mbedtls_ssl_session, mbedtls_ssl_session_init, mbedtls_ssl_session_free>;
using Tickets =
    identity::Owned<mbedtls_ssl_ticket_context, mbedtls_ssl_ticket_init, mbedtls_ssl_ticket_free>;

struct Context::Impl {
  bool is_server = false;
  Config config;
  identity::Key key;
  identity::CertificateChain own;
  identity::CertificateChain roots;
  Tickets tickets;
  NowFunction now;
  std::chrono::hours expired_client_grace{0};
  ClientCertificates client_certificates = ClientCertificates::none;
  std::string server_name;
  std::optional<identity::Fingerprint> root_fingerprint;

  std::mutex session_mutex;
  std::unique_ptr<Session> session;  ///< Guarded by session_mutex; a client's last one.
};

}  // namespace firebreak::tls
