#include "agent/uplink/discovery/compare.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "agent/uplink/discovery/known_printers.h"

namespace firebreak::uplink {
namespace {

Finding bambu(const std::string& address, const std::string& serial) {
  Finding finding;
  finding.kind = "bambu";
  finding.address = address;
  finding.identity = serial;
  return finding;
}

Finding answering(const std::string& kind, const std::string& address) {
  Finding finding;
  finding.kind = kind;
  finding.address = address;
  finding.sureness = Sureness::answered;
  return finding;
}

KnownPrinter known(const std::string& name, const std::string& kind, const std::string& address,
                   const std::string& link, std::vector<std::string> identities = {}) {
  KnownPrinter printer;
  printer.name = name;
  printer.kind = kind;
  printer.address = address;
  printer.link = link;
  printer.identities = std::move(identities);
  return printer;
}

TEST(Comparison, an_identity_at_its_address_is_known) {
  const auto found =
      compare({bambu("10.0.0.5", "S1")}, {known("x1", "bambu", "10.0.0.5", "ready", {"S1"})});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].standing, Standing::known);
  EXPECT_EQ(found[0].printer, "x1");
}

TEST(Comparison, an_identity_at_another_address_has_moved_and_is_not_missing_too) {
  const auto found =
      compare({bambu("10.0.0.9", "S1")}, {known("x1", "bambu", "10.0.0.5", "absent", {"S1"})});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].standing, Standing::moved);
  EXPECT_NE(found[0].note.find("10.0.0.5"), std::string::npos);
  EXPECT_NE(found[0].note.find("only announced"), std::string::npos)
      << "an announcement is no identity check";
}

TEST(Comparison, another_identity_at_a_configured_address_is_new_and_the_configured_one_missing) {
  const auto found = compare({bambu("10.0.0.5", "S2")},
                             {known("x1", "bambu", "10.0.0.5", "wrong_printer", {"S1"})});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].standing, Standing::fresh);
  EXPECT_NE(found[0].note.find("x1"), std::string::npos);
  EXPECT_EQ(found[1].standing, Standing::missing);
  EXPECT_EQ(found[1].printer, "x1");
}

TEST(Comparison, a_printer_without_an_identity_is_known_by_kind_and_address_alone) {
  const auto list = {known("o1", "octoprint", "http://octopi.local", "ready")};
  EXPECT_EQ(compare({answering("octoprint", "http://OctoPi.local:80/")}, list)[0].standing,
            Standing::known);
  EXPECT_EQ(compare({answering("moonraker", "http://octopi.local")}, list)[0].standing,
            Standing::fresh);
}

TEST(Comparison, a_configured_name_and_the_address_that_it_leads_to_are_one) {
  auto printer = known("o1", "octoprint", "http://octopi.local", "ready");
  printer.place = "http://10.0.0.8";
  EXPECT_EQ(compare({answering("octoprint", "http://10.0.0.8")}, {printer})[0].standing,
            Standing::known);
}

TEST(Comparison, a_port_is_known_by_any_of_its_names) {
  Finding port;
  port.kind = "serial";
  port.device = "/dev/ttyUSB0";
  port.address = "/dev/serial/by-path/p-1";
  auto printer = known("m1", "serial", "/dev/serial/by-id/x", "ready", {"uuid of its firmware"});
  printer.place = "/dev/ttyUSB0";
  EXPECT_EQ(compare({port}, {printer})[0].standing, Standing::known);
}

TEST(Comparison, a_lost_printer_is_missing_and_a_new_one_of_its_kind_may_be_it) {
  const auto found = compare({answering("octoprint", "http://10.0.0.8")},
                             {known("o1", "octoprint", "http://10.0.0.7", "absent")});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].standing, Standing::fresh);
  EXPECT_NE(found[0].note.find("o1"), std::string::npos);
  EXPECT_EQ(found[1].standing, Standing::missing);
  EXPECT_NE(found[1].note.find("diagnose --printer o1"), std::string::npos);
}

TEST(Comparison, nothing_is_called_missing_while_the_guard_is_silent) {
  EXPECT_TRUE(compare({}, {known("o1", "octoprint", "http://10.0.0.7", "")}).empty());
}

TEST(Comparison, what_answers_the_guard_is_known_without_being_asked_again) {
  const auto found = compare({}, {known("m1", "serial", "/dev/ttyUSB0", "halted")});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].standing, Standing::known);
}

TEST(Comparison, one_printer_found_twice_is_one_finding_the_surest) {
  auto announced = answering("moonraker", "http://10.0.0.8:7125");
  announced.sureness = Sureness::announced;
  announced.identity = "u1";
  const auto found = compare({announced, answering("moonraker", "http://10.0.0.8:7125/")}, {});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].sureness, Sureness::answered);
  EXPECT_EQ(found[0].identity, "u1");
}

TEST(KnownPrinters, join_the_guards_words_and_the_uplinks_addresses) {
  const auto status = nlohmann::json::parse(
      R"({"printers":[{"name":"o1","printing":true,"identity":{"uuid":"u1"},
                       "link":{"kind":"octoprint","state":"absent","why":"off","port":""}},
                      7,
                      {"name":"m1","link":{"kind":"serial","state":"ready",
                                           "port":"/dev/ttyUSB0"}}]})");
  PrinterSettings settings;
  settings.name = "o1";
  settings.kind = "octoprint";
  settings.address = "http://10.0.0.7";
  const auto printers = known_printers(status, {settings});
  ASSERT_EQ(printers.size(), 2U);
  EXPECT_EQ(printers[0].address, "http://10.0.0.7");
  EXPECT_EQ(printers[0].link, "absent");
  EXPECT_TRUE(printers[0].printing);
  EXPECT_EQ(printers[0].identities, (std::vector<std::string>{"u1"}));
  EXPECT_EQ(printers[1].address, "/dev/ttyUSB0");
}

TEST(KnownPrinters, without_a_guard_are_those_of_the_uplink_with_an_unknown_link) {
  PrinterSettings settings;
  settings.name = "x1";
  settings.kind = "bambu";
  settings.serial = "S1";
  for (const auto& status : {nlohmann::json(), nlohmann::json::object(), nlohmann::json(7),
                             nlohmann::json{{"printers", 7}}}) {
    const auto printers = known_printers(status, {settings});
    ASSERT_EQ(printers.size(), 1U);
    EXPECT_EQ(printers[0].link, "");
    EXPECT_EQ(printers[0].identities, (std::vector<std::string>{"S1"}));
  }
}

}  // namespace
}  // namespace firebreak::uplink
