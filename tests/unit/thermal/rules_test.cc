#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/thermal/diary.h"

namespace firebreak::guard::thermal {
namespace {

using ::testing::HasSubstr;

/// One page of a diary: what happens, and the one thing that must be told (none = quiet).
struct Page {
  const char* name;
  void (*story)(Diary&);
  Rule rule = Rule::none;       ///< The first trip; none: no trip.
  double from_s = 0, to_s = 0;  ///< When, since the diary's begin.
  Rule warned = Rule::none;     ///< A warning that must be told.
};

class RulePage : public ::testing::TestWithParam<Page> {};

TEST_P(RulePage, EndsAsItSays) {
  const auto& page = GetParam();
  Diary diary;
  page.story(diary);
  const auto trip = diary.trip();
  EXPECT_EQ(info(trip.rule).name, info(page.rule).name) << diary.story();
  if (page.rule != Rule::none) {
    EXPECT_GE(trip.at_s, page.from_s) << diary.story();
    EXPECT_LE(trip.at_s, page.to_s) << diary.story();
  }
  if (page.warned != Rule::none) {
    EXPECT_TRUE(diary.has(page.warned)) << diary.story();
  }
}

void cold(Diary& d) { d.hotend(25, 0, 0), d.bed(25, 0, 0), d.wait(1); }

/// At 200 °C with its target, for a minute of reports.
void hot(Diary& d) {
  d.readings.heaters[1].target_celsius = 0;
  d.bed(25, 0, 0);
  for (int i = 0; i < 60; ++i) {
    d.hotend(200 + 0.1F * static_cast<float>(i % 3), 200, 0.3F);
    d.bed(25, 0, 0);
    d.wait(1);
  }
}
/// Reports of a bed that is idle, so that only the hotend is the story.
void with_bed(Diary& d) { d.bed(25, 0, 0); }

const Page limit_pages[] = {
    {"one_reading_over_the_limit_may_be_noise",
     [](Diary& d) {
       d.hotend(285, 300), with_bed(d), d.wait(1), d.hotend(291, 300), d.wait(1);
       d.hotend(289.5F, 300), d.wait(1);
     }},
    {"two_readings_at_the_limit_are_a_trip",
     [](Diary& d) {
       d.hotend(285, 300), with_bed(d), d.wait(1), d.hotend(290, 300), d.wait(1);
       d.hotend(290, 300), d.wait(1);
     },
     Rule::limit_high, 2, 2.2},
    {"one_reading_20_K_over_the_limit_is_a_trip",
     [](Diary& d) { d.hotend(300, 300), with_bed(d), d.wait(1), d.hotend(310, 300), d.wait(1); },
     Rule::limit_high, 1, 1.2},
    {"the_bed_has_its_own_limit",
     [](Diary& d) {
       d.hotend(25, 0), d.bed(120, 110), d.wait(1), d.bed(125, 110), d.wait(1), d.bed(126, 110);
       d.wait(1);
     },
     Rule::limit_high, 2, 2.2},
    {"a_limit_acts_while_latched",
     [](Diary& d) {
       d.input.stopped = true;
       d.hotend(291, 0), d.wait(1), d.hotend(292, 0), d.wait(1);
     },
     Rule::limit_high, 1, 1.2},
    {"below_the_minimum_with_a_target_is_an_open_sensor",
     [](Diary& d) { d.hotend(3, 200), with_bed(d), d.wait(1), d.hotend(3, 200), d.wait(1); },
     Rule::limit_low, 1, 1.2},
    {"a_cold_garage_is_a_warning",
     [](Diary& d) {
       for (int i = 0; i < 5; ++i) d.hotend(3, 0), d.bed(3, 0), d.wait(1);
     },
     Rule::none, 0, 0, Rule::limit_low_idle},
    {"far_below_the_minimum_is_an_open_sensor_even_when_idle",
     [](Diary& d) { d.hotend(-15, 0), with_bed(d), d.wait(1), d.hotend(-15, 0), d.wait(1); },
     Rule::limit_low, 1, 1.2},
    {"one_reading_that_is_no_number_is_let_pass",
     [](Diary& d) { cold(d), d.hotend(unknown, 0), d.wait(1), d.hotend(25, 0), d.wait(1); }},
    {"two_readings_that_are_no_number_are_a_trip",
     [](Diary& d) { cold(d), d.hotend(unknown, 0), d.wait(1), d.hotend(unknown, 0), d.wait(1); },
     Rule::reading_impossible, 2, 2.2},
    {"two_readings_beyond_every_heater_are_a_trip",
     [](Diary& d) { cold(d), d.hotend(-270, 0), d.wait(1), d.hotend(-270, 0), d.wait(1); },
     Rule::reading_impossible, 2, 2.2},
};

const Page jump_pages[] = {
    {"a_single_spike_is_let_pass",
     [](Diary& d) {
       hot(d), d.hotend(120, 200, 0.3F), d.wait(1), d.hotend(200, 200, 0.3F), d.wait(1);
     }},
    {"two_readings_far_off_are_a_jump",
     [](Diary& d) {
       hot(d), d.hotend(120, 200, 0.3F), d.wait(1), d.hotend(119, 200, 0.3F), d.wait(1);
     },
     Rule::jump, 61, 61.2},
    {"three_spikes_in_a_minute_are_a_loose_wire",
     [](Diary& d) {
       hot(d);
       for (int i = 0; i < 3; ++i) {
         d.hotend(260, 200, 0.3F), with_bed(d), d.wait(1);
         for (int k = 0; k < 9; ++k) d.hotend(200, 200, 0.3F), with_bed(d), d.wait(1);
       }
     },
     Rule::jump_spikes, 81, 81.2},
    {"a_spike_each_two_minutes_is_let_pass",
     [](Diary& d) {
       hot(d);
       for (int i = 0; i < 4; ++i) {
         d.hotend(260, 200, 0.3F), d.wait(1);
         for (int k = 0; k < 120; ++k) {
           // A live sensor's last digit dances; else it would be frozen.
           d.hotend(200 + 0.1F * static_cast<float>(k % 3), 200, 0.3F), with_bed(d), d.wait(1);
         }
       }
     }},
    {"a_reading_may_go_far_in_a_long_gap",
     [](Diary& d) {
       cold(d), d.wait(14), d.hotend(70, 200, 1), d.wait(1), d.hotend(74, 200, 1), d.wait(1);
     }},
    {"an_idle_reading_that_falls_to_zero_is_a_jump",
     [](Diary& d) { cold(d), d.hotend(0, 0, 0), d.wait(1), d.hotend(0, 0, 0), d.wait(1); },
     Rule::jump, 2, 2.2},
};

const Page heating_pages[] = {
    {"a_controller_that_holds_its_power_back_has_three_periods",
     [](Diary& d) { cold(d), d.ramp(0, 200, 25, 25, 60, 0.3F); }, Rule::heating_rate, 118, 124},
    {"no_gain_in_40_s_is_an_open_heater",
     [](Diary& d) {
       for (int i = 0; i < 60; ++i)
         d.hotend(25.0F + 0.1F * (i % 3), 200, 1), with_bed(d), d.wait(1);
     },
     Rule::heating_rate, 40, 42},
    {"a_changed_target_does_not_start_the_period_again",
     [](Diary& d) {
       for (int i = 0; i < 60; ++i) {
         d.hotend(25.0F + 0.1F * (i % 3), i % 2 ? 200.0F : 230.0F, 1), with_bed(d), d.wait(1);
       }
     },
     Rule::heating_rate, 40, 42},
    {"slow_but_enough_is_quiet", [](Diary& d) { d.ramp(0, 600, 25, 25 + 600 * 0.07F, 200, 1); },
     Rule::none},
    {"a_bed_has_60_s",
     [](Diary& d) {
       for (int i = 0; i < 80; ++i)
         d.bed(25.0F + 0.1F * (i % 3), 60, 1), d.hotend(25, 0, 0), d.wait(1);
     },
     Rule::heating_rate, 60, 62},
    {"a_firmware_that_does_not_heat_is_a_warning",
     [](Diary& d) {
       for (int i = 0; i < 60; ++i)
         d.hotend(25.0F + 0.1F * (i % 3), 200, 0), with_bed(d), d.wait(1);
     },
     Rule::none, 0, 0, Rule::heating_idle},
    {"a_lack_of_heat_while_latched_is_our_own_doing",
     [](Diary& d) {
       d.input.stopped = true;
       for (int i = 0; i < 90; ++i) d.hotend(25.0F + 0.1F * (i % 3), 200, 1), d.wait(1);
     }},
};

const Page hysteresis_pages[] = {
    {"what_comes_back_from_a_draft_is_heated",
     [](Diary& d) { hot(d), d.ramp(0, 20, 200, 185, 200, 1), d.ramp(0, 40, 185, 197, 200, 1); }},
    {"a_slow_fall_at_full_power_is_an_open_heater",
     [](Diary& d) { hot(d), d.ramp(0, 80, 200, 120, 200, 1); }, Rule::hysteresis_heater,
     60 + 8 + 30, 60 + 8 + 32},
    {"a_fall_of_25_K_in_10_s_is_a_sensor_that_came_out",
     [](Diary& d) { hot(d), d.ramp(0, 12, 200, 150, 200, 1); }, Rule::hysteresis_sensor, 66, 69},
    {"a_bed_s_sensor_that_came_out",
     [](Diary& d) {
       for (int i = 0; i < 60; ++i)
         d.bed(60.0F + 0.1F * (i % 3), 60, 0.5F), d.hotend(25, 0, 0), d.wait(1);
       d.ramp(1, 15, 60, 30, 60, 1);
     },
     Rule::hysteresis_sensor, 67, 70},
    {"a_dip_of_20_s_is_life",
     [](Diary& d) { hot(d), d.ramp(0, 10, 200, 188, 200, 1), d.ramp(0, 10, 188, 200, 200, 1); }},
    {"a_lowered_target_is_life",
     [](Diary& d) {
       hot(d), d.ramp(0, 100, 200, 130, 120, 0), d.ramp(0, 10, 130, 120, 120, 0.2F);
     }},
    {"a_raised_target_is_life", [](Diary& d) { hot(d), d.ramp(0, 20, 200, 250, 250, 1); }},
    {"a_pause_that_takes_the_power_away_is_a_warning",
     [](Diary& d) { hot(d), d.ramp(0, 150, 200, 60, 200, 0); }, Rule::none, 0, 0,
     Rule::heating_idle},
    {"a_target_that_trembles_does_not_renew_the_period",
     [](Diary& d) {
       hot(d);
       for (int i = 0; i < 80; ++i) {
         d.hotend(200.0F - static_cast<float>(i), i % 2 ? 200.0F : 203.0F, 1), with_bed(d),
             d.wait(1);
       }
     },
     Rule::hysteresis_heater, 60 + 5 + 30, 60 + 9 + 32},
};

const Page stuck_pages[] = {
    {"15_K_over_the_target_and_rising_is_a_stuck_switch",
     [](Diary& d) { hot(d), d.ramp(0, 25, 200, 250, 200, 0.1F); }, Rule::overshoot, 60 + 7 + 5,
     60 + 7 + 5 + 4},
    {"15_K_over_at_duty_0_and_not_falling_is_a_stuck_switch",
     [](Diary& d) {
       hot(d), d.ramp(0, 3, 200, 210, 200, 0.3F), d.ramp(0, 3, 210, 217, 200, 0);
       for (int i = 0; i < 12; ++i) d.hotend(217, 200, 0), d.wait(1);
     },
     Rule::overshoot, 60 + 5 + 5, 60 + 5 + 9},
    {"an_overshoot_that_falls_again_is_life",
     [](Diary& d) { hot(d), d.ramp(0, 5, 200, 217, 200, 0), d.ramp(0, 20, 217, 205, 200, 0); }},
    {"cooling_to_a_lowered_target_is_life",
     [](Diary& d) { hot(d), d.ramp(0, 60, 200, 160, 90, 0); }},
    {"heat_on_the_way_down_to_a_lowered_target_is_a_stuck_switch",
     [](Diary& d) { hot(d), d.ramp(0, 15, 200, 185, 90, 0), d.ramp(0, 15, 185, 200, 90, 0); },
     Rule::idle_rise, 60 + 15 + 6, 60 + 15 + 10},
    {"an_idle_hotend_that_warms_is_a_stuck_switch",
     [](Diary& d) {
       for (int i = 0; i < 30; ++i) cold(d);
       d.ramp(0, 10, 25, 55, 0, 0);
     },
     Rule::idle_rise, 32, 35},
    {"an_idle_bed_that_warms_is_a_stuck_switch",
     [](Diary& d) {
       for (int i = 0; i < 60; ++i) cold(d);
       d.ramp(1, 20, 25, 35, 0, 0);
     },
     Rule::idle_rise, 66, 72},
    {"the_room_s_morning_is_no_stuck_switch",
     [](Diary& d) {
       for (int i = 0; i < 60; ++i) cold(d);
       d.ramp(0, 600, 25, 40, 0, 0);
     }},
    {"creep_after_power_off_is_life",
     [](Diary& d) {
       d.ramp(0, 30, 25, 145, 200, 1);
       d.ramp(0, 5, 145, 153, 0, 0), d.ramp(0, 60, 153, 120, 0, 0);
     }},
    {"heat_while_latched_is_a_stuck_switch_whatever_the_target_says",
     [](Diary& d) {
       hot(d);
       d.input.stopped = true;
       d.ramp(0, 12, 200, 196, 200, 0.3F), d.ramp(0, 15, 196, 215, 200, 1);
     },
     Rule::idle_rise, 60 + 12 + 4, 60 + 12 + 10},
    {"without_duty_an_idle_rise_is_seen_too",
     [](Diary& d) {
       for (int i = 0; i < 30; ++i) d.hotend(25, 0), d.bed(25, 0), d.wait(1);
       d.ramp(0, 10, 25, 55, 0);
     },
     Rule::idle_rise, 32, 35},
};

const Page frozen_pages[] = {
    {"the_same_number_for_20_s_at_full_power_is_frozen",
     [](Diary& d) {
       d.ramp(0, 10, 25, 60.06F, 200, 1);
       for (int i = 0; i < 30; ++i) d.hotend(60.06F, 200, 1), d.wait(1);
     },
     Rule::frozen, 29, 31},
    {"a_host_s_stall_of_11_s_is_not",
     [](Diary& d) {
       d.ramp(0, 10, 25, 60.06F, 200, 1);
       for (int i = 0; i < 11; ++i) d.hotend(60.06F, 200, 1), d.wait(1);
       d.ramp(0, 5, 65, 80, 200, 1);
     }},
    {"stuck_4_K_under_its_target_at_full_power_is_frozen",
     [](Diary& d) {
       d.ramp(0, 10, 180, 196.5F, 200, 1);
       for (int i = 0; i < 30; ++i) d.hotend(196.5F, 200, 1), d.wait(1);
     },
     Rule::frozen, 29, 31},
    {"whole_degrees_may_stand_for_longer",
     [](Diary& d) {
       d.ramp(0, 10, 185, 195, 200, 1);
       for (int i = 0; i < 40; ++i) d.hotend(195, 200, 1), d.wait(1);
       d.hotend(196, 200, 1), d.wait(1);
     }},
    {"steady_at_its_target_is_life",
     [](Diary& d) {
       for (int i = 0; i < 300; ++i) d.hotend(200, 200, 0.3F), with_bed(d), d.wait(1);
     }},
};

const Page own_pages[] = {
    {"own_sensor_15_K_apart_for_10_s_doubts_the_printer_s",
     [](Diary& d) {
       hot(d);
       for (int i = 0; i < 15; ++i)
         d.hotend(200.1F + (i % 2), 200, 0.3F), d.own(0, 216.5F), d.wait(1);
     },
     Rule::own_sensor_apart, 70, 72},
    {"own_sensor_apart_for_8_s_is_lag",
     [](Diary& d) {
       hot(d);
       for (int i = 0; i < 8; ++i) d.hotend(200, 200, 0.3F), d.own(0, 217), d.wait(1);
       for (int i = 0; i < 8; ++i) d.hotend(200, 200, 0.3F), d.own(0, 210), d.wait(1);
     }},
    {"own_sensor_over_the_limit_needs_no_printer",
     [](Diary& d) { cold(d), d.own(0, 291), d.wait(0.5), d.own(0, 292), d.wait(0.5); },
     Rule::own_sensor_limit, 1.4, 2.1},
    {"a_silent_own_sensor_is_a_warning",
     [](Diary& d) {
       cold(d), d.own(0, 25);
       for (int i = 0; i < 6; ++i) cold(d);
     },
     Rule::none, 0, 0, Rule::own_sensor_stale},
    {"an_own_sensor_has_a_moment_for_its_first_reading",
     [](Diary& d) {
       d.input.own[0].present = true;
       cold(d), cold(d), d.own(0, 25), cold(d);
     }},
    {"an_own_sensor_that_never_says_anything_is_a_warning",
     [](Diary& d) {
       d.input.own[0].present = true;
       for (int i = 0; i < 6; ++i) cold(d);
     },
     Rule::none, 0, 0, Rule::own_sensor_stale},
};

const Page blind_pages[] = {
    {"hot_and_silent_for_14_s_is_a_warning", [](Diary& d) { hot(d), d.wait(13); }, Rule::none, 0, 0,
     Rule::blind_warning},
    {"hot_and_silent_for_15_s_is_blind", [](Diary& d) { hot(d), d.wait(16); }, Rule::blind, 73.9,
     74.1},
    {"near_its_limit_a_fast_heater_is_blind_sooner",
     [](Diary& d) {
       for (int i = 0; i < 40; ++i)
         d.hotend(280.0F + 0.1F * (i % 3), 280, 0.5F), with_bed(d), d.wait(1);
       d.wait(15);  // (290 + 50 - 280) / 5 = 12 s
     },
     Rule::blind, 50.9, 51.2},
    {"cold_and_silent_is_switched_off", [](Diary& d) { cold(d), d.wait(300); }, Rule::none, 0, 0,
     Rule::silent_cold},
    {"a_target_on_its_way_makes_a_cold_heater_possibly_hot",
     [](Diary& d) { cold(d), d.wait(30), d.input.target_commanded = true, d.wait(1); }, Rule::blind,
     31, 31.2},
    {"a_report_on_its_way_does_not_undo_a_target_on_its_way",
     [](Diary& d) {
       cold(d), d.wait(1), d.input.target_commanded = true, d.wait(0.5);
       d.hotend(25, 0), with_bed(d), d.wait(20);
     },
     Rule::blind, 17.4, 17.7},
    {"a_report_that_is_younger_than_the_command_says_what_is_asked",
     [](Diary& d) {
       cold(d), d.wait(1), d.input.target_commanded = true, d.wait(3);
       d.hotend(25, 0), with_bed(d), d.wait(40);
     }},
    {"never_a_reading_is_possibly_hot", [](Diary& d) { d.wait(30); }, Rule::blind, 9.9, 15.1},
    {"a_cold_reading_with_a_target_is_possibly_hot",
     [](Diary& d) { d.hotend(25, 200, 1), with_bed(d), d.wait(20); }, Rule::blind, 14.9, 15.1},
    {"an_unknown_target_is_possibly_hot",
     [](Diary& d) { d.hotend(25, unknown), with_bed(d), d.wait(20); }, Rule::blind, 14.9, 15.1},
    {"busy_lines_prove_life_not_temperature",
     [](Diary& d) {
       hot(d);
       for (int i = 0; i < 20; ++i)
         d.readings.busy_at_ns = d.readings.line_at_ns = d.now_ns, d.wait(1);
     },
     Rule::blind, 73.9, 74.1},
    {"silence_while_latched_is_a_consequence",
     [](Diary& d) { hot(d), d.input.stopped = true, d.wait(120); }},
    {"silence_on_probation_is_watched_elsewhere",
     [](Diary& d) { hot(d), d.input.hold_blind = true, d.wait(120); }},
    {"one_heater_missing_from_the_reports_is_blind",
     [](Diary& d) {
       hot(d);
       d.bed(60, 60, 0.5F), d.wait(1);
       for (int i = 0; i < 20; ++i) d.hotend(200, 200, 0.3F), d.wait(1);
     },
     Rule::blind, 74.9, 75.2},
};

std::string page_name(const ::testing::TestParamInfo<Page>& page) { return page.param.name; }
INSTANTIATE_TEST_SUITE_P(Limits, RulePage, ::testing::ValuesIn(limit_pages), page_name);
INSTANTIATE_TEST_SUITE_P(Jumps, RulePage, ::testing::ValuesIn(jump_pages), page_name);
INSTANTIATE_TEST_SUITE_P(Heating, RulePage, ::testing::ValuesIn(heating_pages), page_name);
INSTANTIATE_TEST_SUITE_P(Hysteresis, RulePage, ::testing::ValuesIn(hysteresis_pages), page_name);
INSTANTIATE_TEST_SUITE_P(Stuck, RulePage, ::testing::ValuesIn(stuck_pages), page_name);
INSTANTIATE_TEST_SUITE_P(Frozen, RulePage, ::testing::ValuesIn(frozen_pages), page_name);
INSTANTIATE_TEST_SUITE_P(Own, RulePage, ::testing::ValuesIn(own_pages), page_name);
INSTANTIATE_TEST_SUITE_P(Blind, RulePage, ::testing::ValuesIn(blind_pages), page_name);

TEST(Verdicts, SayReadingTargetAndLimitInDegrees) {
  Diary diary;
  hot(diary);
  diary.ramp(0, 80, 200, 120, 200, 1);
  EXPECT_THAT(diary.trip().text, HasSubstr("hotend 16"));
  EXPECT_THAT(diary.trip().text, HasSubstr("°C, target 200.0 °C, limit 8.0 K in 30 s: fell below"));
}

TEST(Verdicts, FitIntoTheirText) {
  for (unsigned i = 1; i < static_cast<unsigned>(Rule::count); ++i) {
    std::array<char, 161> text{};
    describe({static_cast<Rule>(i), -88888.8F, 99999.0F}, "hotend3", -88888.8F, -88888.8F, text);
    const std::string said = text.data();
    EXPECT_TRUE(said.ends_with(info(static_cast<Rule>(i)).sentence)) << said << " is cut";
    describe({static_cast<Rule>(i)}, "hotend3", unknown, unknown, text);
    EXPECT_THAT(std::string(text.data()), HasSubstr("hotend3 unknown, target unknown"));
  }
}

TEST(Verdicts, BeginOnceAndHoldWhileTheirCauseHolds) {
  Diary diary;
  hot(diary);
  diary.wait(20);
  EXPECT_EQ(diary.last_trips, bit(Cause::blind));
  int onsets = 0;
  for (const auto& item : diary.told) onsets += item.rule == Rule::blind ? 1 : 0;
  EXPECT_EQ(onsets, 1);
  diary.hotend(199, 200, 0.3F);
  diary.wait(1);
  EXPECT_EQ(diary.last_trips, 0U) << "the readings are back; the latch is the machine's";
}

TEST(Trust, ADoubtedSensorStaysDoubtedUntilAReset) {
  Diary diary;
  hot(diary);
  diary.wait(20);
  EXPECT_TRUE(diary.monitor.doubted(0));
  EXPECT_FALSE(diary.monitor.doubted(1)) << "the bed was cold";
  for (int i = 0; i < 5; ++i) diary.hotend(199, 200, 0.3F), diary.wait(1);
  EXPECT_EQ(diary.trusted & 1U, 0U);
  diary.monitor.forget();
  diary.hotend(199, 200, 0.3F);
  diary.step();
  EXPECT_EQ(diary.trusted & 1U, 1U);
}

TEST(Trust, AReadingIsTrustedForThreeSeconds) {
  Diary diary;
  cold(diary);
  EXPECT_EQ(diary.trusted, 3U);
  EXPECT_EQ(diary.possibly_hot, 0U);
  diary.wait(1.9);
  EXPECT_EQ(diary.trusted, 3U);
  diary.wait(0.3);
  EXPECT_EQ(diary.trusted, 0U);
  EXPECT_EQ(diary.possibly_hot, 3U) << "stale is unknown, and unknown is hot";
}

TEST(Trust, TheFirmwaresOwnFaultMayDoubtEverySensor) {
  Diary diary;
  cold(diary);
  diary.monitor.doubt(max_heaters);
  diary.step();
  EXPECT_EQ(diary.trusted, 0U);
}

TEST(Blindness, OfASourceThatReportsEvery5SecondsIsToldWhenItIsLate) {
  Diary diary;
  for (int i = 0; i < 20; ++i) {
    diary.hotend(200.0F + static_cast<float>(i % 3), 200, 0.4F), diary.bed(25, 0, 0);
    diary.wait(i % 2 == 0 ? 3.5 : 6.5);
  }
  EXPECT_FALSE(diary.has(Rule::blind_warning)) << diary.story();
  diary.wait(7);
  EXPECT_TRUE(diary.has(Rule::blind_warning)) << diary.story();
  EXPECT_EQ(diary.trip().level, Level::none) << diary.story();
  diary.wait(2);
  EXPECT_EQ(diary.trip().rule, Rule::blind) << "the trip does not wait for a slow source";
}

TEST(Blindness, FollowsTheTableOfTheSafetyConcept) {
  struct Row {
    float celsius;
    double seconds;
  };
  // min(15 s, (290 + 50 - T) / 5), not under 5 s.
  for (const auto& row :
       {Row{200, 15}, Row{264, 15}, Row{270, 14}, Row{290, 10}, Row{315, 5}, Row{400, 5}}) {
    Diary diary;
    diary.hotend(row.celsius, 0);
    diary.step();
    EXPECT_NEAR(diary.monitor.blind_after_s(0), row.seconds, 0.01) << row.celsius;
  }
}

}  // namespace
}  // namespace firebreak::guard::thermal
