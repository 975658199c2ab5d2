#include "agent/uplink/printers/make_printer.h"

#include "agent/uplink/printers/bambu_client.h"
#include "agent/uplink/printers/moonraker.h"
#include "agent/uplink/printers/octoprint.h"
#include "agent/uplink/printers/prusalink.h"
#include "agent/uplink/printers/reprapfirmware.h"

namespace firebreak::uplink {

std::shared_ptr<const HttpAccess> http_access(const PrinterSettings& settings) {
  auto access = std::make_shared<HttpAccess>();
  access->base_url = settings.address;
  access->public_key_pin = settings.public_key_pin;
  if (settings.key.empty()) return access;
  if (settings.kind == "moonraker" || settings.kind == "octoprint") {
    access->headers.push_back("X-Api-Key: " + settings.key);
  }
  if (settings.kind == "prusalink") {
    access->user = settings.user.empty() ? "maker" : settings.user;
    access->password = settings.key;
  }
  return access;
}

std::shared_ptr<PrinterClient> make_printer(asio::io_context& io, const Clock& clock,
                                            HttpWorker& http, const PrinterSettings& settings) {
  if (settings.kind == "bambu") return BambuClient::create(io, clock, settings);
  const PollingClient::Parts parts{io,
                                   clock,
                                   http,
                                   http_access(settings),
                                   settings.every,
                                   settings.expected_uuid,
                                   settings.expected_machine};
  if (settings.kind == "moonraker") return std::make_shared<Moonraker>(parts);
  if (settings.kind == "octoprint") return std::make_shared<OctoPrint>(parts);
  if (settings.kind == "prusalink") return std::make_shared<PrusaLink>(parts);
  if (settings.kind == "reprapfirmware") {
    return std::make_shared<RepRapFirmware>(parts, settings.key);
  }
  return nullptr;
}

}  // namespace firebreak::uplink
