#include "agent/uplink/enroll.h"

#include <asio/connect.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/uplink/state_files.h"
#include "common/base/hex.h"
#include "common/identity/authority.h"
#include "common/identity/key.h"
#include "common/identity/time_floor.h"
#include "common/tls/tls_connection.h"
#include "common/wire/cbor.h"
#include "common/wire/enrolment_token.h"
#include "common/wire/frame.h"
#include "common/wire/messages.h"

namespace firebreak::uplink {
namespace {

using asio::ip::tcp;

constexpr std::chrono::seconds exchange_deadline{30};

struct Answer {
  wire::Enrolled enrolled;
  std::string authority_pem;  ///< The root that the connection proved, by the token's fingerprint.
};

/// One question and one answer over one connection, on an io_context of its own.
class Exchange {
 public:
  Exchange(std::shared_ptr<tls::Context> context, std::string question)
      : context_(std::move(context)), question_(std::move(question)) {}

  Result<Answer> run(const std::string& host, std::uint16_t port) {
    const std::string where = "the coordinator at " + host + " port " + std::to_string(port);
    const auto unreachable = [this, where](std::error_code code) {
      answer_ = fail(ErrorCode::unavailable, where + " cannot be reached: " + code.message());
    };
    tcp::resolver resolver(io_);
    tcp::socket socket(io_);
    resolver.async_resolve(host, std::to_string(port), tcp::resolver::numeric_service,
                           [&](std::error_code code, const tcp::resolver::results_type& found) {
                             if (code) return unreachable(code);
                             asio::async_connect(socket, found,
                                                 [&](std::error_code failed, const tcp::endpoint&) {
                                                   if (failed) return unreachable(failed);
                                                   talk(std::move(socket));
                                                 });
                           });
    io_.run_for(exchange_deadline);
    if (!answer_) return fail(ErrorCode::unavailable, where + " did not answer within 30 s");
    return std::move(*answer_);
  }

 private:
  void talk(tcp::socket socket) {
    tls::ConnectionHandlers handlers;
    handlers.opened = [this] {
      root_pem_ = connection_->peer_root_pem();
      (void)connection_->write(question_);
    };
    handlers.received = [this](std::span<const std::byte> bytes) { on_received(bytes); };
    handlers.closed = [this](const Error& reason) {
      if (!answer_) answer_ = fail(reason.within("the coordinator at enrolment"));
    };
    connection_ = tls::Connection::start(std::move(socket), context_, std::move(handlers), {});
  }

  void on_received(std::span<const std::byte> bytes) {
    auto fed = reader_.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                            [this](std::string_view frame) {
                              if (!answer_) answer_ = read(frame);
                              return false;
                            });
    if (!fed && !answer_) answer_ = fail(fed.error());
    if (answer_) connection_->close("done", std::chrono::milliseconds{200});
  }

  Result<Answer> read(std::string_view frame) {
    auto message = wire::parse_cbor(frame);
    if (!message) return fail(message.error());
    auto type = wire::type_of(*message);
    if (!type) return fail(type.error());
    if (*type == "bye") {
      auto bye = wire::parse_bye(*message);
      if (!bye) return fail(bye.error());
      return fail(ErrorCode::not_allowed, bye->message);
    }
    auto enrolled = wire::parse_enrolled(*message);
    if (!enrolled) return fail(enrolled.error());
    return Answer{std::move(*enrolled), root_pem_};
  }

  asio::io_context io_;
  std::shared_ptr<tls::Context> context_;
  const std::string question_;
  std::shared_ptr<tls::Connection> connection_;
  wire::FrameReader reader_;
  std::string root_pem_;
  std::optional<Result<Answer>> answer_;
};

/// What came back must be for our key and name, and from the root that the token pinned.
Result<void> check(const Answer& answer, const Settings& settings, const std::string& key_pem,
                   const wire::EnrolmentToken& token) {
  const auto certificate = identity::read_certificate(answer.enrolled.certificate_pem);
  const auto root = identity::read_certificate(answer.enrolled.authority_pem);
  if (!certificate || certificate->common_name != settings.agent ||
      !identity::key_fits_certificate(key_pem, answer.enrolled.certificate_pem)) {
    return fail(ErrorCode::bad_input, "the coordinator's certificate is not for our key and name");
  }
  if (!root || root->fingerprint != token.authority) {
    return fail(ErrorCode::not_allowed, "the coordinator's root is not the one of the token");
  }
  return {};
}

Result<void> keep(const Settings& settings, const wire::EnrolmentToken& token,
                  const std::string& key_pem, const Answer& answer) {
  const StateFiles files(settings.state_dir);
  if (auto ready = files.prepare(); !ready) return ready;
  if (auto saved = files.save_authority(answer.enrolled.authority_pem); !saved) return saved;
  if (auto saved = files.save_reset_key(to_hex(answer.enrolled.reset_public_key)); !saved) {
    return saved;
  }
  // A new coordinator counts its epochs anew; nothing of an earlier one is kept.
  if (auto saved = files.save_memory({0, {}, token.host, token.port}); !saved) return saved;
  return files.save_identity(key_pem, answer.enrolled.certificate_pem);
}

}  // namespace

Result<void> enroll(const Settings& settings, const std::string& token_text, const Clock& clock) {
  auto token = wire::decode_token(token_text);
  if (!token) return fail(token.error());
  if (token->agent != settings.agent) {
    return fail(ErrorCode::bad_input, "this token is for agent '" + token->agent +
                                          "', the configuration is of '" + settings.agent + "'");
  }
  auto key = identity::generate_key_pem();
  if (!key) return fail(key.error());
  auto request = identity::make_signing_request(*key, settings.agent);
  if (!request) return fail(request.error());

  identity::TimeFloor time(clock, StateFiles(settings.state_dir).time_file());
  (void)time.load();
  tls::ClientOptions options;
  options.server_name = identity::coordinator_server_name;
  options.ca_fingerprint = token->authority;
  options.now = [&time] { return time.now(); };
  auto context = tls::Context::client(std::move(options));
  if (!context) return fail(context.error());

  wire::Enroll question{wire::protocol_version, token->secret, settings.agent, std::move(*request)};
  auto frame = wire::encode_frame(wire::encode(question));
  if (!frame) return fail(frame.error());
  Exchange exchange(std::move(*context), std::move(*frame));
  const bool configured = !settings.host.empty();
  auto answer = exchange.run(configured ? settings.host : token->host,
                             configured ? settings.port : token->port);
  if (!answer) return fail(answer.error());
  if (auto checked = check(*answer, settings, *key, *token); !checked) return checked;
  return keep(settings, *token, *key, *answer);
}

}  // namespace firebreak::uplink
