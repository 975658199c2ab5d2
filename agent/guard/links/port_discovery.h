#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace firebreak::guard {

/// A serial port of this host, as the kernel describes it.
struct PortInfo {
  std::string device;   ///< /dev/ttyUSB0
  std::string by_path;  ///< /dev/serial/by-path/…: the place where it is plugged in; or empty.
  std::string by_id;    ///< /dev/serial/by-id/…: what the board says of itself; or empty.
  std::string description;              ///< For people, escaped.
  std::string usb_serial;               ///< Escaped; empty where the board has none (CH340).
  int usb_vendor = 0, usb_product = 0;  ///< 0 for ports that are no USB device.
};

/// All serial ports, found by libserialport and udev's links. Opens none of them: opening would
/// pulse DTR and end a print. Allocates; for start, setup and the re-opening of a lost port.
std::vector<PortInfo> list_ports();

/// True for names that check_port_name() can refuse; others need no look at the bus.
bool may_be_ambiguous(const std::filesystem::path& name);

/// Refuses a configured name that can mean another board tomorrow: a by-id name that several
/// plugged-in boards share (they have the same USB ids and no serial number of their own), with
/// the by-path names to use instead. Any other name is accepted; who answers is checked by M115.
Result<void> check_port_name(const std::filesystem::path& name, std::span<const PortInfo> ports);

}  // namespace firebreak::guard
