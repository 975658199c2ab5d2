#include "coordinator/cli/replay/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace firebreak::cli::replay {
namespace {

struct Range {
  double low = 0, high = 1;
};

Range times_of(const HeaterChart& chart) {
  if (chart.points.empty()) return {};
  const double first = chart.points.front().t_s, last = chart.points.back().t_s;
  return {first, std::max(last, first + 1)};
}

/// A field of dots, two by four in each character.
class Dots {
 public:
  Dots(int columns, int rows) : columns_(columns), rows_(rows) {
    cells_.resize(static_cast<std::size_t>(columns * rows), 0);
  }
  /// x and y in 0…1; y upwards.
  void set(double x, double y) {
    const int dx = std::clamp(static_cast<int>(x * columns_ * 2), 0, columns_ * 2 - 1);
    const int dy = std::clamp(static_cast<int>((1 - y) * rows_ * 4), 0, rows_ * 4 - 1);
    constexpr std::array<std::array<unsigned, 2>, 4> bits{{{1, 8}, {2, 16}, {4, 32}, {64, 128}}};
    cells_[static_cast<std::size_t>(dy / 4 * columns_ + dx / 2)] |=
        bits[static_cast<std::size_t>(dy % 4)][static_cast<std::size_t>(dx % 2)];
  }
  [[nodiscard]] std::string row(int index) const {
    std::string text;
    for (int i = 0; i < columns_; ++i) {
      const unsigned code = 0x2800 + cells_[static_cast<std::size_t>(index * columns_ + i)];
      text += static_cast<char>(0xE0U | (code >> 12U));
      text += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
      text += static_cast<char>(0x80U | (code & 0x3FU));
    }
    return text;
  }

 private:
  int columns_, rows_;
  std::vector<unsigned> cells_;
};

struct Curve {
  const char* name;
  float ChartPoint::*value;
  float ChartPoint::*second;  ///< Drawn in the same field; null = none.
  double low, high;
  int rows;
};

std::array<Curve, 3> curves_of(const HeaterChart& chart) {
  double hottest = 50;
  for (const auto& point : chart.points) {
    if (point.celsius < 1000) hottest = std::max<double>(hottest, point.celsius);
    if (point.target_celsius < 1000) hottest = std::max<double>(hottest, point.target_celsius);
  }
  return {{{"temperature, target (°C)", &ChartPoint::celsius, &ChartPoint::target_celsius, 0,
            std::ceil(hottest / 10) * 10, 8},
           {"duty", &ChartPoint::duty, nullptr, 0, 1, 3},
           {"unexplained power", &ChartPoint::unexplained, nullptr, -1, 1, 3}}};
}

void draw_curve(const HeaterChart& chart, const Curve& curve, int columns, std::string& out) {
  const auto times = times_of(chart);
  Dots dots(columns, curve.rows);
  for (const auto& point : chart.points) {
    const double x = (point.t_s - times.low) / (times.high - times.low);
    for (const auto member : {curve.value, curve.second}) {
      if (member == nullptr || !std::isfinite(point.*member)) continue;
      const double y = (static_cast<double>(point.*member) - curve.low) / (curve.high - curve.low);
      if (y >= 0 && y <= 1) dots.set(x, y);
    }
  }
  out += fmt::format("  {}\n", curve.name);
  for (int row = 0; row < curve.rows; ++row) {
    const bool top = row == 0, bottom = row + 1 == curve.rows;
    const auto label = top ? fmt::format("{:g}", curve.high)
                           : (bottom ? fmt::format("{:g}", curve.low) : std::string());
    out += fmt::format("{:>5} {}\n", label, dots.row(row));
  }
}

bool is_trip(const Found& found) { return found.verdict.level == guard::thermal::Level::trip; }

const char* colour_of(std::size_t curve) {
  constexpr std::array colours{"#c0392b", "#2c7fb8", "#7b3294"};
  return colours[curve];
}

std::string svg_line(const HeaterChart& chart, const Curve& curve, float ChartPoint::*member,
                     const char* colour, const char* dash, double left, double top, double width,
                     double height) {
  const auto times = times_of(chart);
  std::string path;
  bool pen_down = false;
  // A picture is some thousand pixels wide: more points say nothing.
  const std::size_t stride = std::max<std::size_t>(1, chart.points.size() / 4000);
  for (std::size_t i = 0; i < chart.points.size(); i += stride) {
    const auto& point = chart.points[i];
    const float value = point.*member;
    if (!std::isfinite(value)) {
      pen_down = false;
      continue;
    }
    const double x = left + width * (point.t_s - times.low) / (times.high - times.low);
    const double share = std::clamp((value - curve.low) / (curve.high - curve.low), 0.0, 1.0);
    path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", x, top + height * (1 - share));
    pen_down = true;
  }
  return fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.2\"{}/>\n", path,
                     colour, dash);
}

}  // namespace

