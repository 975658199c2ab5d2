#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace firebreak::guard {

/// One line of a recorded dialogue (tests/data/corpus/README.md).
struct RecordedLine {
  int number = 0;  ///< In the file, from 1.
  double seconds = 0;
  char direction = '#';  ///< '<' from the printer, '>' from the host, '#' a comment.
  std::string bytes;     ///< With its line end.
};

inline std::string unescape(std::string text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "\\r") == 0) {
      out += '\r';
      ++i;
    } else if (text.compare(i, 2, "\\n") == 0) {
      out += '\n';
      ++i;
    } else if (text.compare(i, 2, "\\x") == 0 && i + 3 < text.size()) {
      out += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

inline std::vector<RecordedLine> read_recording(const std::filesystem::path& path) {
  std::vector<RecordedLine> lines;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    char* end = nullptr;
    RecordedLine line;
    line.number = number;
    line.seconds = std::strtod(text.c_str(), &end);
    const std::string rest = end == text.c_str() ? "" : std::string(end);
    if (rest.size() < 2 || (rest[1] != '<' && rest[1] != '>')) continue;
    line.direction = rest[1];
    line.bytes = unescape(rest.size() > 3 ? rest.substr(3) : "");
    const std::string unfinished = "# (no newline)", half = " (no newline)";
    if (line.bytes.ends_with(unfinished)) {
      line.bytes.resize(line.bytes.size() - unfinished.size());
    } else if (line.bytes.ends_with(half)) {
      line.bytes.resize(line.bytes.size() - half.size());
    } else {
      line.bytes += '\n';
    }
    lines.push_back(line);
  }
  return lines;
}

inline std::vector<std::filesystem::path> marlin_recordings() {
  std::vector<std::filesystem::path> files;
  const std::filesystem::path folder =
      std::filesystem::path(FIREBREAK_SOURCE_DIR) / "tests/data/corpus/marlin";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files.push_back(entry.path());
  }
  return files;
}

}  // namespace firebreak::guard
