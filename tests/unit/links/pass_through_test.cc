// The host's way to the printer and back.
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/links/link_bench.h"

namespace firebreak::guard {
namespace {

using namespace std::chrono_literals;

class PassThrough : public testing::Test {
 protected:
  PassThrough() {
    bench.autoreport = true;
    bench.on_step = [this] {
      if (bench.elapsed.count() % 1000 == 0 && reports) bench.say(" " + bench.report + "\n");
    };
    bench.run_to_ready();
    bench.host.open = true;
    bench.run(300ms);
    bench.raw.clear();
    bench.host.got.clear();
  }
  void latch() {
    bench.shared.link_mode = LinkMode::latched;
    bench.run(20ms);
  }

  LinkBench bench;
  bool reports = true;
};

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes;
  while (bytes.size() < size) {
    bytes += random() % 20 == 0 ? '\n' : static_cast<char>(random());
  }
  return bytes;
}

TEST_F(PassThrough, changes_no_byte_of_the_host_in_any_chunking) {
  bench.answer = [](const std::string&) { return ""; };
  for (const unsigned seed : {1U, 2U, 3U}) {
    const auto bytes = random_bytes(20000, seed);
    std::mt19937 random(seed);
    bench.raw.clear();
    bench.host.to_printer = bytes;
    while (!bench.host.to_printer.empty()) {
      bench.host.chunk = 1 + random() % 70;
      bench.bytes_per_step = 1 + random() % 60;
      bench.run(5ms);
    }
    bench.bytes_per_step = 57;
    bench.run(100ms);
    EXPECT_TRUE(bench.raw == bytes);
  }
}

TEST_F(PassThrough, changes_no_byte_of_the_printer) {
  reports = false;
  bench.answer = [](const std::string&) { return ""; };
  const auto bytes = random_bytes(20000, 4);
  for (std::size_t at = 0; at < bytes.size(); at += 37) {
    bench.say(bytes.substr(at, 37));
    bench.run(5ms);
  }
  bench.run(1s);
  EXPECT_TRUE(bench.host.got == bytes);
}

TEST_F(PassThrough, keeps_at_most_64_bytes_in_the_ports_queue) {
  std::string lines;
  for (int i = 0; i < 500; ++i) lines += "G1 X" + std::to_string(i) + " Y10 E0.1\n";
  bench.host.to_printer = lines;
  bench.bytes_per_step = 3;  // A port that hardly drains.
  bench.run(2s);
  EXPECT_LE(bench.port.deepest, 64U);
  EXPECT_GT(bench.host.to_printer.size(), lines.size() / 2);  // The host waits; nothing is lost.
  bench.bytes_per_step = 57;
  bench.run(3s);
  EXPECT_EQ(bench.raw, lines);
  EXPECT_LE(bench.port.deepest, 64U);
}

TEST_F(PassThrough, puts_a_question_of_its_own_only_between_lines) {
  reports = false;
  bench.run(3s);
  bench.raw.clear();
  bench.host.to_printer = "G1 X1";  // Half a line, and the rest much later.
  bench.run(2500ms);
  bench.host.to_printer = "00\n";
  bench.run(2s);
  EXPECT_EQ(bench.raw.substr(0, 8), "G1 X100\n");
  EXPECT_NE(bench.raw.find("M105\n"), std::string::npos);
}

TEST_F(PassThrough, sees_that_a_host_prints) {
  EXPECT_EQ(bench.shared.printing, 0U);
  bench.host.to_printer = "N12 G1 X10 Y5 E0.2*44\n";
  bench.run(300ms);
  EXPECT_EQ(bench.shared.printing, 1U);
  EXPECT_EQ(bench.shared.host_attached, 1U);
  bench.run(31s);
  EXPECT_EQ(bench.shared.printing, 0U);
}

TEST_F(PassThrough, tells_when_a_host_has_asked_for_heat_and_not_when_a_report_shows_it) {
  bench.report = "T:25.00 /200.00 B:25.00 /0.00 @:127 B@:0";
  bench.take_events();
  bench.run(3s);
  const auto reported = bench.take_events();
  EXPECT_NE(reported & link_event::target_positive, 0U);
  EXPECT_EQ(reported & link_event::host_heats, 0U);
  bench.host.to_printer = "M104 S0\n";
  bench.run(300ms);
  EXPECT_EQ(bench.take_events() & link_event::host_heats, 0U);
  bench.host.to_printer = "N7 M140 S60*98\n";
  bench.run(300ms);
  EXPECT_NE(bench.take_events() & link_event::host_heats, 0U);
}

TEST_F(PassThrough, notes_the_part_fan) {
  bench.host.to_printer = "M106 S51\n";
  bench.run(300ms);
  EXPECT_NEAR(bench.readings().fan, 0.2, 0.001);
}

TEST_F(PassThrough, lets_only_the_allowlist_pass_while_latched) {
  latch();
  bench.host.got.clear();
  bench.raw.clear();
  bench.host.to_printer =
      "M104 S200\nN5 G1 X10*71\nM105\nN6 M105*33\nM155 S1\nM105 M104 S200\nM112\n; M105\n\nM503\n";
  bench.run(500ms);
  EXPECT_EQ(bench.raw, "M105\nN6 M105*33\nM155 S1\nM503\n");
  EXPECT_NE(bench.take_events() & link_event::host_refused, 0U);
  const auto& got = bench.host.got;
  EXPECT_EQ(got.find("Error:Firebreak: printer p1 is stopped"), 0U);
  EXPECT_EQ(got.find("Error:", 1), std::string::npos);  // Once for the group.
}

TEST_F(PassThrough, tells_each_host_of_a_stop_in_the_form_that_it_shows) {
  reports = false;
  bench.answer = [](const std::string&) { return ""; };
  bench.host.to_printer = "G1 X10\n";
  bench.run(200ms);
  bench.host.got.clear();
  latch();
  const std::string why =
      "Firebreak: printer p1 is stopped: nothing passes until it is reset at the machine\n";
  EXPECT_EQ(bench.host.got,
            "//action:cancel\nok\n//action:notification " + why + "!! " + why + "Error:" + why);
  // Hosts look for these anywhere in a line, and would take it for something else.
  for (const auto* word : {"ok", "rs", "resend", "line number", "checksum", "expected line",
                           "format error", "cannot", "open failed", "workdir", "T:", "B:"}) {
    EXPECT_EQ(why.find(word), std::string::npos) << word;
  }
}

TEST_F(PassThrough, hangs_up_a_host_whose_job_was_stopped_so_that_nothing_resumes) {
  bench.host.to_printer = "G1 X10\n";
  bench.run(1s);
  latch();
  bench.run(20s);
  bench.shared.link_mode = LinkMode::pass;
  bench.run(1s);
  EXPECT_EQ(bench.host.hang_ups, 1);
  bench.host.open = true;  // It has opened the port again.
  bench.run(1s);
  latch();
  bench.shared.link_mode = LinkMode::pass;
  bench.run(1s);
  EXPECT_EQ(bench.host.hang_ups, 1);
}

TEST_F(PassThrough, drops_what_the_host_had_pending_when_a_latch_begins) {
  bench.bytes_per_step = 0;
  bench.host.to_printer = "G1 X100 Y100 E1.2345 F1200\nG1 X200 Y100 E1.2345 F1200\nM104 S2";
  bench.run(20ms);
  latch();
  bench.host.to_printer += "50\nM105\n";
  bench.bytes_per_step = 57;
  bench.run(300ms);
  EXPECT_EQ(bench.raw.find("M104 S250"), std::string::npos);
  EXPECT_EQ(bench.raw.find("50\n"), std::string::npos);
  EXPECT_TRUE(bench.raw.ends_with("M105\n"));
}

TEST_F(PassThrough, takes_the_answers_to_the_stop_bytes_from_the_host) {
  latch();
  bench.host.got.clear();
  bench.shared.stop_bytes_taken += 30;
  bench.say("ok\nok\nok\n");  // M104 S0, M140 S0, M107 of the stop thread.
  bench.run(100ms);
  EXPECT_EQ(bench.host.got.find("ok\nok\nok\n"), std::string::npos);
}

TEST_F(PassThrough, passes_again_when_the_latch_is_over) {
  latch();
  bench.host.to_printer = "G28\n";
  bench.run(100ms);
  bench.shared.link_mode = LinkMode::pass;
  bench.host.to_printer = "G28 Y\n";
  bench.run(100ms);
  EXPECT_EQ(bench.raw, "G28 Y\n");
}

TEST_F(PassThrough, hangs_up_a_host_that_still_streams_when_the_latch_is_over) {
  latch();
  bench.on_step = [&] {
    if (bench.host.to_printer.empty()) bench.host.to_printer = "N7 G1 X10*83\n";
  };
  bench.run(20s);
  bench.shared.link_mode = LinkMode::probation;
  bench.run(20s);
  EXPECT_EQ(bench.host.hang_ups, 0);
  bench.raw.clear();
  bench.on_step = nullptr;
  bench.shared.link_mode = LinkMode::pass;
  bench.run(1s);
  EXPECT_EQ(bench.host.hang_ups, 1);
  EXPECT_EQ(bench.sent_count("N7 G1 X10*83"), 0);
}

TEST_F(PassThrough, keeps_a_host_that_obeyed_its_stop_and_only_asks) {
  latch();
  bench.host.to_printer = "G1 X10\n";
  bench.run(500ms);
  for (int i = 0; i < 20; ++i) {
    bench.host.to_printer = "M105\n";
    bench.run(1s);
  }
  bench.shared.link_mode = LinkMode::pass;
  bench.host.to_printer = "G28\n";
  bench.run(1s);
  EXPECT_EQ(bench.host.hang_ups, 0);
  EXPECT_EQ(bench.sent_count("G28"), 1);
}

TEST_F(PassThrough, tells_a_host_of_its_stop_once_until_it_may_pass_again) {
  latch();
  bench.host.got.clear();
  bench.shared.link_mode = LinkMode::hold;
  bench.run(1s);
  bench.shared.link_mode = LinkMode::probation;
  bench.run(1s);
  EXPECT_EQ(bench.host.got.find("//action:cancel"), std::string::npos);
}

TEST_F(PassThrough, holds_the_host_back_in_hold) {
  bench.shared.link_mode = LinkMode::hold;
  bench.host.to_printer = "G28\n";
  bench.run(2s);
  EXPECT_EQ(bench.host.to_printer, "G28\n");
  bench.shared.link_mode = LinkMode::pass;
  bench.run(100ms);
  EXPECT_EQ(bench.sent_count("G28"), 1);
}

TEST_F(PassThrough, refuses_new_heat_and_nothing_else_while_it_is_forbidden) {
  bench.shared.no_new_heat = 1;
  bench.host.to_printer =
      "M104 S0\nM104 S200\nM109 R30\nM140 S060\nM140\nM190 S0.0\nG1 X1 M104 S9\nM303 E0 S200\n"
      "M104 I1\nM117 M104 S200\nG28\n";
  bench.run(500ms);
  EXPECT_EQ(bench.raw, "M104 S0\nM140\nM190 S0.0\nM117 M104 S200\nG28\n");
  EXPECT_NE(bench.host.got.find("Error:Firebreak: printer p1 may not heat now"), std::string::npos);
  bench.shared.no_new_heat = 0;
  bench.host.to_printer = "M104 S200\n";
  bench.run(100ms);
  EXPECT_EQ(bench.sent_count("M104 S200"), 1);
}

TEST_F(PassThrough, keeps_a_numbered_job_in_step_when_a_line_may_not_heat) {
  bench.shared.no_new_heat = 1;
  bench.host.to_printer = "N4 G28*17\nN5 M109 S200*95\nN6 G1 X1*98\n";
  bench.run(500ms);
  EXPECT_EQ(bench.raw, "N4 G28*17\nN5 M105*34\nN6 G1 X1*98\n");
  const auto& got = bench.host.got;
  EXPECT_NE(got.find("may not heat now"), std::string::npos);
  EXPECT_NE(got.find("ok T:"), std::string::npos);  // The firmware's, for line 5.
}

TEST_F(PassThrough, follows_the_hosts_line_settings_only_while_it_may_pass) {
  bench.host.settings = {250000};
  bench.run(500ms);
  bench.host.settings = {250000, true};
  bench.run(1500ms);  // The printer reports at this rate.
  const std::vector<LineSettings> followed{{250000}, {250000, true}};
  EXPECT_EQ(bench.port.set, followed);
  latch();
  bench.host.settings = {9600};
  bench.run(500ms);
  EXPECT_EQ(bench.port.set.size(), 2U);
  bench.shared.link_mode = LinkMode::pass;
  bench.run(500ms);
  EXPECT_EQ(bench.port.set.back(), (LineSettings{9600}));
}

TEST_F(PassThrough, sends_a_stop_at_the_rate_that_the_printer_understood_last) {
  reports = false;
  bench.silent = true;  // At the wrong rate it understands nothing, and says nothing that one can.
  bench.host.settings = {250000};
  bench.run(2s);
  EXPECT_EQ(bench.port.settings, (LineSettings{250000}));
  latch();
  EXPECT_EQ(bench.port.settings, (LineSettings{115200}));
  bench.run(2s);
  EXPECT_EQ(bench.port.settings, (LineSettings{115200}));
}

TEST_F(PassThrough, lets_more_wait_in_the_queue_of_a_faster_port_but_no_longer) {
  EXPECT_EQ(LinkCore::queue_limit({115200}), 64U);
  EXPECT_EQ(LinkCore::queue_limit({250000}), 64U);
  EXPECT_EQ(LinkCore::queue_limit({1000000}), 250U);
  EXPECT_EQ(LinkCore::queue_limit({2000000}), 256U);
  EXPECT_EQ(LinkCore::queue_limit({0}), 64U);
}

TEST_F(PassThrough, looks_again_when_a_full_queue_has_drained_by_half) {
  bench.port.settings = {2000000};
  bench.port.in_queue = std::string(256, 'x');
  EXPECT_EQ(bench.link.wait(bench.clock.now()), 640us);
  bench.port.settings = {115200};
  bench.port.in_queue = std::string(64, 'x');
  EXPECT_EQ(bench.link.wait(bench.clock.now()), 2ms);
}

TEST_F(PassThrough, goes_on_for_the_printer_when_the_host_does_not_read) {
  bench.host.reads = false;
  for (int i = 0; i < 400; ++i) {
    bench.say("echo:" + std::string(60, 'x') + "\n");
    bench.run(20ms);
  }
  EXPECT_EQ(bench.notes.count(LinkNote::host_overrun) > 0, true);
  EXPECT_GE(bench.readings().lines, 400U);
}

TEST_F(PassThrough, starts_a_new_host_with_a_new_line) {
  bench.host.to_printer = "G1 X1";
  bench.run(100ms);
  bench.host.open = false;
  bench.run(300ms);
  bench.host.open = true;
  bench.host.to_printer = "G28\n";
  bench.run(300ms);
  EXPECT_EQ(bench.raw, "G1 X1\nG28\n");  // Else the firmware would read `G1 X1G28`.
}

}  // namespace
}  // namespace firebreak::guard