std::string draw_text(const std::vector<HeaterChart>& charts, const Outcome& outcome, int columns) {
  const int width = std::clamp(columns - 8, 20, 200);
  std::string out;
  for (const auto& chart : charts) {
    const auto times = times_of(chart);
    out += fmt::format("{}  {:.0f} … {:.0f} s\n", chart.heater, times.low, times.high);
    for (const auto& curve : curves_of(chart)) draw_curve(chart, curve, width, out);
    std::string marks(static_cast<std::size_t>(width), ' ');
    bool any = false;
    for (const auto& found : outcome.found) {
      if (found.heater != chart.heater) continue;
      const double x = (found.t_s - times.low) / (times.high - times.low);
      const auto at = std::clamp(static_cast<int>(x * width), 0, width - 1);
      auto& mark = marks[static_cast<std::size_t>(at)];
      if (mark != 'T') mark = is_trip(found) ? 'T' : 'w';
      any = true;
    }
    if (any) out += fmt::format("      {}  T trip, w warning\n", marks);
  }
  return out;
}

std::string draw_svg(const std::vector<HeaterChart>& charts, const Outcome& outcome) {
  constexpr double width = 900, left = 60, gap = 26;
  constexpr std::array<double, 3> heights{180, 60, 80};
  double total = 20;
  for (std::size_t i = 0; i < charts.size(); ++i) {
    for (const double height : heights) total += height + gap;
    total += 20;
  }
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0f} {:.0f}\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" "
      "fill=\"white\"/>\n",
      width + left + 20, total);
  double top = 20;
  for (const auto& chart : charts) {
    const auto times = times_of(chart);
    const double begin = top;
    const auto curves = curves_of(chart);
    for (std::size_t i = 0; i < curves.size(); ++i) {
      const auto& curve = curves[i];
      out += fmt::format("<text x=\"{}\" y=\"{:.0f}\">{}: {}</text>\n", left, top - 4, chart.heater,
                         curve.name);
      out += fmt::format(
          "<rect x=\"{}\" y=\"{:.0f}\" width=\"{}\" height=\"{}\" fill=\"none\" "
          "stroke=\"#bbb\"/>\n",
          left, top, width, heights[i]);
      out += fmt::format("<text x=\"{}\" y=\"{:.0f}\" text-anchor=\"end\">{:g}</text>\n", left - 4,
                         top + 10, curve.high);
      out += fmt::format("<text x=\"{}\" y=\"{:.0f}\" text-anchor=\"end\">{:g}</text>\n", left - 4,
                         top + heights[i], curve.low);
      if (curve.second != nullptr) {
        out += svg_line(chart, curve, curve.second, "#888", " stroke-dasharray=\"4 3\"", left, top,
                        width, heights[i]);
      }
      out += svg_line(chart, curve, curve.value, colour_of(i), "", left, top, width, heights[i]);
      top += heights[i] + gap;
    }
    for (const auto& found : outcome.found) {
      if (found.heater != chart.heater) continue;
      const double x = left + width * (found.t_s - times.low) / (times.high - times.low);
      out += fmt::format(
          "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.0f}\" y2=\"{2:.0f}\" "
          "stroke=\"{3}\"/><text x=\"{0:.1f}\" y=\"{4:.0f}\" fill=\"{3}\">{5} "
          "{6:.0f} s</text>\n",
          x, begin, top - gap, is_trip(found) ? "#d00000" : "#e08000", top - gap + 14,
          guard::thermal::info(found.verdict.rule).name, found.t_s);
    }
    top += 20;
  }
  return out + "</svg>\n";
}

}  // namespace firebreak::cli::replay
