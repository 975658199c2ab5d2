#include "tests/thermal/anchors/anchor.h"

namespace firebreak::thermal_bench {

namespace {

class Limits final : public Anchor {
 public:
  explicit Limits(double limit) : limit_(limit) {}
  bool step(const AnchorSample& now) override {
    outside_ = now.reading >= limit_ || now.reading < -10 ? outside_ + 1 : 0;
    return outside_ >= 2;
  }
  [[nodiscard]] double period_s() const override { return 0.3; }

 private:
  double limit_;
  int outside_ = 0;
};

}  // namespace

std::unique_ptr<Anchor> make_limits(const AnchorSetup& setup) {
  return std::make_unique<Limits>(setup.limit_celsius);
}

}  // namespace firebreak::thermal_bench
