#pragma once

#include <string>
#include <vector>

namespace firebreak::thermal_bench {

/// Fan and flow of a sliced file over time, in even steps.
class PrintProgram {
 public:
  static constexpr double step_s = 0.5;

  /// Reads G0/G1, G92, M82/M83, M106/M107 of a file; moves take their length over their feed rate.
  /// Exits the program with a message if the file cannot be read.
  static PrintProgram load(const std::string& path);

  /// Part fan as commanded (0…1) and mean filament flow (mm³/s) at `t_s`; the file repeats.
  [[nodiscard]] double fan(double t_s) const { return fan_[index(t_s)]; }
  [[nodiscard]] double flow(double t_s) const { return flow_[index(t_s)]; }
  [[nodiscard]] double length_s() const { return step_s * static_cast<double>(fan_.size()); }

 private:
  [[nodiscard]] std::size_t index(double t_s) const {
    return static_cast<std::size_t>(t_s / step_s) % fan_.size();
  }
  void spend(double seconds, double flow, double fan);

  std::vector<float> fan_, flow_;
  double part_s_ = 0, part_mm3_ = 0;
};

}  // namespace firebreak::thermal_bench
