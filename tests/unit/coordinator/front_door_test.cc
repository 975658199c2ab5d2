#include "coordinator/front_door/front_door.h"

#include <gtest/gtest.h>

#include <asio.hpp>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include "common/identity/authority.h"
#include "hostile_corpus.h"
#include "tls_client.h"

namespace firebreak::coordinator {
namespace {

/// Says "hello" twice over a stream, when woken.
class Greeter final : public StreamSource {
 public:
  explicit Greeter(const std::atomic<int>& greetings) : greetings_(greetings) {}
  StreamChunk next() override {
    if (greetings_ < 0) throw std::runtime_error("a mistake");
    if (told_ == greetings_) return {};
    ++told_;
    return {"data: hello " + std::to_string(told_) + "\n\n", told_ == 2};
  }

 private:
  const std::atomic<int>& greetings_;
  int told_ = 0;
};

/// Answers everything and remembers what it was asked; `/wait` takes until it is let go.
class FakeHandler final : public RequestHandler {
 public:
  Answer handle(ParsedRequest request, const std::string&) override {
    std::unique_lock lock(mutex_);
    handled_.push_back(request.path);
    changed_.notify_all();
    if (request.path == "/mistake") throw std::runtime_error("a mistake");
    if (request.path == "/wait") changed_.wait(lock, [this] { return released_; });
    Answer answer;
    answer.authenticated = request.path != "/g";
    answer.close = !request.keep_alive;
    const std::string body = request.path == "/big" ? std::string(3'000'000, 'x') : "ok";
    answer.bytes =
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    if (request.path == "/stream") {
      answer.bytes = "HTTP/1.1 200 OK\r\n\r\n";
      answer.stream = std::make_unique<Greeter>(greetings);
    }
    return answer;
  }
  std::string refusal(const Refusal& refusal) override {
    return "HTTP/1.1 " + std::to_string(refusal.status) + " no\r\nContent-Length: 0\r\n\r\n";
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::move(handled_);
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return handled_.size() >= count; });
  }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  std::atomic<int> greetings = 0;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> handled_;
  bool released_ = false;
};

std::shared_ptr<tls::Context> server_context() {
  static const auto authority = identity::Authority::create(SystemClock().wall());
  static const auto issued =
      authority->issue_server({"localhost"}, SystemClock().wall(), std::chrono::hours{24});
  tls::ServerOptions options;
  options.credentials = {issued->certificate_chain_pem, issued->key_pem};
  return *tls::Context::server(std::move(options));
}

