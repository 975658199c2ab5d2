#include "agent/guard/control/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include "agent/guard/control/client.h"

namespace firebreak::guard {
namespace {

// Newcomers of one round; the rest stay in the kernel's backlog until the next.
constexpr int accepts_per_round = 8;

void refuse(int fd, std::string_view code, std::string_view message) {
  const std::string line = problem_answer(code, message) + "\n";
  // One try: a caller that cannot take 200 bytes at once has no business here.
  (void)!send(fd, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  close(fd);
}

// Whether this request can be performed in this round.
bool ready(const Client& client, const Request& request, MonotonicTime now, bool look_again) {
  if (!request.waiting) return true;
  return look_again || now >= request.next_look || !client.may_wait();
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::create(const ControlPaths& paths,
                                                             const ControlRights& rights,
                                                             GuardService& service,
                                                             const Clock& clock) {
  auto operators = Listener::open(paths.operator_socket, rights.operator_group, 0660, 0600);
  if (!operators) return fail(operators.error());
  // Without CAP_CHOWN the file cannot be given to the uplink's group; then everybody may knock and
  // the kernel's word on who it is decides before a slot is taken.
  const bool own = rights.uplink_uid == rights.own_uid;
  auto uplinks = Listener::open(paths.uplink_socket, rights.uplink_group, 0660, own ? 0600 : 0666);
  if (!uplinks) return fail(uplinks.error());
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    return fail(ErrorCode::unavailable, "the control sockets cannot be served: no eventfd");
  }
  return std::unique_ptr<ControlServer>(new ControlServer(
      std::move(*operators), std::move(*uplinks), wake_fd, rights, service, clock));
}

ControlServer::ControlServer(Listener operators, Listener uplinks, int wake_fd,
                             const ControlRights& rights, GuardService& service, const Clock& clock)
    : operators_(std::move(operators)),
      uplinks_(std::move(uplinks)),
      wake_fd_(wake_fd),
      rights_(rights),
      service_(service),
      clock_(clock) {}

ControlServer::~ControlServer() { close(wake_fd_); }

void ControlServer::wake() noexcept {
  const std::uint64_t one = 1;
  (void)!write(wake_fd_, &one, sizeof(one));
}

void ControlServer::run(const std::atomic<bool>& stop, const std::function<void()>& beat) noexcept {
  while (!stop.load(std::memory_order_relaxed)) {
    try {
      if (beat) beat();
      step(round_max);
    } catch (const std::exception&) {
      // Only an allocation can get here. Dropping every client gives the memory back and leaves
      // nothing half done; they reconnect.
      clients_.clear();
    }
  }
}

void ControlServer::attend_stops() noexcept {
  try {
    const bool look_again = look_again_;
    poll_and_receive(std::chrono::milliseconds{0});
    look_again_ = look_again_ || look_again;
    perform_stops();
  } catch (const std::exception&) {
    // No memory for a newcomer: the round that is going on deals with it.
  }
}

void ControlServer::step(std::chrono::milliseconds wait_max) {
  poll_and_receive(sleep_for(wait_max));
  perform_stops();
  perform_one_other();
  send_and_expire();
}

std::chrono::milliseconds ControlServer::sleep_for(std::chrono::milliseconds wait_max) const {
  const auto now = clock_.now();
  auto until = now + wait_max;
  for (const auto& client : clients_) {
    until = std::min(until, client->deadline());
    if (const Request* request = client->next(); request != nullptr) {
      if (ready(*client, *request, now, look_again_)) return std::chrono::milliseconds{0};
      until = std::min(until, request->next_look);
    }
  }
  // Rounded up: waking a moment early would spin until the deadline.
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(until - now),
                  std::chrono::milliseconds{0});
}

void ControlServer::poll_and_receive(std::chrono::milliseconds wait_max) {
  std::vector<pollfd> fds;
  fds.reserve(clients_.size() + 3);
  fds.push_back({wake_fd_, POLLIN, 0});
  fds.push_back({operators_.fd(), POLLIN, 0});
  fds.push_back({uplinks_.fd(), POLLIN, 0});
  for (const auto& client : clients_) {
    const int wanted = (client->wants_input() ? POLLIN : 0) | (client->has_output() ? POLLOUT : 0);
    fds.push_back({client->fd(), static_cast<short>(wanted), 0});
  }
  if (poll(fds.data(), fds.size(), static_cast<int>(wait_max.count())) <= 0) return;
  if (fds[0].revents != 0) {
    std::uint64_t count = 0;
    (void)!read(wake_fd_, &count, sizeof(count));
    look_again_ = true;
  }
  const auto now = clock_.now();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if ((fds[i + 3].revents & (POLLIN | POLLHUP | POLLERR)) != 0) clients_[i]->receive(now);
  }
  // After the others, so that `fds` still matches `clients_` above.
  if (fds[1].revents != 0) accept_from(operators_, false);
  if (fds[2].revents != 0) accept_from(uplinks_, true);
}

void ControlServer::accept_from(const Listener& listener, bool uplink) {
  for (int i = 0; i < accepts_per_round; ++i) {
    const int fd = accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;  // Nobody left, or no descriptor: poll reports it again.
    admit(fd, uplink);
  }
}

void ControlServer::admit(int fd, bool uplink) {
  auto peer = identify_peer(fd, uplink, rights_);
  if (!peer) return refuse(fd, "not_allowed", peer.error().message);
  const bool privileged = peer->uid == 0 || peer->uid == rights_.own_uid;
  if (!make_room(uplink, privileged)) {
    return refuse(fd, "busy", "all slots of this control socket are taken; try again in 5 s");
  }
  clients_.push_back(std::make_unique<Client>(fd, std::move(*peer), clock_.now()));
  // A stop is mostly the first thing that a newcomer says: it is not left for the next round.
  clients_.back()->receive(clock_.now());
}

bool ControlServer::make_room(bool uplink, bool privileged) {
  const std::size_t slots = uplink       ? uplink_clients_max
                            : privileged ? operator_clients_max
                                         : operator_clients_max - 1;
  const auto same = [&](const auto& client) { return client->peer().uplink == uplink; };
  const auto count = std::count_if(clients_.begin(), clients_.end(), same);
  if (static_cast<std::size_t>(count) < slots) return true;
  // Whoever has been silent for longest, with nothing asked, gives up its place.
  auto idlest = clients_.end();
  for (auto it = clients_.begin(); it != clients_.end(); ++it) {
    const bool candidate =
        same(*it) && (*it)->idle() && clock_.now() - (*it)->last_active() >= control_patience;
    if (!candidate) continue;
    if (idlest == clients_.end() || (*it)->last_active() < (*idlest)->last_active()) idlest = it;
  }
  if (idlest == clients_.end()) return false;
  clients_.erase(idlest);
  return true;
}

void ControlServer::perform_stops() {
  for (auto& client : clients_) {
    for (auto& request : client->queue()) {
      if (request.done || request.verb != "stop") continue;
      perform(request, service_, client->peer(), clock_.now(), false, stops_);
    }
  }
}

void ControlServer::perform_one_other() {
  const bool look_again = std::exchange(look_again_, false);
  const auto now = clock_.now();
  bool performed = false;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const std::size_t at = (turn_ + i) % clients_.size();
    Client& client = *clients_[at];
    Request* request = client.next();
    if (request == nullptr || !ready(client, *request, now, look_again)) continue;
    // A waiting request that is woken costs one look and is not a turn, else a wake-up would have
    // to be remembered for each; a first-time request ends the round, so that a stop that arrives
    // meanwhile waits for one request at most.
    if (!request->waiting && performed) continue;
    if (!request->waiting) {
      performed = true;
      turn_ = at + 1;
    }
    perform(*request, service_, client.peer(), now, client.may_wait(), stops_);
  }
}

void ControlServer::send_and_expire() {
  const auto now = clock_.now();
  for (auto& client : clients_) {
    client->send(now);
    client->expire(now);
    if (!client->serves().empty() && !client->has_output() && !client->closed()) {
      service_.serve(client->serves(), client->release());
    }
  }
  std::erase_if(clients_, [](const auto& client) { return client->closed(); });
}

}  // namespace firebreak::guard
