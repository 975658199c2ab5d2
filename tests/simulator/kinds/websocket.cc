#include "tests/simulator/kinds/websocket.h"

#include <algorithm>
#include <cstring>

#include "tests/simulator/kinds/hash.h"

namespace firebreak::sim {
namespace {

// RFC 6455, section 1.3.
constexpr char kGuid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

}  // namespace

WebSocket::WebSocket(std::shared_ptr<Stream> stream, const WireFaults* faults)
    : stream_(std::move(stream)), faults_(faults) {
  wslay_event_callbacks callbacks{};
  callbacks.recv_callback = [](wslay_event_context_ptr context, std::uint8_t* data,
                               std::size_t room, int, void* self) -> ssize_t {
    std::string& input = static_cast<WebSocket*>(self)->input_;
    if (input.empty()) {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    const std::size_t count = std::min(room, input.size());
    std::memcpy(data, input.data(), count);
    input.erase(0, count);
    return static_cast<ssize_t>(count);
  };
  callbacks.send_callback = [](wslay_event_context_ptr, const std::uint8_t* data, std::size_t size,
                               int, void* self) -> ssize_t {
    static_cast<WebSocket*>(self)->output_.append(reinterpret_cast<const char*>(data), size);
    return static_cast<ssize_t>(size);
  };
  callbacks.on_msg_recv_callback = [](wslay_event_context_ptr,
                                      const wslay_event_on_msg_recv_arg* arrived, void* self) {
    if (arrived->opcode != WSLAY_TEXT_FRAME) return;
    const Message& message = static_cast<WebSocket*>(self)->message_;
    const std::string text(reinterpret_cast<const char*>(arrived->msg), arrived->msg_length);
    if (message) message(text);
  };
  wslay_event_context_server_init(&context_, &callbacks, this);
}

WebSocket::~WebSocket() { wslay_event_context_free(context_); }

std::string WebSocket::accept_key(const std::string& key) { return sha1_base64(key + kGuid); }

void WebSocket::send(const std::string& text) {
  const std::string spoilt = faults_->spoil(text);
  const wslay_event_msg message{
      WSLAY_TEXT_FRAME, reinterpret_cast<const std::uint8_t*>(spoilt.data()), spoilt.size()};
  wslay_event_queue_msg(context_, &message);
  flush();
}

void WebSocket::take(std::string_view bytes) {
  input_ += bytes;
  if (wslay_event_recv(context_) != 0) return stream_->finish();
  flush();
  if (wslay_event_get_close_sent(context_) != 0) stream_->finish();
}

void WebSocket::flush() {
  wslay_event_send(context_);
  const std::string bytes = std::exchange(output_, {});
  if (bytes.empty() || faults_->has("silent")) return;
  if (faults_->has("close_mid_frame")) {
    stream_->write(std::string_view(bytes).substr(0, bytes.size() / 2));
    return stream_->finish();
  }
  stream_->write(bytes);
}

}  // namespace firebreak::sim
