#pragma once

#include <vector>

#include "agent/uplink/discovery/finding.h"

namespace firebreak::uplink {

/// Sets each finding's standing against the configured printers, and adds those that are missing:
///   known    at the configured address, and nothing says that it is another one; or not come
///            across by the scan, and it answers the guard;
///   moved    the identity of a configured printer at another address;
///   new      anything else, also another identity at a configured address (the note says so);
///   missing  a configured printer that does not answer the guard and was not found. Without the
///            guard nobody knows, and none is called missing.
/// An announcement proves nothing: what is only announced says so in its note. Several findings of
/// one kind and address become one, the surest.
std::vector<Finding> compare(std::vector<Finding> found, const std::vector<KnownPrinter>& known);

/// "http://Octopi.local:80/" and "http://octopi.local" are one address.
std::string normal_address(std::string address);

}  // namespace firebreak::uplink
