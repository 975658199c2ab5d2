// The server's end of a websocket (RFC 6455); framing by wslay.
#pragma once

#include <wslay/wslay.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tests/simulator/kinds/kind.h"
#include "tests/simulator/kinds/stream.h"

namespace firebreak::sim {

class WebSocket {
 public:
  using Message = std::function<void(const std::string&)>;

  WebSocket(std::shared_ptr<Stream> stream, const WireFaults* faults);
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  // Text messages of the client.
  void on_message(Message message) { message_ = std::move(message); }
  // One text message, as the faults leave it.
  void send(const std::string& text);
  // Bytes of the client.
  void take(std::string_view bytes);
  bool open() const { return stream_->open(); }

  // The answer to the client's key.
  static std::string accept_key(const std::string& key);

 private:
  void flush();

  std::shared_ptr<Stream> stream_;
  const WireFaults* faults_;
  wslay_event_context_ptr context_ = nullptr;
  Message message_;
  std::string input_;
  std::string output_;
};

}  // namespace firebreak::sim
