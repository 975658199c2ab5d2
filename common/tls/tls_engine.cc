#include "common/tls/tls_engine.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/tls/tls_objects.h"

namespace firebreak::tls {
namespace {

using Ssl = identity::Owned<mbedtls_ssl_context, mbedtls_ssl_init, mbedtls_ssl_free>;
using identity::mbedtls_text;

bool wants_more(int code) {
  return code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE;
}

/// mbedTLS's text for why a chain did not verify, on one line.
std::string verdict_text(std::uint32_t flags) {
  std::array<char, 512> text{};
  mbedtls_x509_crt_verify_info(text.data(), text.size(), "", flags);
  std::string out(text.data());
  while (!out.empty() && out.back() == '\n') out.pop_back();
  std::replace(out.begin(), out.end(), '\n', ';');
  return out;
}

}  // namespace

struct Engine::Impl {
  std::shared_ptr<Context> context;
  Ssl ssl;
  std::string in;
  std::size_t in_used = 0;
  std::string out;
  bool open = false;
  bool resumed = false;
  bool key_exchanged = false;
  bool peer_expired = false;
  std::optional<identity::CertificateInfo> peer;
  std::string root_pem;
  int setup = 0;

  static int send(void* self, const unsigned char* bytes, std::size_t size) {
    static_cast<Impl*>(self)->out.append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<int>(size);
  }

  static int receive(void* self, unsigned char* bytes, std::size_t size) {
    auto& impl = *static_cast<Impl*>(self);
    const std::size_t taken = std::min(size, impl.in.size() - impl.in_used);
    if (taken == 0) return MBEDTLS_ERR_SSL_WANT_READ;
    std::memcpy(bytes, impl.in.data() + impl.in_used, taken);
    impl.in_used += taken;
    if (impl.in_used == impl.in.size()) {
      impl.in.clear();
      impl.in_used = 0;
    }
    return static_cast<int>(taken);
  }

