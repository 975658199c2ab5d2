#include "agent/uplink/printers/bambu_report.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace firebreak::uplink {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr MonotonicTime start{seconds{1000}};

json status(json fields) {
  fields["command"] = "push_status";
  return {{"print", std::move(fields)}};
}

std::string file(const std::string& name) {
  std::ifstream in(std::string(FIREBREAK_SOURCE_DIR) + "/tests/data/bambu/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class BambuReportTest : public testing::Test {
 protected:
  BambuReport take(const json& report, MonotonicTime at = start) {
    const auto taken = reports.take(report.dump(), at);
    EXPECT_TRUE(taken) << taken.error().message;
    return taken.value_or(BambuReport{});
  }
  HeaterFacts heater(const std::string& name, MonotonicTime at = start) {
    for (const auto& facts : heaters_at(reports.state(), at)) {
      if (facts.name == name) return facts;
    }
    return {};
  }

  BambuReports reports;
};

TEST_F(BambuReportTest, AFullReportTellsHeatersJobFanAndTroubles) {
  ASSERT_TRUE(reports.take(file("full_report.json"), start));
  const BambuState& state = reports.state();
  EXPECT_EQ(heater("hotend").celsius, 219.5);
  EXPECT_EQ(heater("hotend").target_celsius, 220);
  EXPECT_EQ(heater("bed").celsius, 60.25);
  EXPECT_EQ(heater("bed").target_celsius, 60);
  EXPECT_EQ(heater("chamber").celsius, 31);
  EXPECT_EQ(state.gcode_state, "RUNNING");
  EXPECT_TRUE(state.printing());
  EXPECT_EQ(state.job, "bracket");
  EXPECT_EQ(state.fan, 1.0);
  EXPECT_EQ(state.heard_at, start);
  EXPECT_FALSE(state.orders_need_signature);
  EXPECT_EQ(troubles_in_words(state), "");
  EXPECT_EQ(reports.damaged_fields(), 0U);
}

TEST_F(BambuReportTest, ADeltaChangesWhatItBearsAndKeepsTheRest) {
  take(status({{"nozzle_temper", 200.0},
               {"nozzle_target_temper", 220},
               {"bed_temper", 60},
               {"bed_target_temper", 60},
               {"gcode_state", "RUNNING"}}));
  take(status({{"nozzle_temper", 201.5}}), start + seconds{2});
  EXPECT_EQ(heater("hotend").celsius, 201.5);
  EXPECT_EQ(heater("hotend").target_celsius, 220);
  EXPECT_EQ(heater("bed").celsius, 60);
  EXPECT_EQ(reports.state().gcode_state, "RUNNING");
  EXPECT_EQ(reports.state().heard_at, start + seconds{2});
}

TEST_F(BambuReportTest, AValueThatNoReportBearsForAMinuteIsUnknownUntilOneDoes) {
  take(status({{"bed_temper", 60}, {"bed_target_temper", 60}, {"nozzle_temper", 200}}));
  take(status({{"nozzle_temper", 201}}), start + seconds{61});
  EXPECT_EQ(heater("bed", start + seconds{60}).celsius, 60);
  EXPECT_TRUE(std::isnan(heater("bed", start + seconds{61}).celsius));
  EXPECT_EQ(heater("bed", start + seconds{61}).target_celsius, 60);
  EXPECT_EQ(heater("hotend", start + seconds{61}).celsius, 201);
  take(status({{"bed_temper", 60}}), start + seconds{62});
  EXPECT_EQ(heater("bed", start + seconds{62}).celsius, 60);
}

TEST_F(BambuReportTest, AnImpossibleOrStrangeValueMakesThatHeaterUnknownAndNoOther) {
  const std::vector<json> strange{json("hot"), json(nullptr),      json(-300),
                                  json(1e9),   json::array({200}), json::object()};
  for (const json& value : strange) {
    take(status({{"nozzle_temper", 200}, {"bed_temper", 60}}));
    take(status({{"nozzle_temper", value}}));
    EXPECT_TRUE(std::isnan(heater("hotend").celsius)) << value;
    EXPECT_EQ(heater("bed").celsius, 60) << value;
  }
  EXPECT_EQ(reports.damaged_fields(), strange.size());
}

TEST_F(BambuReportTest, WhatIsNoReportIsCountedAndChangesNothing) {
  take(status({{"nozzle_temper", 200}, {"gcode_state", "RUNNING"}}));
  const std::string good = status({{"nozzle_temper", 20}, {"gcode_state", "IDLE"}}).dump();
  std::string deep = R"({"print":{"command":"push_status","gcode_state":"IDLE","x":)";
  deep += std::string(100'000, '[') + std::string(100'000, ']') + "}}";
  const std::string padded = R"({"print":{"command":"push_status","gcode_state":"IDLE","x":")" +
                             std::string(bambu_report_bytes_max, 'x') + "\"}}";
  const std::vector<std::string> bad{
      "",
      "null",
      "[]",
      "true",
      good.substr(0, good.size() / 2),
      good + "}",
      "{\"print\":{\"command\":\"push_status\",\"gcode_state\":\"\xff\xfe\"}}",
      R"({"print":[]})",
      R"({"print":"push_status"})",
      R"({"print":{"command":"push_status","nozzle_temper":1e999}})",
      std::string(1000, '\0'),
      deep,
      padded};
  for (const auto& text : bad) {
    EXPECT_FALSE(reports.take(text, start + seconds{5})) << text.substr(0, 80);
  }
  EXPECT_EQ(reports.refused(), bad.size());
  EXPECT_EQ(heater("hotend").celsius, 200);
  EXPECT_EQ(reports.state().gcode_state, "RUNNING");
  EXPECT_EQ(reports.state().heard_at, start);
}

TEST_F(BambuReportTest, ReportsOfOtherThingsDoNotProveThatThePrinterMeasures) {
  EXPECT_EQ(take({{"system", {{"command", "ledctrl"}}}}).kind, BambuReport::Kind::other);
  EXPECT_EQ(take({{"mc_print", {{"command", "push_info"}}}}).kind, BambuReport::Kind::other);
  EXPECT_EQ(take({{"print", {{"command", "stop"}}}}).kind, BambuReport::Kind::answer);
  EXPECT_EQ(take(json::object()).kind, BambuReport::Kind::other);
  EXPECT_FALSE(reports.state().heard_at);
}

TEST_F(BambuReportTest, TwoNozzlesAreToldApartByTheirPackedTemperatures) {
  // The upper 16 bits are the target: 225 * 65536 + 264.
  take(status(
      {{"nozzle_temper", 30},
       {"bed_temper", 55.5},
       {"device",
        {{"extruder",
          {{"info", json::array({{{"id", 0}, {"temp", 14745864}}, {{"id", 1}, {"temp", 30}}})}}},
         {"bed", {{"info", {{"temp", 60 * 65536 + 55}}}}},
         {"ctc", {{"info", {{"temp", 45 * 65536 + 40}}}}}}}}));
  EXPECT_EQ(heater("hotend").celsius, 264);
  EXPECT_EQ(heater("hotend").target_celsius, 225);
  EXPECT_EQ(heater("hotend1").celsius, 30);
  EXPECT_EQ(heater("hotend1").target_celsius, 0);
  EXPECT_EQ(heater("bed").celsius, 55.5) << "whole degrees do not replace finer ones";
  EXPECT_EQ(heater("chamber").celsius, 40);
  EXPECT_EQ(heater("chamber").target_celsius, 45);
  // The nozzle in use: which one it is, the old field does not say.
  take(status({{"nozzle_temper", 31}, {"nozzle_target_temper", 0}}));
  EXPECT_EQ(heater("hotend").celsius, 264);
  EXPECT_EQ(heater("hotend").target_celsius, 225);
}

TEST_F(BambuReportTest, APrinterIsAtRestOnlyIfEveryTargetIsToldToBeZero) {
  take(status({{"gcode_state", "FAILED"}, {"nozzle_temper", 200}, {"bed_temper", 60}}));
  EXPECT_FALSE(reports.state().at_rest()) << "no target was told";
  take(status({{"nozzle_target_temper", 0}}));
  EXPECT_FALSE(reports.state().at_rest()) << "the bed's target was not told";
  take(status({{"bed_target_temper", 0}}));
  EXPECT_TRUE(reports.state().at_rest());
  take(status({{"chamber_target_temper", 45}}));
  EXPECT_FALSE(reports.state().at_rest()) << "the chamber is heated";
  take(status({{"chamber_target_temper", 0}, {"gcode_state", "PAUSE"}}));
  EXPECT_FALSE(reports.state().at_rest()) << "a paused job goes on";
  take(status({{"gcode_state", "IDLE"}, {"bed_target_temper", "0"}}));
  EXPECT_FALSE(reports.state().at_rest()) << "a damaged target is unknown";
}

TEST_F(BambuReportTest, TroublesOfHeatersAreToldInWordsWithTheirCodes) {
  take(status({{"hms", json::array({{{"attr", 0x07001000}, {"code", 0x00020003}},
                                    {{"attr", 0x03000100}, {"code", 0x00010007}}})},
               {"print_error", 0x03008009}}));
  EXPECT_EQ(
      troubles_in_words(reports.state()),
      "heatbed: the sensor circuit may be open (HMS_0300_0100_0001_0007); heatbed temperature "
      "malfunction (0300-8009); HMS_0700_1000_0002_0003");
}

TEST_F(BambuReportTest, AThermalFaultIsNewOnceAndAgainAfterItWasGone) {
  const BambuState nothing;
  const json fault = status({{"hms", json::array({{{"attr", 0x03000200}, {"code", 0x00010003}}})}});
  take(fault);
  const BambuState first = reports.state();
  EXPECT_THAT(new_thermal_fault(nothing, first), HasSubstr("nozzle: over temperature"));
  take(fault);
  EXPECT_EQ(new_thermal_fault(first, reports.state()), "");
  take(status({{"hms", json::array()}}));
  const BambuState gone = reports.state();
  EXPECT_EQ(new_thermal_fault(first, gone), "");
  take(status({{"print_error", 0x03008008}}));
  EXPECT_THAT(new_thermal_fault(gone, reports.state()), HasSubstr("0300-8008"));
}

TEST_F(BambuReportTest, ACancelledPrintAndAnUnknownCodeAreNoThermalFault) {
  take(status({{"print_error", 0x0300400C},
               {"hms", json::array({{{"attr", 0x05000100}, {"code", 0x00030004}}})}}));
  EXPECT_EQ(new_thermal_fault(BambuState{}, reports.state()), "");
  EXPECT_THAT(troubles_in_words(reports.state()), HasSubstr("the print was cancelled (0300-400C)"));
}

TEST_F(BambuReportTest, ALongOrBrokenHealthListIsBounded) {
  json list = json::array({"x", json::object(), {{"attr", "1"}, {"code", 2}}});
  for (int i = 0; i < 1000; ++i) list.push_back({{"attr", i}, {"code", i}});
  take(status({{"hms", list}}));
  EXPECT_EQ(reports.state().hms.size(), bambu_hms_max);
  EXPECT_EQ(reports.damaged_fields(), 3U);
  EXPECT_LT(troubles_in_words(reports.state()).size(), 200U);
}

TEST_F(BambuReportTest, TextsAreCutBetweenCharacters) {
  std::string job;
  while (job.size() < 1000) job += "ö";
  take(status({{"subtask_name", "x" + job}}));
  EXPECT_LE(reports.state().job.size(), bambu_text_bytes_max);
  EXPECT_NO_THROW((void)json(reports.state().job).dump()) << "half a character is left";
}

TEST_F(BambuReportTest, TheVersionTellsWhichPrinterItIs) {
  const auto report =
      take({{"info",
             {{"command", "get_version"},
              {"module", json::array({{{"name", "mc"}, {"sw_ver", "00.00.10.48"}, {"sn", "B1"}},
                                      {{"name", "ota"},
                                       {"sw_ver", "01.08.02.00"},
                                       {"sn", "01P00A123"},
                                       {"product_name", "P1S"}}})}}}});
  EXPECT_EQ(report.kind, BambuReport::Kind::version);
  EXPECT_EQ(reports.state().firmware, "01.08.02.00");
  EXPECT_EQ(reports.state().serial, "01P00A123");
  EXPECT_EQ(reports.state().machine, "P1S");
}

TEST_F(BambuReportTest, ABitTellsThatOrdersMustBeSigned) {
  take(status({{"fun", "3EC18FFF9CFF"}}));
  EXPECT_FALSE(reports.state().orders_need_signature);
  take(status({{"fun", "3EC1AFFF9CFF"}}));
  EXPECT_TRUE(reports.state().orders_need_signature);
  take(status({{"fun", "no number"}}));
  EXPECT_TRUE(reports.state().orders_need_signature);
}

TEST_F(BambuReportTest, AnAnswerBearsItsResultAndItsCode) {
  const auto good =
      take({{"print", {{"command", "stop"}, {"result", "SUCCESS"}, {"sequence_id", "7"}}}});
  EXPECT_EQ(good.kind, BambuReport::Kind::answer);
  EXPECT_TRUE(good.accepted);
  EXPECT_EQ(good.sequence_id, "7");
  const auto bad = take({{"print", {{"command", "stop"}, {"err_code", 84033543}}}});
  EXPECT_FALSE(bad.accepted);
  EXPECT_TRUE(is_refused_control(bad.error_code));
}

TEST_F(BambuReportTest, ANewConnectionBeginsWithNothingKnown) {
  take(status({{"nozzle_temper", 200}, {"gcode_state", "RUNNING"}}));
  reports.forget();
  EXPECT_TRUE(heaters_at(reports.state(), start).empty());
  EXPECT_FALSE(reports.state().heard_at);
}

}  // namespace
}  // namespace firebreak::uplink
