#pragma once

#include <memory>
#include <string>

#include "agent/uplink/printers/http_worker.h"
#include "agent/uplink/printers/printer_client.h"

namespace firebreak::uplink {

/// One network printer of uplink.yaml.
struct PrinterSettings {
  std::string name;
  std::string kind;  ///< moonraker, octoprint, prusalink, reprapfirmware, bambu.
  std::string address;  ///< "http://host[:port]", or a host name for bambu.
  std::string key;      ///< API key, password or access code: read from its 0600 file.
  std::string user;     ///< prusalink; "maker" where it is not given.
  std::string serial;   ///< bambu: also the name in the printer's certificate.
  std::string public_key_pin;
  std::string expected_uuid, expected_machine;
  std::chrono::milliseconds every{1000};
};

/// The client for `settings.kind`. Everything referenced must outlive it.
std::shared_ptr<PrinterClient> make_printer(asio::io_context& io, const Clock& clock,
                                            HttpWorker& http, const PrinterSettings& settings);

}  // namespace firebreak::uplink
