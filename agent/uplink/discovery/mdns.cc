#include "agent/uplink/discovery/mdns.h"

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-common/simple-watch.h>

#include <algorithm>
#include <array>
#include <memory>

#include "common/base/escape.h"

namespace firebreak::uplink {
namespace {

struct Service {
  const char* type;
  const char* kind;
};
constexpr std::array<Service, 5> services{{{"_octoprint._tcp", "octoprint"},
                                           {"_moonraker._tcp", "moonraker"},
                                           {"_prusalink._tcp", "prusalink"},
                                           {"_prusa-link._tcp", "prusalink"},
                                           {"_duet._tcp", "reprapfirmware"}}};

struct Round {
  AvahiClient* client = nullptr;
  std::vector<Finding> found;
};

const char* kind_of(const char* type) {
  const auto found = std::find_if(services.begin(), services.end(), [&](const Service& service) {
    return std::string_view(service.type) == type;
  });
  return found == services.end() ? "" : found->kind;
}

/// The value of a TXT record; empty where there is none.
std::string txt_value(AvahiStringList* records, const char* name) {
  AvahiStringList* found = avahi_string_list_find(records, name);
  if (found == nullptr) return {};
  char* key = nullptr;
  char* value = nullptr;
  std::size_t size = 0;
  if (avahi_string_list_get_pair(found, &key, &value, &size) != 0) return {};
  std::string text = value == nullptr ? std::string() : std::string(value, size);
  avahi_free(key);
  avahi_free(value);
  return escape_untrusted(text, shown_bytes_max);
}

void on_resolved(AvahiServiceResolver* resolver, AvahiIfIndex, AvahiProtocol,
                 AvahiResolverEvent event, const char* name, const char* type, const char*,
                 const char*, const AvahiAddress* address, std::uint16_t port,
                 AvahiStringList* records, AvahiLookupResultFlags, void* into) {
  auto& found = static_cast<Round*>(into)->found;
  if (event == AVAHI_RESOLVER_FOUND && found.size() < findings_max) {
    char text[AVAHI_ADDRESS_STR_MAX] = {};
    avahi_address_snprint(text, sizeof text, address);
    Finding finding;
    finding.kind = kind_of(type);
    finding.address = "http://" + std::string(text);
    if (port != 80) finding.address += ":" + std::to_string(port);
    finding.name = escape_untrusted(name, shown_bytes_max);
    finding.claims = txt_value(records, "version");
    finding.identity = txt_value(records, "uuid");
    const bool seen = std::any_of(found.begin(), found.end(), [&](const Finding& one) {
      return one.kind == finding.kind && one.address == finding.address;
    });
    if (!seen) found.push_back(std::move(finding));
  }
  avahi_service_resolver_free(resolver);
}

void on_browsed(AvahiServiceBrowser*, AvahiIfIndex interface, AvahiProtocol protocol,
                AvahiBrowserEvent event, const char* name, const char* type, const char* domain,
                AvahiLookupResultFlags, void* into) {
  if (event != AVAHI_BROWSER_NEW) return;
  avahi_service_resolver_new(static_cast<Round*>(into)->client, interface, protocol, name, type,
                             domain, AVAHI_PROTO_INET, static_cast<AvahiLookupFlags>(0),
                             on_resolved, into);
}

Error no_daemon(int code) {
  return {ErrorCode::unavailable,
          std::string("avahi does not answer (") + avahi_strerror(code) +
              "): install and start avahi-daemon, or name hosts with --host"};
}

}  // namespace

Result<std::vector<Finding>> browse_mdns(std::chrono::milliseconds time,
                                         const Cancelled& cancelled) {
  const std::unique_ptr<AvahiSimplePoll, decltype(&avahi_simple_poll_free)> poll(
      avahi_simple_poll_new(), avahi_simple_poll_free);
  if (!poll) return fail(no_daemon(AVAHI_ERR_NO_MEMORY));
  int error = 0;
  const auto ignore_state = [](AvahiClient*, AvahiClientState, void*) {};
  // Freeing the client frees its browsers and resolvers too.
  const std::unique_ptr<AvahiClient, decltype(&avahi_client_free)> client(
      avahi_client_new(avahi_simple_poll_get(poll.get()), static_cast<AvahiClientFlags>(0),
                       ignore_state, nullptr, &error),
      avahi_client_free);
  if (!client) return fail(no_daemon(error));
  Round round{client.get(), {}};
  for (const Service& service : services) {
    avahi_service_browser_new(client.get(), AVAHI_IF_UNSPEC, AVAHI_PROTO_INET, service.type,
                              nullptr, static_cast<AvahiLookupFlags>(0), on_browsed, &round);
  }
  const auto until = std::chrono::steady_clock::now() + time;
  while (!cancelled && std::chrono::steady_clock::now() < until) {
    if (avahi_simple_poll_iterate(poll.get(), cancelled_look_ms) != 0) break;
  }
  return round.found;
}

}  // namespace firebreak::uplink
