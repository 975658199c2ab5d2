#include "tests/simulator/kinds/klipper.h"

#include <algorithm>

namespace firebreak::sim {
namespace {

using nlohmann::json;

constexpr char kEnd = '\x03';
constexpr std::size_t kRequestBytes = 1 << 20;
constexpr std::size_t kPourBytes = 65536;
constexpr Nanos kPourPeriod = std::chrono::milliseconds(5);

}  // namespace

KlipperSocket::KlipperSocket(Reactor* reactor, const WireFaults* faults, Timers* timers,
                             RequestCount* requests)
    : faults_(faults),
      timers_(timers),
      requests_(requests),
      listener_(reactor, [this](std::shared_ptr<Stream> stream) { accept(std::move(stream)); }) {}

std::string KlipperSocket::listen(const std::string& path) { return listener_.listen_unix(path); }

void KlipperSocket::listen_again() {
  if (!listener_.listening() && !faults_->has("gone")) listener_.listen_unix(listener_.address());
}

void KlipperSocket::accept(std::shared_ptr<Stream> stream) {
  const int id = next_client_++;
  Client& client = clients_[id];
  client.stream = stream;
  stream->start([this, id](std::string_view bytes) { take(id, bytes); }, [this, id] { end(id); });
}

void KlipperSocket::take(int id, std::string_view bytes) {
  clients_[id].input += bytes;
  while (clients_.count(id) > 0) {
    std::string& input = clients_[id].input;
    const std::size_t stop = input.find(kEnd);
    if (stop == std::string::npos) break;
    const json request = json::parse(input.substr(0, stop), nullptr, false);
    input.erase(0, stop + 1);
    if (request.is_discarded() || !request.is_object()) continue;
    if (request.contains("id")) {
      requests_->begin();
      ++clients_[id].unanswered;
    }
    try {
      klippy_->request(id, request);
    } catch (const json::exception&) {  // of another shape: klippy would log it and answer nothing
    }
  }
  if (clients_.count(id) > 0 && clients_[id].input.size() > kRequestBytes) end(id);
}

void KlipperSocket::end(int id) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  for (; found->second.unanswered > 0; --found->second.unanswered) requests_->end();
  found->second.stream->close();
  clients_.erase(found);
  klippy_->forget(id);
}

bool KlipperSocket::send(int id, const json& message) {
  if (clients_.count(id) == 0) return false;
  const bool answer = message.contains("id");
  const std::string text = faults_->spoil(message.dump());
  const Nanos delay{static_cast<std::int64_t>(faults_->value("slow") * 1e9)};
  const auto carry_out = [this, id, text, answer] {
    if (answer && clients_.count(id) > 0 && clients_[id].unanswered > 0) {
      --clients_[id].unanswered;
      requests_->end();
    }
    deliver(id, text);
  };
  if (delay > Nanos{0}) {
    timers_->at(printer_->now() + delay, carry_out);
  } else {
    carry_out();
  }
  return true;
}

void KlipperSocket::deliver(int id, const std::string& text) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || faults_->has("silent")) return;
  Stream& stream = *found->second.stream;
  if (faults_->has("endless_body")) {
    stream.write(text.substr(0, text.size() - 1));
    return pour(id);
  }
  if (faults_->has("cut_off")) {
    stream.write(text.substr(0, text.size() / 2));
    return end(id);
  }
  stream.write(text + kEnd);
}

void KlipperSocket::pour(int id) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || !faults_->has("endless_body")) return;
  if (found->second.stream->unwritten() == 0)
    found->second.stream->write(std::string(kPourBytes, ' '));
  timers_->at(printer_->now() + kPourPeriod, [this, id] { pour(id); });
}

void KlipperSocket::drop_clients() {
  listener_.close();
  while (!clients_.empty()) end(clients_.begin()->first);
}

Klipper::Klipper(KindContext context)
    : Kind(std::move(context)),
      socket_(context_.reactor, &faults_, &timers_, &requests_),
      klippy_(context_.printer, context_.setup,
              {[this](int client, const json& message) { socket_.send(client, message); },
               [this] { socket_.drop_clients(); }, [this] { socket_.listen_again(); },
               [this](const std::string& how) { stop_read(how); }}) {
  socket_.serve(&klippy_, context_.printer);
}

std::string Klipper::open() {
  if (setup().socket.empty()) return "a printer of kind klipper needs `socket`";
  return socket_.listen(setup().socket);
}

void Klipper::advance() {
  timers_.run(printer().now());
  klippy_.advance();
}

std::optional<Nanos> Klipper::next_event() const {
  const auto timer = timers_.next();
  const auto own = klippy_.next_event();
  return timer && own ? std::min(timer, own) : own;
}

bool Klipper::print(const std::string& name, const std::string& gcode) {
  if (klippy_.state() != KlippyState::ready) return false;
  klippy_.start_print(name, gcode);
  return true;
}

std::initializer_list<const char*> Klipper::own_faults() const {
  static constexpr std::initializer_list<const char*> kFaults = {
      "gone",         "silent",       "slow",        "frozen_values", "big_body",
      "endless_body", "invalid_utf8", "wrong_shape", "cut_off",       "other_printer"};
  return kFaults;
}

void Klipper::on_fault(const std::string& name, bool on) {
  if (name == "gone") on ? klippy_.die() : klippy_.start();
  if (name == "frozen_values") klippy_.set_frozen(on);
  if (name == "other_printer") klippy_.set_host_name(on ? "another" : setup().host_name);
}

json Klipper::own_state() const {
  return {{"klippy_state", klippy_state_name(klippy_.state())},
          {"state_message", klippy_.state_message()}};
}

}  // namespace firebreak::sim
