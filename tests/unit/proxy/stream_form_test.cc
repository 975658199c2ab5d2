// Packed lines, uploads and binary transfers: nothing of ours breaks them, and a stop gets through.
#include <gtest/gtest.h>

#include "agent/guard/proxy/binary_transfer.h"
#include "agent/guard/proxy/meatpack.h"
#include "agent/guard/stop/stop_bytes.h"
#include "tests/unit/links/link_bench.h"

namespace firebreak::guard {
namespace {

using namespace std::chrono_literals;

const std::string enable = "\xFF\xFF\xFB", off{meatpack::off};

std::string packed(const std::string& line) {
  std::array<char, 128> room{};
  return {room.data(), meatpack::pack(line, room)};
}

std::string unpacked(Unpacker& unpacker, const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto step = unpacker.take(byte);
    text.append(step.text.data(), step.size);
  }
  return text;
}

TEST(MeatPack, PacksAsTheFirmwareUnpacks) {
  // 'G' 13, '1' 1; ' ' and 'X' as 15 and 14; worked out by hand from Marlin's table.
  EXPECT_EQ(packed("G1\n"), "\x1D\x0C");
  EXPECT_EQ(packed("M105\n"), "\x1FM\x50\x0C");
  Unpacker unpacker;
  EXPECT_EQ(unpacked(unpacker, "M105\n"), "M105\n");
  unpacked(unpacker, enable);
  EXPECT_TRUE(unpacker.packs());
  EXPECT_EQ(unpacked(unpacker, "\x1D\xEB\x1F.\xCA"), "G1 X.1.\n");
  for (const std::string line : {"N12 G1 X10.5 Y-3 E1.25 F1200*77\n", "M117 hello\n", "T0\n"}) {
    EXPECT_EQ(unpacked(unpacker, packed(line)), line);
  }
  unpacked(unpacker, "\xFF\xFF\xF7");  // Spaces are left out: their place is that of E.
  EXPECT_EQ(unpacked(unpacker, "\x1D\xEB"), "G1EX");
  EXPECT_EQ(unpacked(unpacker, packed("G1 E2\n")), "G1 E2\n");
  unpacked(unpacker, off);
  EXPECT_EQ(unpacked(unpacker, "G1\n"), "G1\n");
}

TEST(MeatPack, IsTurnedOffWhereverItIsMet) {
  for (const std::string before : {"", "\x1F", "\xFF", "\xFF\xFF", "\x1D", "\xFFX"}) {
    Unpacker unpacker;
    unpacked(unpacker, enable + before);
    const auto text = unpacked(unpacker, off + "\nM112\n");
    EXPECT_TRUE(text.ends_with("\nM112\n")) << text;
  }
}

class StreamForms : public testing::Test {
 protected:
  StreamForms() {
    bench.autoreport = false;
    bench.run_to_ready();
    bench.host.open = true;
    bench.run(300ms);
  }
  void pack() {
    bench.say("[MP] PV01 OFF ESP\n");
    bench.run(100ms);
    bench.answer = [](const std::string&) { return ""; };
    bench.host.to_printer = enable;
    bench.run(100ms);
    bench.raw.clear();
  }
  void begin_binary() {
    bench.answer = [](const std::string&) { return ""; };
    bench.host.to_printer = "M28 B1\n";
    bench.run(100ms);
    bench.say("echo:Switching to Binary Protocol\nok\n");
    bench.run(100ms);
    bench.raw.clear();
  }
  void latch() {
    bench.shared.link_mode = LinkMode::latched;
    bench.run(300ms);
  }

