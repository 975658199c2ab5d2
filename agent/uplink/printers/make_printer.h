#pragma once

#include <memory>

#include "agent/uplink/printers/http_worker.h"
#include "agent/uplink/printers/printer_client.h"
#include "agent/uplink/printers/printer_settings.h"

namespace firebreak::uplink {

/// The client for `settings.kind`. Everything referenced must outlive it.
std::shared_ptr<PrinterClient> make_printer(asio::io_context& io, const Clock& clock,
                                            HttpWorker& http, const PrinterSettings& settings);

/// How its HTTP interface is reached with the configured key.
std::shared_ptr<const HttpAccess> http_access(const PrinterSettings& settings);

}  // namespace firebreak::uplink
