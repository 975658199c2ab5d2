#include "common/tls/tls_context.h"

#include <mbedtls/ssl_ciphersuites.h>

#include <algorithm>

#include "common/identity/bytes.h"
#include "common/tls/tls_objects.h"

namespace firebreak::tls {
namespace {

using identity::mbedtls_text;
using identity::random_for_mbedtls;

/// AES first for servers with AES instructions; a Pi 3, Zero 2 or 4 has none and offers ChaCha20
/// at a good speed.
constexpr int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                          MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, 0};
constexpr mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};

/// mbedTLS's own judgement of time reads the wall clock; its two bits are dropped here and the
/// leaf is judged by Context::now after the handshake (tls_engine.cc), resumed or not. A root that
/// was pinned by fingerprint alone is trusted here, where the chain to it has been verified.
int verify_one(void* context, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) {
  auto& impl = *static_cast<Context::Impl*>(context);
  *flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
  if (impl.root_fingerprint && depth > 0 && certificate->ca_istrue != 0 &&
      identity::sha256(std::span(certificate->raw.p, certificate->raw.len)) ==
          *impl.root_fingerprint) {
    *flags &= ~static_cast<std::uint32_t>(MBEDTLS_X509_BADCERT_NOT_TRUSTED);
  }
  return 0;
}

Result<void> set_defaults(Context::Impl& impl) {
  auto* config = impl.config.get();
  const int end = impl.is_server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
  if (const int code = mbedtls_ssl_config_defaults(config, end, MBEDTLS_SSL_TRANSPORT_STREAM,
                                                   MBEDTLS_SSL_PRESET_DEFAULT)) {
    return fail(ErrorCode::internal, "TLS settings: " + mbedtls_text(code));
  }
  mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_ciphersuites(config, suites);
  mbedtls_ssl_conf_curves(config, curves);
  mbedtls_ssl_conf_rng(config, random_for_mbedtls, nullptr);
  mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
  mbedtls_ssl_conf_verify(config, verify_one, &impl);
  return {};
}

Result<void> set_credentials(Context::Impl& impl, const Credentials& credentials) {
  if (auto parsed = parse_key(impl.key, credentials.key_pem); !parsed) return parsed;
  if (auto parsed = parse_chain(impl.own, credentials.certificate_chain_pem); !parsed) {
    return parsed;
  }
  if (mbedtls_pk_check_pair(&impl.own->pk, impl.key.get()) != 0) {
    return fail(ErrorCode::bad_input, "the private key is not the one of the certificate");
  }
  // The first use of a key on a curve fills a table inside it; done here, while nobody shares it.
  const auto hash = identity::sha256(std::string_view("warm"));
  unsigned char signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
  std::size_t size = 0;
  int code = mbedtls_pk_sign(impl.key.get(), MBEDTLS_MD_SHA256, hash.data(), hash.size(), signature,
                             &size, random_for_mbedtls, nullptr);
  if (code == 0) {
    code = mbedtls_ssl_conf_own_cert(impl.config.get(), impl.own.get(), impl.key.get());
  }
  if (code != 0) return fail(ErrorCode::bad_input, "TLS credentials: " + mbedtls_text(code));
  return {};
}

Result<void> set_roots(Context::Impl& impl, const std::string& pem) {
  if (auto parsed = parse_chain(impl.roots, pem); !parsed) return parsed;
  mbedtls_ssl_conf_ca_chain(impl.config.get(), impl.roots.get(), nullptr);
  return {};
}

Result<void> set_tickets(Context::Impl& impl, std::chrono::seconds lifetime) {
  if (lifetime.count() <= 0) return {};
  const int code = mbedtls_ssl_ticket_setup(impl.tickets.get(), random_for_mbedtls, nullptr,
                                            MBEDTLS_CIPHER_AES_256_GCM,
                                            static_cast<std::uint32_t>(lifetime.count()));
  if (code != 0) return fail(ErrorCode::internal, "TLS tickets: " + mbedtls_text(code));
  mbedtls_ssl_conf_session_tickets_cb(impl.config.get(), mbedtls_ssl_ticket_write,
                                      mbedtls_ssl_ticket_parse, impl.tickets.get());
  return {};
}

/// Runs the steps until one fails.
template <class... Steps>
Result<void> all_of(Steps&&... steps) {
  Result<void> result;
  ((result = steps(), result.has_value()) && ...);
  return result;
}

}  // namespace

Context::Context(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Context::~Context() = default;

Result<std::shared_ptr<Context>> Context::server(ServerOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->is_server = true;
  impl->now = std::move(options.now);
  impl->expired_client_grace = options.expired_client_grace;
  impl->client_certificates = options.client_certificates;
  const bool asks = options.client_certificates != ClientCertificates::none;
  if (asks && (!impl->now || options.client_ca_pem.empty())) {
    return fail(ErrorCode::internal, "a server that asks for certificates needs a root and a time");
  }
  auto ready =
      all_of([&] { return set_defaults(*impl); },
             [&] { return set_credentials(*impl, options.credentials); },
             [&] { return set_tickets(*impl, options.ticket_lifetime); },
             [&] { return asks ? set_roots(*impl, options.client_ca_pem) : Result<void>{}; });
  if (!ready) return fail(ready.error());
  // "optional" lets a client without a certificate in; one that is shown and does not verify is
  // refused after the handshake (tls_engine.cc), before a byte of it is read.
  const int mode = options.client_certificates == ClientCertificates::required
                       ? MBEDTLS_SSL_VERIFY_REQUIRED
                       : (asks ? MBEDTLS_SSL_VERIFY_OPTIONAL : MBEDTLS_SSL_VERIFY_NONE);
  mbedtls_ssl_conf_authmode(impl->config.get(), mode);
  return std::shared_ptr<Context>(new Context(std::move(impl)));
}

Result<std::shared_ptr<Context>> Context::client(ClientOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->now = std::move(options.now);
  impl->server_name = std::move(options.server_name);
  impl->root_fingerprint = options.ca_fingerprint;
  if (impl->server_name.empty() || !impl->now ||
      options.ca_pem.empty() != options.ca_fingerprint.has_value()) {
    return fail(ErrorCode::internal, "a TLS client needs a server name, one root and a time");
  }
  auto ready = all_of(
      [&] { return set_defaults(*impl); },
      [&] { return options.ca_pem.empty() ? Result<void>{} : set_roots(*impl, options.ca_pem); },
      [&] {
        return options.credentials ? set_credentials(*impl, *options.credentials) : Result<void>{};
      });
  if (!ready) return fail(ready.error());
  // With a bare fingerprint mbedTLS has no root to insist on; the same insistence then happens
  // right after the handshake (tls_engine.cc), on the verdict that verify_one has completed.
  mbedtls_ssl_conf_authmode(impl->config.get(), options.ca_pem.empty()
                                                    ? MBEDTLS_SSL_VERIFY_OPTIONAL
                                                    : MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_session_tickets(impl->config.get(), MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
  return std::shared_ptr<Context>(new Context(std::move(impl)));
}

}  // namespace firebreak::tls
