// A file may make its printer say anything (M118). None of it may cool a heater on paper.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/links/link_bench.h"
#include "tests/unit/links/recording.h"
#include "tests/unit/links/report_text.h"

namespace firebreak::guard {
namespace {

using namespace std::chrono_literals;

/// A hot printer that reports by itself each second, 200 ms after the full second.
class Forged : public testing::Test {
 protected:
  Forged() {
    bench.autoreport = true;
    bench.report = hot;
    bench.on_step = [this] {
      const auto ms = bench.elapsed.count();
      if (ms % 1000 == 200 && reports) bench.say(" " + bench.report + "\n");
      if (ms % 1000 == forge_at && !forgery.empty()) bench.say(forgery);
      const float celsius = bench.readings().heaters[0].celsius;
      if (watching) coldest = std::min(coldest, celsius);
    };
    bench.run_to_ready();
    bench.run(3s);
    bench.take_events();
    watching = true;
  }
  std::int64_t age_ms() {
    return (bench.clock.now().time_since_epoch().count() -
            bench.readings().heaters[0].celsius_at_ns) /
           1'000'000;
  }

  const std::string hot = "T:250.00 /250.00 B:60.00 /60.00 @:60 B@:30";
  LinkBench bench;
  std::string forgery;
  int forge_at = 600;
  bool reports = true, watching = false;
  float coldest = 1000;
};

TEST_F(Forged, a_report_with_the_wrong_line_end_does_not_cool_a_heater) {
  forgery = "T:20.00 /0.00 B:20.00 /0.00 @:0 B@:0\r\n";
  bench.run(10s);
  EXPECT_GE(coldest, 249);
  EXPECT_NE(bench.take_events() & link_event::foreign_traffic, 0U);
  EXPECT_GE(bench.notes.count(LinkNote::forged_report), 1);
}

TEST_F(Forged, a_report_between_the_printers_own_does_not_cool_a_heater) {
  forgery = " T:20.00 /0.00 B:20.00 /0.00 @:0 B@:0\n";
  bench.run(10s);
  EXPECT_GE(coldest, 249);
  EXPECT_LE(age_ms(), 1100);
  EXPECT_NE(bench.take_events() & link_event::foreign_traffic, 0U);
}

TEST_F(Forged, a_report_just_before_each_of_the_printers_own_does_not_cool_a_heater) {
  forgery = " T:20.00 /0.00 B:20.00 /0.00 @:0 B@:0\n";
  forge_at = 150;
  bench.run(10s);
  EXPECT_GE(coldest, 249);
  EXPECT_LE(age_ms(), 1100);
}

TEST_F(Forged, an_ok_with_a_report_does_not_cool_a_heater) {
  forgery = "ok T:20.00 /0.00 B:20.00 /0.00 @:0 B@:0\n";
  bench.run(10s);
  EXPECT_GE(coldest, 249);
}

TEST_F(Forged, a_steady_hot_report_does_not_hide_that_the_true_ones_have_ended) {
  reports = false;
  bench.silent = true;
  bench.shared.link_mode = LinkMode::pass;
  bench.run(2s);
  forgery = "ok T:249.00 /250.00 B:59.00 /60.00 @:60 B@:30\n";
  // The link now asks by itself; only what answers a question counts, and nobody answers but the
  // file: it can feign one answer to each question, and no more life than that.
  bench.run(20s);
  EXPECT_GE(coldest, 248);
}

TEST_F(Forged, a_slow_creep_down_is_caught_by_the_next_true_report) {
  bench.on_step = [this, fake = 250.0F]() mutable {
    const auto ms = bench.elapsed.count();
    if (ms % 1000 == 200) bench.say(" " + hot + "\n");
    if (ms % 100 == 50) {
      fake -= 2;
      bench.say(" T:" + number_text(std::max(fake, 20.0F)) + " /0.00 B:20.00 /0.00 @:0 B@:0\n");
    }
    coldest = std::min(coldest, bench.readings().heaters[0].celsius);
  };
  bench.run(15s);
  EXPECT_GE(coldest, 230);
  EXPECT_NE(bench.take_events() & link_event::foreign_traffic, 0U);
}

TEST_F(Forged, a_hotter_report_counts_from_wherever_it_comes) {
  forgery = "T:320.00 /0.00\r\n";
  bench.run(1s);
  EXPECT_FLOAT_EQ(bench.readings().heaters[0].celsius, 320);
}

TEST_F(Forged, a_sensor_that_really_falls_is_believed_with_its_second_report) {
  bench.report = "T:180.00 /250.00 B:60.00 /60.00 @:127 B@:30";
  bench.run(1s);
  EXPECT_GE(coldest, 249);
  bench.report = "T:120.00 /250.00 B:60.00 /60.00 @:127 B@:30";
  bench.run(1s);
  EXPECT_FLOAT_EQ(bench.readings().heaters[0].celsius, 120);
  bench.report = "T:60.00 /250.00 B:60.00 /60.00 @:127 B@:30";
  bench.run(2s);
  EXPECT_FLOAT_EQ(bench.readings().heaters[0].celsius, 60);
}

TEST_F(Forged, nothing_is_called_forged_when_an_idle_printers_sensor_opens) {
  bench.report = "T:25.00 /0.00 B:25.00 /0.00 @:0 B@:0";
  bench.run(30s);
  bench.take_events();
  bench.notes.records.clear();
  bench.report = "T:0.00 /0.00 B:25.00 /0.00 @:0 B@:0";  // The next one makes it 25 K in 2 s.
  bench.run(5s);
  EXPECT_FLOAT_EQ(bench.readings().heaters[0].celsius, 0);
  EXPECT_EQ(bench.take_events() & link_event::foreign_traffic, 0U);
  EXPECT_EQ(bench.notes.count(LinkNote::forged_report), 0);
}

TEST_F(Forged, a_hosts_m118_with_a_report_proves_no_cooling_for_ten_seconds) {
  bench.host.open = true;
  bench.run(300ms);
  bench.host.to_printer = "M118 ok T:20.00 /0.00\n";
  bench.run(100ms);
  bench.report = "T:240.00 /0.00 B:60.00 /0.00 @:0 B@:0";
  bench.take_events();
  bench.run(8s);
  EXPECT_GE(coldest, 249);
  EXPECT_EQ(bench.take_events() & link_event::target_zero, 0U);
  bench.run(4s);
  EXPECT_FLOAT_EQ(bench.readings().heaters[0].celsius, 240);
}

TEST_F(Forged, a_hosts_layer_message_changes_nothing) {
  bench.host.open = true;
  bench.run(300ms);
  bench.host.to_printer = "M118 E1 Layer 5 of 20\n";
  bench.report = "T:240.00 /0.00 B:60.00 /0.00 @:0 B@:0";
  bench.run(2s);
  EXPECT_FLOAT_EQ(bench.readings().heaters[0].celsius, 240);
}

TEST_F(Forged, a_halt_acknowledges_no_stop) {
  bench.shared.link_mode = LinkMode::latched;
  bench.run(100ms);
  bench.take_events();
  bench.say("Error:Printer halted. kill() called!\r\n");
  bench.run(100ms);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
  EXPECT_EQ(bench.take_events() & link_event::halt_text, 0U);
}

TEST_F(Forged, a_greeting_does_not_restart_the_link) {
  bench.say("start\r\n");
  bench.run(100ms);
  EXPECT_EQ(bench.shared.link_state, LinkState::ready);
  EXPECT_EQ(bench.take_events() & link_event::boot_banner, 0U);
  bench.shared.link_mode = LinkMode::latched;
  bench.say("start\r\n");
  bench.run(100ms);
  EXPECT_NE(bench.take_events() & link_event::boot_banner, 0U);  // There it would be a danger.
}

/// Plays a recording to a link and compares each published temperature with the printer's own.
TEST(ForgedRecording, real_marlins_forged_lines_never_reach_the_readings) {
  for (const auto* name : {"ep_m118_forged.log", "notp_m118_forged.log"}) {
    LinkBench bench;
    bench.autoreport = true;
    bench.run_to_ready();
    bench.answer = [](const std::string&) { return ""; };
    bench.host.open = true;
    bench.run(300ms);
    const auto lines =
        read_recording(std::string(FIREBREAK_SOURCE_DIR) + "/tests/data/corpus/marlin/" + name);
    float truth = 24;
    int checked = 0;
    auto at = 0ms;
    for (const auto& line : lines) {
      const auto when = std::chrono::milliseconds(static_cast<int>(line.seconds * 1000));
      if (when < 1400ms) continue;
      if (when > at) bench.run(at == 0ms ? 5ms : when - at);
      at = when;
      if (line.direction == '>') {
        bench.host.to_printer += line.bytes;
      } else {
        bench.say(line.bytes);
        const auto parsed =
            parse_line(std::string_view(line.bytes).substr(0, line.bytes.size() - 1));
        if (parsed.kind == LineKind::temperature) truth = parsed.storage[0].celsius;
      }
      bench.run(5ms);
      const float celsius = bench.readings().heaters[0].celsius;
      if (std::isnan(celsius) || celsius < 26) continue;
      EXPECT_GE(celsius, truth - 3) << name << ":" << line.number;
      ++checked;
    }
    EXPECT_GT(checked, 40) << name;
    EXPECT_NEAR(bench.readings().heaters[0].celsius, 53, 3) << name;
    EXPECT_EQ(bench.shared.link_state, LinkState::ready) << name;
  }
}

}  // namespace
}  // namespace firebreak::guard
