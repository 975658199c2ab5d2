// What a link does over time, told with a scripted printer, a scripted host and a clock.
#include <gtest/gtest.h>

#include "tests/unit/links/link_bench.h"

namespace firebreak::guard {
namespace {

using namespace std::chrono_literals;

TEST(Link, asks_who_the_printer_is_before_it_is_ready) {
  LinkBench bench;
  bench.start();
  bench.say("start\nMarlin bugfix-2.1.x\n");
  bench.run(100ms);
  EXPECT_EQ(bench.shared.link_state, LinkState::opening);
  EXPECT_NE(bench.take_events() & link_event::boot_banner, 0U);
  bench.answer = [](const std::string&) { return ""; };
  bench.run(500ms);
  EXPECT_EQ(bench.shared.link_state, LinkState::identifying);
  bench.answer = [&](const std::string& line) { return bench.marlin(line); };
  bench.run(3500ms);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
  EXPECT_NE(bench.take_events() & link_event::identity_verified, 0U);
  PrinterIdentity identity;
  ASSERT_TRUE(bench.shared.identity.load(identity));
  EXPECT_STREQ(identity.machine, "SimRap 1.4");
}

TEST(Link, asks_at_once_a_board_that_opening_did_not_reset) {
  LinkBench bench;
  bench.start();
  bench.run(1700ms);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
}

TEST(Link, publishes_what_the_printer_says_with_its_age) {
  LinkBench bench;
  bench.report = "T:209.87 /210.00 B:59.96 /60.00 @:127 B@:0";
  bench.run_to_ready();
  const auto readings = bench.readings();
  EXPECT_FLOAT_EQ(readings.heaters[0].celsius, 209.87F);
  EXPECT_FLOAT_EQ(readings.heaters[0].target_celsius, 210);
  EXPECT_FLOAT_EQ(readings.heaters[0].duty, 1);
  EXPECT_FLOAT_EQ(readings.heaters[1].celsius, 59.96F);
  EXPECT_LE(bench.clock.now().time_since_epoch().count() - readings.heaters[0].celsius_at_ns,
            1'100'000'000);
  EXPECT_NE(bench.take_events() & link_event::target_positive, 0U);
}

TEST(Link, polls_each_second_where_there_is_no_autoreport) {
  LinkBench bench;
  bench.run_to_ready();
  bench.run(10s);
  EXPECT_EQ(bench.sent_count("M155 S1"), 0);
  EXPECT_GE(bench.sent_count("M105"), 9);
  EXPECT_LE(bench.sent_count("M105"), 11);
}

/// Lets the printer report by itself each second once it was asked to.
void report_by_itself(LinkBench& bench) {
  bench.on_step = [&bench, next = 0ms]() mutable {
    if (bench.raw.find("M155 S1") == std::string::npos || bench.elapsed < next) return;
    next = bench.elapsed + 1000ms;
    bench.say(" " + bench.report + "\n");
  };
}

TEST(Link, turns_autoreport_on_where_there_is_one_and_then_only_listens) {
  LinkBench bench;
  bench.autoreport = true;
  report_by_itself(bench);
  bench.run_to_ready();
  bench.run(10s);
  EXPECT_LE(bench.sent_count("M155 S1"), 1);
  EXPECT_NE(bench.raw.find("M155 S1\n"), std::string::npos);
  EXPECT_EQ(bench.sent_count("M105"), 0);
  EXPECT_GE(bench.readings().heaters[0].reports, 9U);
}

TEST(Link, asks_after_two_seconds_when_reports_stop) {
  LinkBench bench;
  bench.autoreport = true;
  report_by_itself(bench);
  bench.run_to_ready();
  const auto reports = bench.readings().heaters[0].reports;
  while (bench.readings().heaters[0].reports < reports + 5) bench.run(5ms);
  bench.on_step = nullptr;
  bench.sent.clear();
  bench.run(1900ms);
  EXPECT_EQ(bench.sent_count("M105"), 0);
  bench.run(600ms);
  EXPECT_EQ(bench.sent_count("M105"), 1);
}

TEST(Link, asks_between_the_reports_of_a_host_that_wants_few_of_them) {
  LinkBench bench;
  bench.autoreport = true;
  bench.run_to_ready();
  bench.host.open = true;
  bench.run(300ms);
  bench.host.to_printer = "M155 S10\n";
  bench.on_step = [&bench, next = 10000ms]() mutable {
    if (bench.elapsed < next) return;
    next += 10000ms;
    bench.say(" " + bench.report + "\n");
  };
  bench.run(1s);
  std::int64_t oldest = 0;
  for (int i = 0; i < 300; ++i) {
    bench.run(100ms);
    const auto now_ns = bench.clock.now().time_since_epoch().count();
    oldest = std::max(oldest, now_ns - bench.readings().heaters[0].celsius_at_ns);
  }
  EXPECT_LE(oldest, 3'000'000'000);  // A reading that is older is no longer trusted.
  EXPECT_EQ(bench.host.got.find("ok T:"), std::string::npos);
}

TEST(Link, only_listens_while_a_host_polls) {
  LinkBench bench;
  bench.run_to_ready();
  bench.host.open = true;
  bench.on_step = [&bench, next = 0ms]() mutable {
    if (bench.elapsed < next) return;
    next = bench.elapsed + 1000ms;
    bench.host.to_printer += "M105\n";
  };
  bench.run(2s);
  bench.sent.clear();
  bench.host.got.clear();
  bench.run(10s);
  EXPECT_EQ(bench.sent_count("M105"), 10);  // All of them the host's.
  EXPECT_GE(bench.readings().heaters[0].reports, 10U);
  EXPECT_EQ(bench.host.got.size(), 10 * (bench.report.size() + 4));
}

TEST(Link, keeps_its_own_answers_from_the_host) {
  LinkBench bench;
  bench.run_to_ready();
  bench.host.open = true;
  bench.run(300ms);
  bench.host.to_printer = "G28\n";
  bench.run(5s);
  EXPECT_GE(bench.sent_count("M105"), 4);
  EXPECT_EQ(bench.host.got, "ok\n");
}

TEST(Link, does_not_keep_an_answer_from_the_host_when_one_of_its_own_was_lost) {
  LinkBench bench;
  bench.run_to_ready();
  bench.host.open = true;
  bench.answer = [&bench, lost = 0](const std::string& line) mutable {
    if (line == "M105" && lost++ < 2) return std::string();
    return bench.marlin(line);
  };
  bench.run(1500ms);
  for (int i = 1; i <= 20; ++i) {
    bench.host.to_printer = "G1 X1\n";
    bench.run(200ms);
  }
  std::string oks;
  for (int i = 0; i < 20; ++i) oks += "ok\n";
  EXPECT_EQ(bench.host.got, oks);
}

TEST(Link, gives_the_host_each_answer_after_a_first_question_was_lost_in_the_boot) {
  LinkBench bench;
  bench.start();
  bench.answer = [&bench, first = true](const std::string& line) mutable {
    if (line == "M115" && first) {
      first = false;
      return std::string();
    }
    return bench.marlin(line);
  };
  bench.run(6s);
  ASSERT_EQ(bench.shared.link_state, LinkState::ready);
  bench.host.open = true;
  bench.run(300ms);
  bench.host.to_printer = "G28\n";
  bench.run(300ms);
  EXPECT_EQ(bench.host.got, "ok\n");
}

TEST(Link, never_arms_another_printer) {
  LinkBench bench;
  bench.config.expected_uuid = "another";
  bench.start();
  bench.run(3s);
  EXPECT_EQ(bench.shared.link_state, LinkState::wrong_printer);
  EXPECT_NE(bench.take_events() & link_event::wrong_identity, 0U);
  EXPECT_EQ(bench.notes.count(LinkNote::wrong_printer), 1);
  EXPECT_TRUE(bench.keeper.kept.empty());
  bench.host.open = true;
  bench.host.to_printer = "G28\n";
  bench.run(1s);
  EXPECT_EQ(bench.sent_count("G28"), 0);
}

TEST(Link, comes_back_after_unplugging_as_the_same_printer_only) {
  LinkBench bench;
  bench.run_to_ready();
  bench.host.open = true;
  bench.run(300ms);
  bench.take_events();
  bench.port.lost = true;
  bench.port.error = {ErrorCode::not_found, "p1: no such port"};
  bench.run(20ms);
  EXPECT_EQ(bench.shared.link_state, LinkState::absent);
  EXPECT_EQ(bench.shared.port_fd, -1);
  EXPECT_NE(bench.take_events() & link_event::port_lost, 0U);
  EXPECT_EQ(bench.host.hang_ups, 1);  // A job must not go on in the middle.
  const int opens = bench.port.opens;
  bench.run(5s);
  EXPECT_GE(bench.port.opens, opens + 4);
  bench.port.error = {};
  bench.run(4s);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
  bench.port.lost = true;
  bench.config.expected_uuid = "another";  // As if another board were plugged in.
  bench.run(4s);
  EXPECT_EQ(bench.shared.link_state, LinkState::wrong_printer);
}

TEST(Link, names_the_process_that_holds_the_port) {
  LinkBench bench;
  bench.port.error = {ErrorCode::refused, "/dev/ttyUSB0 is held by octoprint (pid 4711)"};
  bench.start();
  bench.run(20s);
  EXPECT_EQ(bench.shared.link_state, LinkState::blocked);
  EXPECT_EQ(bench.notes.count(LinkNote::port_blocked), 1);
  EXPECT_NE(bench.notes.text(LinkNote::port_blocked).find("octoprint (pid 4711)"),
            std::string::npos);
  bench.port.error = {};
  bench.run(8s);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
}

TEST(Link, goes_on_at_once_with_a_port_that_an_earlier_run_left) {
  LinkBench bench;
  bench.port.adoptable = true;
  bench.keeper.kept["port.p1"] = 42;
  bench.start();
  bench.keeper.kept.clear();
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
  EXPECT_EQ(bench.shared.port_fd, 42);
  EXPECT_EQ(bench.port.opens, 0);
  EXPECT_TRUE(bench.port.dtr.empty());
  bench.say(" T:200.00 /200.00 B:60.00 /60.00 @:60 B@:30\n");
  bench.run(20ms);
  EXPECT_FLOAT_EQ(bench.readings().heaters[0].celsius, 200);
}

TEST(Link, knows_that_a_killed_firmware_has_halted_and_that_a_living_one_has_not) {
  LinkBench bench;
  bench.run_to_ready();
  bench.silent = true;
  bench.say("echo:M112 Shutdown\nError:Printer halted. kill() called!\n//action:poweroff\n");
  bench.run(100ms);
  EXPECT_EQ(bench.shared.link_state, LinkState::halted);
  EXPECT_NE(bench.take_events() & link_event::halt_text, 0U);
  bench.run(1s);
  bench.silent = false;
  bench.run(10s);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
}

TEST(Link, tells_of_the_firmwares_own_thermal_fault_in_its_words) {
  LinkBench bench;
  bench.run_to_ready();
  bench.say("Error:Thermal Runaway, system stopped! Heater_ID: bed\n");
  bench.run(20ms);
  EXPECT_NE(bench.take_events() & link_event::thermal_fault, 0U);
  EXPECT_NE(bench.notes.text(LinkNote::firmware_fault).find("Heater_ID: bed"), std::string::npos);
}

TEST(Link, identifies_a_printer_anew_when_it_has_booted) {
  LinkBench bench;
  bench.run_to_ready();
  bench.take_events();
  bench.say("start\necho: Compiled: Nov 21 2026\n");
  bench.run(20ms);
  EXPECT_EQ(bench.shared.link_state, LinkState::opening);
  EXPECT_NE(bench.take_events() & link_event::boot_banner, 0U);
  bench.run(1s);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
  EXPECT_EQ(bench.sent_count("M115"), 1);
}

TEST(Link, takes_busy_lines_for_life_but_not_for_temperature) {
  LinkBench bench;
  bench.run_to_ready();
  bench.silent = true;
  const auto before = bench.readings();
  bench.on_step = [&bench, next = 0ms]() mutable {
    if (bench.elapsed < next) return;
    next = bench.elapsed + 2000ms;
    bench.say("echo:busy: processing\n");
  };
  bench.run(20s);
  const auto after = bench.readings();
  EXPECT_GT(after.busy_at_ns, before.busy_at_ns);
  EXPECT_LE(after.temperature_at_ns - before.temperature_at_ns, 1'000'000'000);
  EXPECT_LE(bench.sent_count("M105"), 6);  // They are answered only after the wait.
}

TEST(Link, learns_that_a_firmware_counts_duty_to_255) {
  LinkBench bench;
  bench.report = "T:100.00 /200.00 B:59.96 /60.00 @:127 B@:0";
  bench.run_to_ready();
  EXPECT_FLOAT_EQ(bench.readings().heaters[0].duty, 1);
  bench.report = "T:100.00 /200.00 B:59.96 /60.00 @:204 B@:51";
  bench.run(2s);
  EXPECT_NEAR(bench.readings().heaters[0].duty, 0.8, 0.001);
  EXPECT_NEAR(bench.readings().heaters[1].duty, 0.2, 0.001);
}

TEST(Link, counts_junk_and_goes_on) {
  LinkBench bench;
  bench.run_to_ready();
  const auto before = bench.readings();
  bench.say(std::string("\0\xff\xfe\0\n", 5) + std::string(4096, '\xff') + "\n" +
            "TT::2277..9933\nT:2\xff"
            "0.0 /0.0\n" +
            std::string(4096, 'T') + ":20.0 /0\n");
  bench.run(3s);
  const auto after = bench.readings();
  EXPECT_GE(after.bad_lines - before.bad_lines, 4U);
  EXPECT_FLOAT_EQ(after.heaters[0].celsius, 24.99F);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
}

TEST(Link, takes_a_flood_in_bounded_bites) {
  LinkBench bench;
  bench.run_to_ready();
  bench.say(std::string(1'000'000, 'x'));
  bench.link.port_readable(bench.clock.now());
  EXPECT_GE(bench.port.incoming.size(), 1'000'000U - 8192U);
}

TEST(Link, pulses_dtr_once_for_a_revival_and_holds_the_host_back) {
  LinkBench bench;
  bench.run_to_ready();
  bench.shared.link_mode = LinkMode::latched;
  bench.host.open = true;
  bench.run(300ms);
  bench.shared.revival_request = 1;
  bench.host.to_printer = "M105\n";
  bench.sent.clear();
  bench.run(200ms);
  EXPECT_EQ(bench.port.dtr, (std::vector<bool>{false}));
  bench.run(100ms);
  EXPECT_EQ(bench.port.dtr, (std::vector<bool>{false, true}));
  bench.run(4500ms);
  EXPECT_EQ(bench.shared.revival_done, 0U);
  EXPECT_TRUE(bench.sent.empty());
  bench.run(1s);
  EXPECT_EQ(bench.shared.revival_done, 1U);
  bench.run(4s);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
  EXPECT_EQ(bench.port.dtr.size(), 2U);
}

TEST(Link, leaves_no_old_stop_in_the_queue_of_a_board_that_it_revives) {
  LinkBench bench;
  bench.run_to_ready();
  bench.shared.link_mode = LinkMode::latched;
  bench.port.in_queue = "\nM112\nM104 S0\n";
  bench.shared.revival_request = 1;
  bench.link.tick(bench.clock.now());
  EXPECT_EQ(bench.port.dtr, (std::vector<bool>{false}));
  EXPECT_EQ(bench.port.in_queue, "");
}

TEST(Link, identifies_a_revived_board_with_its_first_question) {
  LinkBench bench;
  bench.run_to_ready();
  bench.shared.link_mode = LinkMode::latched;
  bench.silent = true;
  bench.say("echo:M112 Shutdown\nError:Printer halted. kill() called!\n");
  bench.run(20s);  // Questions that nobody answers.
  bench.shared.revival_request = 1;
  bench.run(1s);
  bench.silent = false;
  bench.say("start\nMarlin bugfix-2.1.x\n");
  bench.sent.clear();
  bench.run(6s);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
  EXPECT_EQ(bench.sent_count("M115"), 1);
}

TEST(Link, reports_a_revival_done_where_there_is_no_dtr_line) {
  LinkBench bench;
  bench.run_to_ready();
  bench.port.has_dtr = false;
  bench.shared.revival_request = 1;
  bench.run(6s);
  EXPECT_EQ(bench.shared.revival_done, 1U);
  EXPECT_EQ(bench.notes.count(LinkNote::revival), 1);
}

TEST(Link, shows_that_it_lives_whatever_its_port_does) {
  LinkBench bench;
  bench.port.error = {ErrorCode::not_found, "p1: no such port"};
  bench.start();
  bench.run(3s);
  EXPECT_EQ(bench.shared.link_alive_ns, bench.clock.now().time_since_epoch().count());
}

}  // namespace
}  // namespace firebreak::guard