  LinkBench bench;
};

TEST_F(StreamForms, PackedLinesPassUnchangedAndAreUnderstood) {
  pack();
  EXPECT_EQ(bench.shared.stream_form, StreamForm::packed);
  bench.take_events();
  const auto bytes = packed("M104 S200\n") + packed("G1 X10 E1\n");
  bench.host.to_printer = bytes;
  bench.run(300ms);
  EXPECT_EQ(bench.raw, bytes);
  EXPECT_NE(bench.take_events() & link_event::host_heats, 0U);
  EXPECT_EQ(bench.shared.printing, 1U);
}

TEST_F(StreamForms, AQuestionOfOursIsPackedToo) {
  pack();
  bench.run(5s);
  EXPECT_NE(bench.raw.find(packed("M105\n")), std::string::npos);
  EXPECT_EQ(bench.raw.find("M105\n"), std::string::npos);
}

TEST_F(StreamForms, APackedHostIsReadThroughWhereHeatIsForbidden) {
  pack();
  bench.shared.no_new_heat = 1;
  bench.host.to_printer = packed("M104 S200\n") + packed("G28\n");
  bench.run(300ms);
  EXPECT_EQ(bench.raw, off + "G28\n");
  bench.raw.clear();
  bench.shared.no_new_heat = 0;
  bench.host.to_printer = packed("G1 X5\n");
  bench.run(300ms);
  EXPECT_EQ(bench.raw, "G1 X5\n") << "plain, until the host says otherwise";
  bench.raw.clear();
  bench.host.to_printer = enable + packed("G1 X6\n");
  bench.run(300ms);
  EXPECT_EQ(bench.raw, enable + packed("G1 X6\n"));
}

TEST_F(StreamForms, AStoppedPackedPrinterGetsTheAllowlistPlain) {
  pack();
  latch();
  EXPECT_EQ(bench.shared.stream_form, StreamForm::packed) << "until the stop has been proven";
  bench.raw.clear();
  bench.host.to_printer = packed("M104 S200\n") + packed("M105\n") + enable;
  bench.run(300ms);
  EXPECT_EQ(bench.raw, "M105\n");
}

TEST_F(StreamForms, BytesThatNobodyCanReadKeepOurQuestionsAway) {
  bench.answer = [](const std::string&) { return ""; };
  bench.host.to_printer = "\x1D\x01\x02\x0A\n";
  bench.run(100ms);
  bench.raw.clear();
  bench.run(10s);
  EXPECT_EQ(bench.raw, "");
  EXPECT_EQ(bench.shared.stream_form, StreamForm::packed) << "a stop turns off what may be on";
}

TEST_F(StreamForms, NothingOfOursGoesIntoAFileThatIsUploaded) {
  bench.host.to_printer = "M28 part.gco\n";
  bench.run(100ms);
  bench.say("Writing to file: part.gco\n");
  bench.run(100ms);
  bench.raw.clear();
  bench.take_events();
  bench.host.to_printer = "N2 M104 S200*98\n";
  bench.run(10s);
  EXPECT_EQ(bench.raw, "N2 M104 S200*98\n");
  EXPECT_EQ(bench.take_events() & link_event::host_heats, 0U);
  EXPECT_EQ(bench.shared.stream_form, StreamForm::upload);
  bench.host.to_printer = "M29\n";
  bench.run(100ms);
  bench.say("Done saving file.\n");
  bench.run(5s);
  EXPECT_EQ(bench.shared.stream_form, StreamForm::text);
  EXPECT_NE(bench.raw.find("M105\n"), std::string::npos);
}

TEST_F(StreamForms, ABinaryTransferPassesUnchangedUntilItIsClosed) {
  begin_binary();
  std::string bytes;
  for (int i = 0; i < 600; ++i) bytes += static_cast<char>(i * 7);
  const auto close = binary_transfer::close_packet(3);
  bench.host.to_printer = bytes;
  bench.run(10s);
  EXPECT_EQ(bench.raw, bytes);
  EXPECT_EQ(bench.shared.stream_form, StreamForm::binary);
  bench.host.to_printer.assign(close.data(), close.size());
  bench.run(100ms);
  bench.say("ok3\n");
  bench.run(5s);
  EXPECT_EQ(bench.shared.stream_form, StreamForm::text);
  EXPECT_NE(bench.raw.find("M105\n"), std::string::npos);
}

TEST_F(StreamForms, AStopEndsABinaryTransferSoThatItsRepeatIsRead) {
  begin_binary();
  bench.host.to_printer = "\xAD\xB5\x02\x13\x40";  // A packet that is cut off.
  bench.say("ok1\n");
  bench.run(100ms);
  bench.raw.clear();
  latch();
  const auto close = binary_transfer::close_packet(2);
  const auto at = bench.raw.find(std::string(close.data(), close.size()));
  ASSERT_NE(at, std::string::npos);
  EXPECT_GE(at, binary_transfer::filler_bytes);
  bench.say("ok2\n");
  bench.raw.clear();
  bench.host.to_printer = "\x01\x02M104 S200\nM105\n";
  bench.run(3s);
  EXPECT_EQ(bench.raw.find(std::string(close.data(), close.size())), std::string::npos);
  EXPECT_EQ(bench.raw.find("M104 S200"), std::string::npos);
}

TEST(BinaryTransfer, MakesTheClosePacketOfMarlin) {
  // Fletcher over 05 02 00 00: low 05 07 07 07, high 05 0C 13 1A.
  const auto packet = binary_transfer::close_packet(5);
  EXPECT_EQ(std::string(packet.data(), packet.size()),
            std::string("\xAD\xB5\x05\x02\0\0\x07\x1A", 8));
  EXPECT_EQ(binary_transfer::acknowledged_packet("ok5"), 5);
  EXPECT_EQ(binary_transfer::acknowledged_packet("ok255"), 255);
  for (const auto* line : {"ok", "ok T:5", "ok256", "ok 5", "ok5 ", "rs5"}) {
    EXPECT_EQ(binary_transfer::acknowledged_packet(line), -1) << line;
  }
}

TEST(StopPrefix, StandsBeforeAStopThatWouldNotBeRead) {
  EXPECT_EQ(stop_prefix(StreamForm::text), "");
  EXPECT_EQ(stop_prefix(StreamForm::packed), meatpack::off);
  EXPECT_EQ(stop_prefix(StreamForm::upload), "\nM29\n");
}

}  // namespace
}  // namespace firebreak::guard
