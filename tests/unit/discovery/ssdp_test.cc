#include "agent/uplink/discovery/ssdp.h"

#include <gtest/gtest.h>

namespace firebreak::uplink {
namespace {

std::string announcement(const std::string& more = {}) {
  return "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nServer: UPnP/1.0\r\n"
         "Location: 192.168.1.40\r\nNT: urn:bambulab-com:device:3dprinter:1\r\n"
         "USN: 01S00C123456789\r\nCache-Control: max-age=1800\r\n"
         "DevModel.bambu.com: BL-P001\r\nDevName.bambu.com: Left one\r\n"
         "DevSignal.bambu.com: -45\r\nDevConnect.bambu.com: lan\r\n" +
         more + "\r\n";
}

TEST(Announcement, tells_serial_address_model_and_name_and_proves_nothing) {
  const auto found = parse_bambu_announcement(announcement());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, "bambu");
  EXPECT_EQ(found->identity, "01S00C123456789");
  EXPECT_EQ(found->address, "192.168.1.40");
  EXPECT_EQ(found->claims, "BL-P001");
  EXPECT_EQ(found->name, "Left one");
  EXPECT_EQ(found->sureness, Sureness::announced);
  EXPECT_EQ(found->note, "");
}

TEST(Announcement, of_a_printer_without_lan_mode_says_what_to_do) {
  auto text = announcement();
  text.replace(text.find("com: lan"), 8, "com: cloud");
  ASSERT_TRUE(parse_bambu_announcement(text));
  EXPECT_NE(parse_bambu_announcement(text)->note.find("LAN mode"), std::string::npos);
}

TEST(Announcement, that_is_cut_off_anywhere_is_none_or_a_whole_one) {
  const auto whole = announcement();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto found = parse_bambu_announcement(whole.substr(0, size));
    if (!found) continue;
    EXPECT_LE(found->identity.size(), 15U);
    EXPECT_EQ(found->address, "192.168.1.40") << size;
  }
}

TEST(Announcement, of_other_devices_and_of_hostile_senders_is_none) {
  EXPECT_FALSE(parse_bambu_announcement(""));
  EXPECT_FALSE(parse_bambu_announcement("M-SEARCH * HTTP/1.1\r\n\r\n"));
  EXPECT_FALSE(parse_bambu_announcement(std::string(ssdp_bytes_max + 1, 'N')));
  const auto with = [](const char* from, const char* to) {
    auto text = announcement();
    const std::string wanted = from;
    return text.replace(text.find(wanted), wanted.size(), to);
  };
  EXPECT_FALSE(parse_bambu_announcement(with("3dprinter:1", "3dprinter:2")));
  EXPECT_FALSE(parse_bambu_announcement(with("192.168.1.40", "http://evil/")));
  EXPECT_FALSE(parse_bambu_announcement(with("192.168.1.40", "999.1.1.1")));
  EXPECT_FALSE(parse_bambu_announcement(with("01S00C123456789", "../../etc/passwd")));
  EXPECT_FALSE(parse_bambu_announcement(with("01S00C123456789", std::string(33, 'A').c_str())));
}

TEST(Announcement, cannot_change_what_was_read_by_a_second_header) {
  const auto found = parse_bambu_announcement(announcement("USN: OTHER\r\nLocation: 10.0.0.1\r\n"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->identity, "01S00C123456789");
  EXPECT_EQ(found->address, "192.168.1.40");
}

TEST(Announcement, name_reaches_a_screen_short_and_without_control_characters) {
  auto text = announcement();
  text.replace(text.find("Left one"), 8, "\x1b[2J" + std::string(500, 'x') + "\xff");
  const auto found = parse_bambu_announcement(text);
  ASSERT_TRUE(found);
  EXPECT_LE(found->name.size(), shown_bytes_max);
  EXPECT_EQ(found->name.find('\x1b'), std::string::npos);
}

TEST(Announcement, headers_beyond_the_32nd_are_not_read) {
  std::string text = "NOTIFY * HTTP/1.1\r\n";
  for (int i = 0; i < 40; ++i) text += "a: b\r\n";
  text += announcement().substr(19);
  ASSERT_LE(text.size(), ssdp_bytes_max);
  EXPECT_FALSE(parse_bambu_announcement(text));
}

}  // namespace
}  // namespace firebreak::uplink
