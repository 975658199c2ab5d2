#include "agent/uplink/printers/bambu_orders.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace firebreak::uplink {
namespace {

using nlohmann::json;

std::string print_request(const char* command, const std::string& parameter,
                          std::uint64_t sequence) {
  return json{
      {"print",
       {{"command", command}, {"param", parameter}, {"sequence_id", std::to_string(sequence)}}}}
      .dump();
}

std::string heaters_off_gcode(const BambuState& state) {
  std::string gcode = "M104 S0\nM140 S0\n";
  if (state.two_nozzles) gcode += "M104 T0 S0\nM104 T1 S0\n";
  if (!std::isnan(state.chamber.target_celsius)) gcode += "M141 S0\n";
  return gcode;
}

bool obeyed(BambuOrder order, const BambuState& state) {
  switch (order) {
    case BambuOrder::stop: return state.at_rest();
    case BambuOrder::heaters_off: return state.heaters_off();
    case BambuOrder::pause: return state.gcode_state == "PAUSE";
    case BambuOrder::cancel: return !state.gcode_state.empty() && !state.printing();
  }
  return false;
}

/// NaN equals NaN here: not told before and not told now is no change.
bool differs(double a, double b) { return !(std::isnan(a) && std::isnan(b)) && a != b; }

bool had_effect(const BambuState& before, const BambuState& now) {
  return before.gcode_state != now.gcode_state ||
         differs(before.hotend.target_celsius, now.hotend.target_celsius) ||
         differs(before.hotend1.target_celsius, now.hotend1.target_celsius) ||
         differs(before.bed.target_celsius, now.bed.target_celsius) ||
         differs(before.chamber.target_celsius, now.chamber.target_celsius);
}

}  // namespace

std::vector<std::string> messages_of(BambuOrder order, const BambuState& state,
                                     std::uint64_t sequence) {
  const auto heaters = [&](std::uint64_t number) {
    return print_request("gcode_line", heaters_off_gcode(state), number);
  };
  switch (order) {
    case BambuOrder::stop: return {print_request("stop", "", sequence), heaters(sequence + 1)};
    case BambuOrder::heaters_off: return {heaters(sequence)};
    case BambuOrder::pause: return {print_request("pause", "", sequence)};
    case BambuOrder::cancel: return {print_request("stop", "", sequence)};
  }
  return {};
}

std::string full_report_question(std::uint64_t sequence) {
  return json{{"pushing", {{"command", "pushall"}, {"sequence_id", std::to_string(sequence)}}}}
      .dump();
}

std::string version_question(std::uint64_t sequence) {
  return json{{"info", {{"command", "get_version"}, {"sequence_id", std::to_string(sequence)}}}}
      .dump();
}

bool BambuOrders::open(BambuOrder order, const BambuState& state, MonotonicTime now,
                       PrinterClient::Done& done) {
  if (open_.size() >= open_max) return false;
  open_.push_back(Open{order, now + longest, std::move(done), state});
  return true;
}

std::vector<BambuOrders::Finished> BambuOrders::take_if(
    const std::function<bool(const Open&)>& ends, const Result<bool>& result) {
  std::vector<Finished> finished;
  const auto first = std::stable_partition(open_.begin(), open_.end(),
                                           [&](const Open& open) { return !ends(open); });
  for (auto it = first; it != open_.end(); ++it) {
    finished.push_back(Finished{std::move(it->done), result});
  }
  open_.erase(first, open_.end());
  return finished;
}

std::vector<BambuOrders::Finished> BambuOrders::on_status(const BambuState& state) {
  for (Open& open : open_) {
    open.reported = true;
    // What was so before the order proves nothing of the printer's obedience.
    if (obeyed(open.order, state) && had_effect(open.before, state)) control_refused_ = false;
  }
  return take_if([&](const Open& open) { return obeyed(open.order, state); }, Result<bool>(true));
}

std::vector<BambuOrders::Finished> BambuOrders::on_answer(const BambuReport& answer) {
  if (is_refused_control(answer.error_code)) {
    control_refused_ = true;
    return take_if([](const Open&) { return true; }, Result<bool>(false));
  }
  if (answer.accepted) {
    for (Open& open : open_) open.taken = true;
  }
  return {};
}

std::vector<BambuOrders::Finished> BambuOrders::expire(const BambuState& state, MonotonicTime now) {
  const auto late = [&](const Open& open) { return now >= open.until; };
  // It reported on, said nothing to the order and did nothing: that is how firmware with
  // authorization control ignores what is not signed.
  for (const Open& open : open_) {
    if (late(open) && open.reported && !open.taken && !had_effect(open.before, state)) {
      control_refused_ = true;
    }
  }
  return take_if(late, Result<bool>(false));
}

std::vector<BambuOrders::Finished> BambuOrders::abandon(const Error& error) {
  return take_if([](const Open&) { return true; }, fail(error));
}

}  // namespace firebreak::uplink