class Door {
 public:
  explicit Door(FrontDoorOptions options = {}) : door_(io_, handler, std::move(options)) {
    std::signal(SIGPIPE, SIG_IGN);
    EXPECT_TRUE(door_.start(server_context()));
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Door() {
    handler.release();
    door_.stop();
    work_.reset();  // Every connection tells its end before the loop has nothing left to do.
    thread_.join();
  }
  std::uint16_t port() const { return door_.port(); }
  void wake() { door_.wake_streams(); }
  FakeHandler handler;

 private:
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  FrontDoor door_;
  std::thread thread_;
};

const std::string get = "GET /g HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string last_get = "GET /g HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const std::string stop =
    "POST /api/v1/stop HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: "
    "application/json\r\nContent-Length: 2\r\n\r\n{}";

TEST(FrontDoor, answers_every_hostile_request_as_expected_and_runs_no_hidden_one) {
  Door door;
  for (const HostileRequest& hostile : hostile_corpus()) {
    if (hostile.status == 0) continue;
    SCOPED_TRACE(hostile.name);
    TlsClient client(door.port());
    ASSERT_TRUE(client.connected());
    client.send(hostile.raw);
    EXPECT_EQ(client.status(), hostile.status);
    if (hostile.handled.size() == 2)
      client.receive(
          "ok"
          "HTTP/1.1 200");
    if (hostile.status >= 400) client.receive();  // To its end: the server closes.
    EXPECT_EQ(door.handler.take(), hostile.handled);
  }
}

TEST(FrontDoor, serves_many_requests_on_one_connection_and_then_closes) {
  FrontDoorOptions options;
  options.requests_per_connection = 3;
  Door door(options);
  TlsClient client(door.port());
  client.send(get + get + get + get);
  client.receive();
  EXPECT_EQ(door.handler.take().size(), 3u);
}

TEST(FrontDoor, a_head_that_dribbles_ends_with_408_and_others_are_served_meanwhile) {
  FrontDoorOptions options;
  options.head = std::chrono::milliseconds{300};
  Door door(options);
  TlsClient slow(door.port());
  slow.send("GET /hidden HTTP/1.1\r\nHost: ");
  TlsClient other(door.port());
  other.send(last_get);
  EXPECT_EQ(other.status(), 200);
  EXPECT_EQ(slow.status(), 408);
  EXPECT_TRUE(slow.closed_by_server());
  EXPECT_EQ(door.handler.take(), std::vector<std::string>{"/g"});
}

TEST(FrontDoor, a_body_that_dribbles_ends_with_408) {
  FrontDoorOptions options;
  options.body = std::chrono::milliseconds{300};
  Door door(options);
  TlsClient slow(door.port());
  slow.send(
      "POST /p HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9"
      "\r\n\r\n{");
  EXPECT_EQ(slow.status(), 408);
}

TEST(FrontDoor, a_client_that_says_nothing_is_closed_before_and_after_its_handshake) {
  FrontDoorOptions options;
  options.head = options.handshake = std::chrono::milliseconds{300};
  Door door(options);
  TlsClient silent(door.port(), false);
  EXPECT_TRUE(silent.closed_by_server());
  TlsClient idle(door.port());
  EXPECT_TRUE(idle.closed_by_server());
}

TEST(FrontDoor, a_stop_passes_while_every_worker_is_busy_and_the_queue_is_full) {
  FrontDoorOptions options;
  options.workers = 1;
  options.waiting_max = 1;
  Door door(options);
  const std::string wait = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
  TlsClient busy(door.port()), queued(door.port()), refused(door.port());
  busy.send(wait);
  door.handler.wait_for(1);
  queued.send(wait);
  // The queued one and this one race for the one place: one of them is turned away.
  refused.send(wait);
  TlsClient stopper(door.port());
  stopper.send(stop);
  EXPECT_EQ(stopper.status(), 200);
  door.handler.release();
  EXPECT_EQ(busy.status(), 200);
  const int a = queued.status(), b = refused.status();
  EXPECT_EQ(std::min(a, b), 200);
  EXPECT_EQ(std::max(a, b), 503);
}

TEST(FrontDoor, a_newcomer_takes_the_place_of_the_oldest_that_has_shown_nothing) {
  FrontDoorOptions options;
  options.connections_per_address = 3;
  Door door(options);
  TlsClient oldest(door.port(), false);
  TlsClient one(door.port()), two(door.port()), newcomer(door.port());
  EXPECT_TRUE(oldest.closed_by_server());
  newcomer.send(stop);
  EXPECT_EQ(newcomer.status(), 200);
}

TEST(FrontDoor, when_everybody_has_a_token_the_reserve_serves_stops_alone) {
  FrontDoorOptions options;
  options.connections_per_address = 2;
  Door door(options);
  TlsClient one(door.port()), two(door.port());
  for (TlsClient* client : {&one, &two}) {
    client->send("GET /known HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(client->status(), 200);
    client->receive("\r\n\r\nok");
  }
  TlsClient reader(door.port());
  reader.send(last_get);
  EXPECT_EQ(reader.status(), 503);
  TlsClient stopper(door.port());
  stopper.send(stop);
  EXPECT_EQ(stopper.status(), 200);
}

TEST(FrontDoor, a_mistake_behind_it_ends_one_connection_and_no_other) {
  FrontDoorOptions patient;
  patient.head = std::chrono::minutes{1};
  Door door(patient);
  TlsClient other(door.port());
  for (const char* path : {"/mistake", "/stream"}) {
    door.handler.greetings = -1;
    TlsClient unlucky(door.port());
    unlucky.send(std::string("GET ") + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    unlucky.receive();  // Until the connection ends.
  }
  other.send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(other.receive().find("200 OK"), std::string::npos);
}

TEST(FrontDoor, writes_a_large_answer_whole) {
  Door door;
  TlsClient client(door.port());
  client.send("GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_GT(client.receive().size(), 3'000'000u);
}

TEST(FrontDoor, a_client_that_does_not_read_is_dropped) {
  FrontDoorOptions options;
  options.write = std::chrono::milliseconds{300};
  Door door(options);
  TlsClient lazy(door.port());
  lazy.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  door.handler.wait_for(1);
  TlsClient other(door.port());
  other.send(last_get);
  EXPECT_EQ(other.status(), 200);
}

TEST(FrontDoor, a_stream_is_woken_by_news_and_sends_heartbeats_between) {
  FrontDoorOptions options;
  options.heartbeat = std::chrono::milliseconds{100};
  Door door(options);
  TlsClient client(door.port());
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  client.receive(": still here\n\n");
  door.handler.greetings = 1;
  door.wake();
  client.receive("data: hello 1\n\n");
  door.handler.greetings = 2;
  door.wake();
  const std::string all = client.receive();
  EXPECT_NE(all.find("data: hello 2\n\n"), std::string::npos);
}

}  // namespace
}  // namespace firebreak::coordinator
