#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "agent/guard/core/shared.h"
#include "agent/guard/thermal/blind_detector.h"
#include "agent/guard/thermal/drift_detector.h"
#include "agent/guard/thermal/evidence.h"
#include "agent/guard/thermal/frozen_detector.h"
#include "agent/guard/thermal/heating_rate_detector.h"
#include "agent/guard/thermal/hysteresis_detector.h"
#include "agent/guard/thermal/idle_rise_detector.h"
#include "agent/guard/thermal/jump_detector.h"
#include "agent/guard/thermal/limit_detector.h"
#include "agent/guard/thermal/overshoot_detector.h"
#include "agent/guard/thermal/own_sensor_detector.h"
#include "agent/guard/thermal/plant_model.h"
#include "agent/guard/thermal/still_detector.h"
#include "agent/guard/thermal/supply_watch.h"
#include "agent/guard/thermal/unexplained_power_detector.h"

namespace firebreak::guard::thermal {

/// All that the rules remember of one heater.
struct HeaterState {
  std::int64_t last_at_ns = 0;  ///< Of the last reading that was taken in; outlives a restart.
  std::int64_t commanded_at_ns =
      0;  ///< A target > 0 was seen on its way; 0 = none since a reading.
  float last_celsius = unknown;
  float last_target = unknown;
  float approached = unknown;  ///< The target that `arrived` is about.
  std::uint8_t arrived = 0;
  float quantum = 1;               ///< Finest step seen: 1, 0.1 or 0.01 K.
  std::uint32_t active_rules = 0;  ///< Bits of Rule.
  std::uint32_t doubted = 0;       ///< 1 from a verdict that doubts the sensor until a reset.
  LimitState limit;
  JumpState jump;
  HeatingRateState heating_rate;
  HysteresisState hysteresis;
  OvershootState overshoot;
  IdleRiseState idle_rise;
  FrozenState frozen;
  OwnSensorState own_sensor;
  BlindState blind;
  PlantState plant;
  UnexplainedPowerState power;
  StillState still;
  DriftState drift;
  Evidence evidence;
};
static_assert(sizeof(HeaterState) <= 4096, "a heater's memory is small");

/// All that the rules remember of one printer: plain data in memory that the caller gives, mapped
/// so that it outlives a restart of the guard.
struct ThermalState {
  std::uint32_t size = 0;     ///< sizeof(ThermalState) of the writer: its version.
  std::uint32_t printer = 0;  ///< Fingerprint of the profile's heaters; another set starts fresh.
  std::array<HeaterState, max_heaters> heaters{};
  SupplyState supply;
};
static_assert(std::is_trivially_copyable_v<ThermalState>);
static_assert(static_cast<unsigned>(Rule::count) <= 32, "active_rules has 32 bits");

}  // namespace firebreak::guard::thermal
