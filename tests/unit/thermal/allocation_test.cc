#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "agent/guard/thermal/cooling_proof.h"
#include "agent/guard/thermal/probation_watch.h"
#include "tests/unit/thermal/machine.h"

namespace {
std::atomic<long> allocations{0};
}  // namespace

// Counted for this whole test program.
void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace firebreak::guard::thermal {
namespace {

TEST(Steps, AllocateNothingWhateverHappens) {
  const auto profile = test_profile();
  ThermalState thermal;
  CoolingState cooling;
  SignOfHeatState heat;
  ProbationState trial;
  ThermalMonitor monitor(profile, thermal);
  CoolingProof proof(profile, cooling);
  SignOfHeat sign(profile, heat);
  ProbationWatch probation(profile, trial);
  StepInput input;
  PrinterReadings readings;
  std::mt19937_64 random(3);
  input.now_ns = Diary::begin_ns;
  proof.begin(input, readings, monitor);
  sign.begin(input.now_ns);
  probation.begin(input.now_ns, true);
  const long before = allocations.load();
  for (int i = 0; i < 20000; ++i) {
    input.now_ns += seconds_ns(0.1);
    input.stopped = i / 500 % 2 == 1;
    if (random() % 10 == 0) {
      auto& reading = readings.heaters[random() % 2];
      reading.celsius = static_cast<float>(random() % 400);
      reading.target_celsius = static_cast<float>(random() % 2 * 200);
      reading.duty = static_cast<float>(random() % 3) / 2;
      reading.celsius_at_ns = reading.target_at_ns = input.now_ns;
    }
    monitor.step(input, readings);
    proof.step(input, readings, monitor, false);
    sign.step(input, readings);
    probation.step(input, readings, 3);
    if (random() % 1000 == 0) monitor.forget();
  }
  EXPECT_EQ(allocations.load(), before);
}

}  // namespace
}  // namespace firebreak::guard::thermal
