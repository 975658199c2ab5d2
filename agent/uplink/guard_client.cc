#include "agent/uplink/guard_client.h"

#include <asio/post.hpp>
#include <asio/write.hpp>
#include <nlohmann/json.hpp>

#include "common/log/log.h"
#include "common/wire/cbor.h"

namespace firebreak::uplink {

using asio::local::stream_protocol;

std::shared_ptr<GuardClient> GuardClient::create(asio::io_context& io, std::string path) {
  return std::shared_ptr<GuardClient>(new GuardClient(io, std::move(path)));
}

GuardClient::GuardClient(asio::io_context& io, std::string path)
    : io_(io), path_(std::move(path)), socket_(io), timer_(io) {}

void GuardClient::ask(const nlohmann::json& question, std::chrono::milliseconds timeout,
                      Answer answer) {
  std::string line = question.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  line += '\n';
  if (waiting_.size() >= waiting_max) {
    asio::post(io_, [answer = std::move(answer)] {
      answer(fail(ErrorCode::unavailable, "too many questions wait for the guard"));
    });
    return;
  }
  waiting_.push_back({std::move(line), timeout, std::move(answer)});
  if (asking_ || scheduled_) return;
  scheduled_ = true;
  asio::post(io_, [self = shared_from_this()] {
    self->scheduled_ = false;
    self->next();
  });
}

void GuardClient::close() { lose("closed"); }

void GuardClient::next() {
  if (asking_ || waiting_.empty()) return;
  if (!socket_.is_open() && !connect()) return;
  asking_ = true;
  ++turn_;
  timer_.expires_after(waiting_.front().timeout);
  timer_.async_wait([self = shared_from_this(), turn = turn_](std::error_code stopped) {
    if (!stopped && turn == self->turn_) self->lose("the guard does not answer");
  });
  send();
}

bool GuardClient::connect() {
  std::error_code code;
  socket_.open(stream_protocol(), code);
  if (!code) socket_.connect(stream_protocol::endpoint(path_), code);
  if (!code) socket_.non_blocking(true, code);
  if (code) {
    lose("the guard is not reachable at " + path_ + ": " + code.message());
    return false;
  }
  read();
  return true;
}

void GuardClient::send() {
  auto line = std::make_shared<std::string>(std::move(waiting_.front().line));
  asio::async_write(
      socket_, asio::buffer(*line),
      [self = shared_from_this(), line, turn = turn_](std::error_code code, std::size_t /*size*/) {
        if (code && turn == self->turn_) {
          self->lose("the guard ended the connection");
        }
      });
}

void GuardClient::read() {
  auto handler = [self = shared_from_this(), connection = connection_](std::error_code code,
                                                                       std::size_t size) {
    if (connection == self->connection_) self->on_read(code, size);
  };
  socket_.async_read_some(asio::buffer(chunk_), std::move(handler));
}

void GuardClient::on_read(std::error_code code, std::size_t size) {
  if (code) return lose("the guard ended the connection");
  const std::uint64_t connection = connection_;
  in_.append(chunk_.data(), size);
  std::size_t feed = 0;
  while ((feed = in_.find('\n')) != std::string::npos) {
    const std::string line = in_.substr(0, feed);
    in_.erase(0, feed + 1);
    auto answer = wire::parse_json(line);
    if (!asking_ || !answer) {
      return lose(answer ? "the guard answered what was not asked" : answer.error().message,
                  ErrorCode::corrupt);
    }
    finish(std::move(answer));
  }
  if (in_.size() > line_bytes_max) return lose("a line without an end", ErrorCode::corrupt);
  if (connection == connection_) read();
}

void GuardClient::finish(Result<nlohmann::json> result) {
  asking_ = false;
  ++turn_;
  timer_.cancel();
  Answer answer = std::move(waiting_.front().answer);
  waiting_.pop_front();
  try {
    answer(std::move(result));
  } catch (const std::exception& e) {
    log::error("an answer of the guard was not understood: {}", e.what());
  }
  if (!asking_ && !waiting_.empty()) next();
}

/// The connection is of no use any more; those who wait are told, outside of this call. The next
/// question connects anew.
void GuardClient::lose(std::string reason, ErrorCode kind) {
  asking_ = false;
  ++turn_;
  ++connection_;
  timer_.cancel();
  in_.clear();
  std::error_code ignored;
  socket_.close(ignored);
  auto lost = std::make_shared<std::deque<Question>>(std::move(waiting_));
  waiting_.clear();
  asio::post(io_, [lost, reason = std::move(reason), kind] {
    for (Question& question : *lost) question.answer(fail(kind, reason));
  });
}

}  // namespace firebreak::uplink
