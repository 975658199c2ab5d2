#include "agent/guard/links/port_discovery.h"

#include <gtest/gtest.h>

namespace firebreak::guard {
namespace {

PortInfo usb_port(const std::string& device, const std::string& place, const std::string& by_id,
                  const std::string& serial) {
  PortInfo info;
  info.device = device;
  info.by_path = "/dev/serial/by-path/" + place;
  if (!by_id.empty()) info.by_id = "/dev/serial/by-id/" + by_id;
  info.usb_serial = serial;
  info.usb_vendor = 0x1a86;
  info.usb_product = 0x7523;
  return info;
}

const std::string ch340 = "usb-1a86_USB_Serial-if00-port0";

TEST(PortName, by_id_is_refused_when_two_boards_share_it) {
  // udev has given the one link to the second board.
  const std::vector ports{usb_port("/dev/ttyUSB0", "usb-0:1.2", "", ""),
                          usb_port("/dev/ttyUSB1", "usb-0:1.3", ch340, "")};
  const auto checked = check_port_name("/dev/serial/by-id/" + ch340, ports);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::bad_input);
  EXPECT_NE(checked.error().message.find("/dev/serial/by-path/usb-0:1.3"), std::string::npos);
  EXPECT_NE(checked.error().message.find("/dev/serial/by-path/usb-0:1.2"), std::string::npos);
  EXPECT_TRUE(check_port_name("/dev/serial/by-path/usb-0:1.3", ports));
}

TEST(PortName, by_id_is_good_where_boards_have_numbers_of_their_own) {
  const std::vector ports{usb_port("/dev/ttyUSB0", "usb-0:1.2", "usb-a_1", "1"),
                          usb_port("/dev/ttyUSB1", "usb-0:1.3", "usb-a_2", "2")};
  EXPECT_TRUE(check_port_name("/dev/serial/by-id/usb-a_1", ports));
}

TEST(PortName, is_not_judged_while_it_is_not_plugged_in) {
  EXPECT_TRUE(check_port_name("/dev/serial/by-id/" + ch340, {}));
}

TEST(PortName, lists_ports_without_opening_any) {
  for (const auto& port : list_ports()) EXPECT_FALSE(port.device.empty());
}

}  // namespace
}  // namespace firebreak::guard
