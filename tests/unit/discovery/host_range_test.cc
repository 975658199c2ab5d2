#include "agent/uplink/discovery/host_range.h"

#include <gtest/gtest.h>

namespace firebreak::uplink {
namespace {

TEST(Range, of_24_bits_has_its_254_hosts) {
  const auto hosts = hosts_of_range("192.168.7.0/24");
  ASSERT_TRUE(hosts);
  ASSERT_EQ(hosts->size(), 254U);
  EXPECT_EQ(hosts->front(), "192.168.7.1");
  EXPECT_EQ(hosts->back(), "192.168.7.254");
}

TEST(Range, may_be_written_with_any_of_its_addresses) {
  EXPECT_EQ(hosts_of_range("10.1.2.9/30").value(),
            (std::vector<std::string>{"10.1.2.9", "10.1.2.10"}));
}

TEST(Range, of_one_or_two_addresses_has_all_of_them) {
  EXPECT_EQ(hosts_of_range("127.0.0.1/32").value(), (std::vector<std::string>{"127.0.0.1"}));
  EXPECT_EQ(hosts_of_range("10.0.0.2/31").value(),
            (std::vector<std::string>{"10.0.0.2", "10.0.0.3"}));
}

TEST(Range, larger_public_or_malformed_is_refused) {
  for (const char* bad :
       {"", "192.168.1.0", "192.168.1.0/", "192.168.1.0/23", "192.168.1.0/-1", "192.168.1.0/33",
        "192.168.1.0/24 ", "192.168.1.256/24", "192.168.1/24", "::1/64", "8.8.8.0/24",
        "172.32.0.0/24", "0.0.0.0/24", "192.168.1.0/99999999999", "/24"}) {
    EXPECT_FALSE(hosts_of_range(bad)) << bad;
  }
  EXPECT_TRUE(hosts_of_range("172.31.255.0/24"));
}

TEST(Host, has_a_name_and_perhaps_a_port) {
  EXPECT_EQ(read_host("octopi.local").value().host, "octopi.local");
  EXPECT_EQ(read_host("octopi.local").value().port, 0);
  EXPECT_EQ(read_host("10.0.0.7:5000").value().port, 5000);
  for (const char* bad :
       {"", ":80", "a:0", "a:65536", "a:b", "http://a", "a/b", "a b", "-o", "a@b", "[::1]:80"}) {
    EXPECT_FALSE(read_host(bad)) << bad;
  }
  EXPECT_FALSE(read_host(std::string(254, 'a')));
}

TEST(Host, of_a_configured_address_has_the_port_of_its_scheme) {
  EXPECT_EQ(host_of_address("http://a", 8883).port, 80);
  EXPECT_EQ(host_of_address("https://a", 8883).port, 443);
  EXPECT_EQ(host_of_address("http://a:7125/", 8883).port, 7125);
  EXPECT_EQ(host_of_address("http://a:7125/", 8883).host, "a");
  EXPECT_EQ(host_of_address("10.0.0.5", 8883).port, 8883);
}

}  // namespace
}  // namespace firebreak::uplink
