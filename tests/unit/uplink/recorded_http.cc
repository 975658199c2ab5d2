#include "tests/unit/uplink/recorded_http.h"

#include <fstream>

namespace firebreak::test {
namespace {

enum class Part { none, request, status, head, body };

void end_body(std::vector<RecordedExchange>& out) {
  if (out.empty()) return;
  auto& body = out.back().body;
  while (body.ends_with('\n')) body.pop_back();
}

}  // namespace

std::vector<RecordedExchange> recorded_http(const std::string& name) {
  std::ifstream file(std::string(FIREBREAK_SOURCE_DIR) + "/tests/data/corpus/" + name);
  std::vector<RecordedExchange> out;
  Part part = Part::none;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("### t=")) {
      end_body(out);
      out.emplace_back().title = line.substr(line.find(' ', 4) + 1);
      part = Part::request;
    } else if (line.starts_with("###<")) {
      part = Part::status;
    } else if (part == Part::request && out.back().method.empty()) {
      const auto blank = line.find(' ');
      out.back().method = line.substr(0, blank);
      out.back().target = line.substr(blank + 1, line.rfind(' ') - blank - 1);
    } else if (part == Part::status) {
      out.back().status = std::stoi(line.substr(line.find(' ') + 1));
      part = Part::head;
    } else if (part == Part::head && line.empty()) {
      part = Part::body;
    } else if (part == Part::body) {
      out.back().body += line + "\n";
    }
  }
  end_body(out);
  return out;
}

}  // namespace firebreak::test
