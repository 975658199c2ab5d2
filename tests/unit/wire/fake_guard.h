#pragma once

#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace firebreak::test {

/// The guard's uplink socket as the contract describes it, with a black box in memory. Records what
/// it was asked. Runs on the test's io_context.
class FakeGuard {
 public:
  FakeGuard(asio::io_context& io, std::string path);
  ~FakeGuard();

  void open();
  void close();  ///< As if killed: the socket and its file go.

  void add_event(const std::string& kind, const std::string& text);
  void new_log(const std::string& name);  ///< The black box was replaced; the old one stays served.

  std::vector<nlohmann::json> questions;  ///< Everything but status and events.
  std::map<std::string, std::vector<nlohmann::json>> logs;
  std::string log = "00000000000000aa";
  std::map<std::string, std::uint64_t> durable;
  nlohmann::json printers = nlohmann::json::array();
  int stops = 0;
  bool hold_events = false;  ///< `events` is never answered while set.
  bool answer_stop = true;

 private:
  struct Client;
  void accept();
  nlohmann::json answer(const nlohmann::json& question);
  nlohmann::json events_after(const nlohmann::json& question);

  asio::io_context& io_;
  const std::string path_;
  asio::local::stream_protocol::acceptor acceptor_;
  std::set<std::shared_ptr<Client>> clients_;
};

}  // namespace firebreak::test