  Result<Progress> handshake();
  Result<void> judge_peer();
  Result<void> judge_time(const identity::CertificateInfo& leaf);
  void offer_session();
  void keep_session();
  void forget_session();
};

Engine::Engine(std::shared_ptr<Context> context) : impl_(std::make_unique<Impl>()) {
  impl_->context = std::move(context);
  auto& shared = impl_->context->impl();
  auto* ssl = impl_->ssl.get();
  impl_->setup = mbedtls_ssl_setup(ssl, shared.config.get());
  if (impl_->setup != 0) return;
  mbedtls_ssl_set_bio(ssl, impl_.get(), &Impl::send, &Impl::receive, nullptr);
  if (!shared.is_server) {
    impl_->setup = mbedtls_ssl_set_hostname(ssl, shared.server_name.c_str());
    impl_->offer_session();
  }
}

Engine::~Engine() = default;

void Engine::feed(std::string_view bytes) { impl_->in.append(bytes); }

Result<Engine::Progress> Engine::step(std::string& plain) {
  if (impl_->setup != 0) {
    return fail(ErrorCode::internal, "TLS set-up: " + mbedtls_text(impl_->setup));
  }
  if (!impl_->open) return impl_->handshake();
  std::array<unsigned char, 16384> buffer;
  const int got = mbedtls_ssl_read(impl_->ssl.get(), buffer.data(), buffer.size());
  if (got > 0) {
    plain.assign(reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(got));
    return Progress::data;
  }
  if (wants_more(got)) return Progress::needs_input;
  if (got == 0 || got == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
    return fail(ErrorCode::unavailable, "the peer ended the connection");
  }
  return fail(ErrorCode::bad_input, "TLS: " + mbedtls_text(got));
}

Result<Engine::Progress> Engine::Impl::handshake() {
  auto* raw = ssl.get();
  // Stepped by hand, to see whether a certificate went over the wire: a resumed handshake has none.
  while (raw->state != MBEDTLS_SSL_HANDSHAKE_OVER) {
    if (raw->state == MBEDTLS_SSL_CLIENT_KEY_EXCHANGE) key_exchanged = true;
    const int code = mbedtls_ssl_handshake_step(raw);
    if (wants_more(code)) return Progress::needs_input;
    if (code == 0) continue;
    forget_session();
    if (code == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
      return fail(ErrorCode::not_allowed, "the peer's certificate does not verify: " +
                                              verdict_text(mbedtls_ssl_get_verify_result(raw)));
    }
    if (code == MBEDTLS_ERR_SSL_CONN_EOF) {
      return fail(ErrorCode::unavailable, "the peer ended the connection in the handshake");
    }
    return fail(ErrorCode::bad_input, "TLS handshake: " + mbedtls_text(code));
  }
  resumed = !key_exchanged;
  if (auto judged = judge_peer(); !judged) {
    forget_session();
    mbedtls_ssl_send_alert_message(raw, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                   MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
    return fail(judged.error());
  }
  open = true;
  keep_session();
  return Progress::opened;
}

Result<void> Engine::Impl::judge_peer() {
  auto& shared = context->impl();
  const mbedtls_x509_crt* chain = mbedtls_ssl_get_peer_cert(ssl.get());
  const bool asks = !shared.is_server || shared.client_certificates != ClientCertificates::none;
  if (!asks) return {};
  if (chain == nullptr) {
    if (shared.is_server && shared.client_certificates == ClientCertificates::optional) return {};
    return fail(ErrorCode::not_allowed, "the peer showed no certificate");
  }
  if (const std::uint32_t flags = mbedtls_ssl_get_verify_result(ssl.get()); flags != 0) {
    return fail(ErrorCode::not_allowed,
                "the peer's certificate does not verify: " + verdict_text(flags));
  }
  peer = identity::describe(*chain);
  for (const mbedtls_x509_crt* link = chain; link != nullptr; link = link->next) {
    if (shared.root_fingerprint) {
      const auto info = identity::describe(*link);
      if (info.fingerprint == *shared.root_fingerprint) root_pem = identity::to_pem(info);
    }
  }
  return judge_time(*peer);
}

/// `now` may be a lower bound of the true time (a host that booted in 1970 and knows only when its
/// program was built). A certificate that has ended by then has ended; one that begins later than
/// then need not lie in the future, so a beginning refuses nobody: the signature of our own root
/// is what was asked for.
Result<void> Engine::Impl::judge_time(const identity::CertificateInfo& leaf) {
  auto& shared = context->impl();
  const WallTime now = shared.now();
  if (now <= leaf.not_after) return {};
  if (shared.is_server && now <= leaf.not_after + shared.expired_client_grace) {
    peer_expired = true;
    return {};
  }
  return fail(ErrorCode::not_allowed, "the certificate of '" + leaf.common_name + "' has ended");
}

void Engine::Impl::offer_session() {
  auto& shared = context->impl();
  const std::scoped_lock lock(shared.session_mutex);
  if (shared.session) mbedtls_ssl_set_session(ssl.get(), shared.session->get());
}

void Engine::Impl::keep_session() {
  auto& shared = context->impl();
  if (shared.is_server) return;
  auto session = std::make_unique<Session>();
  if (mbedtls_ssl_get_session(ssl.get(), session->get()) != 0) return;
  const std::scoped_lock lock(shared.session_mutex);
  shared.session = std::move(session);
}

/// A session that failed once is not offered again: the next dial is a full handshake.
void Engine::Impl::forget_session() {
  auto& shared = context->impl();
  const std::scoped_lock lock(shared.session_mutex);
  shared.session.reset();
}

Result<void> Engine::write(std::string_view bytes) {
  if (!impl_->open) return fail(ErrorCode::unavailable, "the TLS connection is not open");
  while (!bytes.empty()) {
    const int taken =
        mbedtls_ssl_write(impl_->ssl.get(), reinterpret_cast<const unsigned char*>(bytes.data()),
                          std::min<std::size_t>(bytes.size(), 16384));
    if (taken < 0) return fail(ErrorCode::bad_input, "TLS: " + mbedtls_text(taken));
    bytes.remove_prefix(static_cast<std::size_t>(taken));
  }
  return {};
}

void Engine::write_end() {
  if (impl_->open) mbedtls_ssl_close_notify(impl_->ssl.get());
}

std::string Engine::take_output() { return std::exchange(impl_->out, {}); }
std::size_t Engine::output_bytes() const { return impl_->out.size(); }
bool Engine::is_open() const { return impl_->open; }
bool Engine::resumed() const { return impl_->resumed; }
bool Engine::peer_expired() const { return impl_->peer_expired; }
const std::optional<identity::CertificateInfo>& Engine::peer() const { return impl_->peer; }
std::string Engine::peer_root_pem() const { return impl_->root_pem; }

}  // namespace firebreak::tls
