#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/uplink/printers/guard_line.h"
#include "agent/uplink/printers/make_printer.h"

namespace firebreak::uplink {

/// All network printers of this host. They need no coordinator and no enrolment: the guard is told
/// of them in either case. One thread, the io_context's.
class PrinterSet {
 public:
  PrinterSet(asio::io_context& io, const Clock& clock, const std::string& guard_socket,
             const std::vector<PrinterSettings>& printers);
  ~PrinterSet();
  PrinterSet(const PrinterSet&) = delete;
  PrinterSet& operator=(const PrinterSet&) = delete;

  void start();
  void close();

 private:
  HttpWorker http_;
  std::vector<std::shared_ptr<GuardLine>> lines_;
};

}  // namespace firebreak::uplink
