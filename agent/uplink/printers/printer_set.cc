#include "agent/uplink/printers/printer_set.h"

namespace firebreak::uplink {

PrinterSet::PrinterSet(asio::io_context& io, const Clock& clock, const std::string& guard_socket,
                       const std::vector<PrinterSettings>& printers)
    : http_(io) {
  for (const auto& printer : printers) {
    auto client = make_printer(io, clock, http_, printer);
    if (client == nullptr) continue;
    lines_.push_back(
        GuardLine::create(io, clock, guard_socket, printer.name, printer.kind, std::move(client)));
  }
}

PrinterSet::~PrinterSet() { close(); }

void PrinterSet::start() {
  for (auto& line : lines_) line->start();
}

void PrinterSet::close() {
  for (auto& line : lines_) line->close();
}

}  // namespace firebreak::uplink
