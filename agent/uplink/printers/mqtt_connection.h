#pragma once

#include <asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace firebreak::uplink {

/// Where an MQTT broker with TLS is, who we are there, and who it must be.
struct MqttAccess {
  std::string host;  ///< A name or an address.
  std::uint16_t port = 8883;
  std::string user, password;
  std::string topic;  ///< The one that is read.
  /// "sha256//BASE64" of the certificate's public key: it alone decides. Where it is empty, the
  /// certificate must name `certificate_name` as its common name.
  std::string public_key_pin;
  std::string certificate_name;
};

/// Why a connection ended or did not come about.
enum class MqttLoss {
  absent,             ///< No answer, or the connection broke.
  wrong_certificate,  ///< Another key or name than expected; nothing of ours was sent.
  refused,            ///< It does not take the user, the password or the topic.
};

struct MqttHandlers {
  std::function<void()> up;  ///< The topic is subscribed.
  std::function<void(std::string_view payload)> message;
  std::function<void(MqttLoss, const std::string& why)> lost;  ///< Once; nothing comes after it.
};

/// One connection to an MQTT broker over TLS 1.2+, driven by libmosquitto on the io_context: no
/// thread of its own, nothing blocks, one thread calls. It lives for one attempt; who wants another
/// makes a new one.
///
/// What the check of the certificate proves. With `public_key_pin`: that the other side holds the
/// pinned private key, so it is the very machine whose key was noted. Without it: only that its
/// certificate *says* the expected name. A printer's certificate is signed by its vendor's own
/// authority, which no host's store knows, so the signature is not checked: the name guards against
/// a mix-up (a moved address, two printers swapped), not against somebody in the network who makes
/// a certificate with that name, and who would then be told the password.
///
/// Limits: an attempt ends after 8 s, silence after 15 s (keep-alive 10 s); more than
/// `unread_bytes_max` bytes in without a complete message ends it, so memory stays bounded
/// whatever length a packet claims.
class MqttConnection : public std::enable_shared_from_this<MqttConnection> {
 public:
  static constexpr std::size_t unread_bytes_max = std::size_t{512} * 1024;

  /// Begins to connect. Handlers are called on the io_context's thread, never from inside a call.
  static std::shared_ptr<MqttConnection> open(asio::io_context& io, const MqttAccess& access,
                                              MqttHandlers handlers);
  ~MqttConnection();
  MqttConnection(const MqttConnection&) = delete;
  MqttConnection& operator=(const MqttConnection&) = delete;

  /// Writes at once what the socket takes, the rest as soon as it can (QoS 1). unavailable: it is
  /// not connected.
  Result<void> publish(const std::string& topic, const std::string& payload);
  /// Ends it silently: no handler is called any more.
  void close();

 private:
  struct Parts;
  explicit MqttConnection(std::unique_ptr<Parts> parts);
  void resolve();
  void connect(const std::string& address);
  void arm();
  void tick();
  void turn();
  void run();
  void fail_with(MqttLoss loss, std::string why);
  void release();

  std::unique_ptr<Parts> parts_;
};

}  // namespace firebreak::uplink
