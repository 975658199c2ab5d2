#include "tests/thermal/print_program.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

namespace firebreak::thermal_bench {

namespace {

constexpr double filament_mm2 = 2.405;  // of 1.75 mm

/// Letters and numbers of one line: "G1 X1 E.2" → {G:1, X:1, E:0.2}.
std::map<char, double> words(const std::string& line) {
  std::map<char, double> out;
  std::istringstream in(line.substr(0, line.find(';')));
  for (std::string word; in >> word;) {
    out[word[0]] = word.size() > 1 ? std::atof(word.c_str() + 1) : 0;
  }
  return out;
}

struct Head {
  double x = 0, y = 0, z = 0, e = 0, mm_per_s = 20, fan = 0;
  bool relative_e = false;
};

double or_else(const std::map<char, double>& of, char letter, double value) {
  const auto found = of.find(letter);
  return found == of.end() ? value : found->second;
}

}  // namespace

void PrintProgram::spend(double seconds, double flow, double fan) {
  while (seconds > 0) {
    const double now = std::min(seconds, step_s - part_s_);
    part_mm3_ += flow * now;
    part_s_ += now;
    seconds -= now;
    if (part_s_ < step_s - 1e-9) break;
    flow_.push_back(static_cast<float>(part_mm3_ / step_s));
    fan_.push_back(static_cast<float>(fan));
    part_s_ = part_mm3_ = 0;
  }
}

PrintProgram PrintProgram::load(const std::string& path) {
  std::ifstream in(path);
  PrintProgram program;
  Head head;
  for (std::string line; std::getline(in, line);) {
    const auto w = words(line);
    const int m = static_cast<int>(or_else(w, 'M', -1));
    const int g = static_cast<int>(or_else(w, 'G', -1));
    if (m == 82 || m == 83) head.relative_e = m == 83;
    if (m == 106) head.fan = or_else(w, 'S', 255) / 255;
    if (m == 107) head.fan = 0;
    if (g == 92) head.e = or_else(w, 'E', head.e);
    if (g != 0 && g != 1) continue;
    const double x = or_else(w, 'X', head.x);
    const double y = or_else(w, 'Y', head.y);
    const double z = or_else(w, 'Z', head.z);
    const double from = head.relative_e ? 0 : head.e;
    const double e = or_else(w, 'E', from);
    head.mm_per_s = or_else(w, 'F', head.mm_per_s * 60) / 60;
    const double way = std::hypot(x - head.x, y - head.y, z - head.z);
    const double seconds = (way > 0 ? way : std::fabs(e - from)) / std::max(1.0, head.mm_per_s);
    const double flow = seconds > 0 && way > 0 ? (e - from) * filament_mm2 / seconds : 0;
    program.spend(seconds, std::max(0.0, flow), head.fan);
    head.x = x;
    head.y = y;
    head.z = z;
    head.e = e;
  }
  if (program.fan_.empty()) {
    std::fprintf(stderr, "bench thermal: no moves in %s; is the source tree complete?\n",
                 path.c_str());
    std::exit(2);
  }
  return program;
}

}  // namespace firebreak::thermal_bench
