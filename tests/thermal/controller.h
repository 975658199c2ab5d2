#pragma once

#include <memory>

namespace firebreak::thermal_bench {

struct ControlInput {
  double dt_s = 0.1;
  double reading = 0;  ///< As the firmware measures it.
  double target = 0;   ///< 0 = off.
  double fan = 0;
  double flow_mm3_s = 0;
};

/// A firmware's temperature control. step() is called each control period and returns the duty 0…1.
class Controller {
 public:
  Controller() = default;
  Controller(const Controller&) = default;
  Controller& operator=(const Controller&) = delete;
  virtual ~Controller() = default;
  virtual double step(const ControlInput& input) = 0;
  [[nodiscard]] virtual double period_s() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Controller> clone() const = 0;
};

/// A controller that is copied by its copy constructor.
template <class T>
class CopiedController : public Controller {
 public:
  [[nodiscard]] std::unique_ptr<Controller> clone() const final {
    return std::make_unique<T>(static_cast<const T&>(*this));
  }
};

}  // namespace firebreak::thermal_bench
