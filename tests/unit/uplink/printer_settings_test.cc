// The `printers` of uplink.yaml: what is refused, and in which words.
#include "agent/uplink/printers/printer_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace firebreak::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class PrinterSettingsFile : public ::testing::Test {
 protected:
  PrinterSettingsFile() {
    std::string name = "/tmp/firebreak-settings-XXXXXX";
    folder = ::mkdtemp(name.data());
  }
  ~PrinterSettingsFile() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  void write_key(const std::string& text, mode_t mode = 0600) {
    const auto file = folder / "key";
    std::ofstream(file) << text;
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
  }
  Result<std::vector<uplink::PrinterSettings>> read(json printers) {
    return uplink::read_printers({{"printers", std::move(printers)}}, folder);
  }
  void expect_refused(json printers, const std::string& words) {
    const auto got = read(std::move(printers));
    ASSERT_FALSE(got.has_value()) << words;
    EXPECT_EQ(got.error().code, ErrorCode::bad_input);
    EXPECT_THAT(got.error().message, HasSubstr("printer p1"));
    EXPECT_THAT(got.error().message, HasSubstr(words));
  }

  std::filesystem::path folder;
  const json one = {
      {"name", "p1"}, {"kind", "octoprint"}, {"address", "http://a/"}, {"key_file", "key"}};
};

TEST_F(PrinterSettingsFile, APrinterIsReadWithItsKeyFromItsOwnFile) {
  write_key("0123456789ABCDEF\n");
  const auto got = read({one});
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->at(0).key, "0123456789ABCDEF");
  EXPECT_EQ(got->at(0).address, "http://a") << "without a slash at its end";
  EXPECT_EQ(got->at(0).every, std::chrono::milliseconds{1000});
}

TEST_F(PrinterSettingsFile, NoPrintersAreNoError) {
  const auto got = uplink::read_printers(json::object(), folder);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(got->empty());
}

TEST_F(PrinterSettingsFile, AKeyThatOthersMayReadIsRefusedAndNeverShown) {
  for (const mode_t mode : {0640U, 0604U, 0660U, 0644U}) {
    write_key("TOPSECRET", mode);
    expect_refused({one}, "chmod 600");
    EXPECT_THAT(read({one}).error().message, Not(HasSubstr("TOPSECRET")));
  }
}

TEST_F(PrinterSettingsFile, AKeyFileThatHoldsNoKeyIsRefused) {
  expect_refused({one}, "key");
  for (const auto& text : {std::string(), std::string("\n\n"), std::string("two words"),
                           std::string("a\nb"), std::string(257, 'x'), std::string("k\x01y"),
                           std::string("caf\xc3\xa9"), std::string("a\r\nX-Evil: b")}) {
    write_key(text);
    expect_refused({one}, "key");
  }
  write_key(std::string(256, 'x'));
  EXPECT_TRUE(read({one}).has_value());
}

TEST_F(PrinterSettingsFile, ANameOrAnAddressIsThereOnce) {
  auto first = one, second = one;
  first.erase("key_file");
  second.erase("key_file");
  second["address"] = "http://b";
  expect_refused({first, second}, "is there twice");
  // The same place, written otherwise.
  for (const auto* same : {"http://a", "http://a//", "http://A", "http://a:80"}) {
    first["name"] = "p0";
    second["name"] = "p1";
    second["address"] = same;
    expect_refused({first, second}, "another printer has the address");
  }
  second["address"] = "http://a:8080";
  EXPECT_TRUE(read({first, second}).has_value());
}

TEST_F(PrinterSettingsFile, AnAddressFitsItsKind) {
  auto http = one;
  http.erase("key_file");
  for (const auto* wrong : {"a", "ftp://a", "file:///etc/passwd"}) {
    http["address"] = wrong;
    expect_refused({http}, "must begin with http:// or https://");
  }
  json bambu = {{"name", "p1"}, {"kind", "bambu"}, {"address", "http://a"}, {"serial", "01S"}};
  expect_refused({bambu}, "without http://");
  bambu["address"] = "192.0.2.7";
  EXPECT_TRUE(read({bambu}).has_value());
  bambu.erase("serial");
  expect_refused({bambu}, "serial");
}

}  // namespace
}  // namespace firebreak::test
