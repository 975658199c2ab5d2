#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/guard/blackbox/black_box.h"

namespace firebreak::guard {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A black box on real files, on a clock that the test owns.
class BlackBoxTest : public ::testing::Test {
 protected:
  BlackBoxTest() {
    std::string name = ::testing::TempDir() + "blackbox-XXXXXX";
    folder_ = mkdtemp(name.data());
    options_.directory = folder_;
    options_.boot_id = std::string(32, 'b');
    options_.printers = {{"p1", {"hotend", "bed"}}, {"p2", {"hotend"}}};
    start();
  }
  ~BlackBoxTest() override {
    box_.reset();
    fs::remove_all(folder_);
  }

  void start() {
    box_.reset();
    box_ = std::make_unique<BlackBox>(options_, clock_);
    queue_ = &box_->event_queue(64);
    samples_ = &box_->sample_queue(256);
  }

  BlackBoxRecord record(EventKind kind = EventKind::state, Severity severity = Severity::info) {
    BlackBoxRecord record = make_record(clock_, kind, severity, 0);
    return record.set_text("something happened");
  }
  void push(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(queue_->push(record()));
  }
  void run(milliseconds after = milliseconds{100}) {
    clock_.advance(after);
    box_->run_once();
  }
  void sample(std::uint16_t printer, std::uint16_t heater, float celsius) {
    Sample s;
    s.mono_ns = clock_.now().time_since_epoch().count();
    s.wall_ms = clock_.wall().time_since_epoch().count();
    s.printer = printer;
    s.heater = heater;
    s.celsius = celsius;
    s.target_celsius = 210;
    s.duty = 0.5F;
    ASSERT_TRUE(samples_->push(s));
  }
  json events(std::int64_t after = 0) {
    auto page = box_->events_after({}, after, 500, 1 << 20);
    EXPECT_TRUE(page) << page.error().message;
    return page ? *page : json::array();
  }
  json last_of(std::string_view kind) {
    json found;
    for (const json& event : events()) {
      if (event["kind"] == kind) found = event;
    }
    return found;
  }
  std::vector<std::string> corrupt_files() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename();
      if (contains(name, ".corrupt-") && name.ends_with(".db")) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  void junk(const char* name) {
    std::ofstream(folder_ / name, std::ios::trunc) << std::string(20'000, 'j');
  }

  fs::path folder_;
  ManualClock clock_;
  BlackBoxOptions options_;
  std::unique_ptr<BlackBox> box_;
  EventQueue* queue_ = nullptr;
  SampleQueue* samples_ = nullptr;
};

}  // namespace firebreak::guard
