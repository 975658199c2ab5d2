#include "common/config/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/base/escape.h"
#include "common/base/system_reason.h"
#include "common/config/explain.h"
#include "common/config/yaml_reader.h"

namespace firebreak::config {

struct Document::Parts {
  std::string file;
  YamlTree tree;
};

/// Makes a Document from its parts; the only one who may.
class DocumentBuilder {
 public:
  static Document build(std::string file, YamlTree tree) {
    Document document;
    document.parts_ =
        std::make_shared<const Document::Parts>(Document::Parts{std::move(file), std::move(tree)});
    return document;
  }
};

namespace {

int line_in(const YamlTree& tree, std::string_view pointer) {
  for (;;) {
    if (const auto at = tree.lines.find(pointer); at != tree.lines.end()) return at->second;
    if (pointer.empty()) return 1;
    pointer = pointer.substr(0, pointer.rfind('/'));
  }
}

// True when a finding of the reader already speaks about this value.
bool is_refused(const YamlTree& tree, const std::string& pointer) {
  return tree.refused.contains(pointer);
}

std::string sentence(std::string_view file, int line, std::string_view pointer,
                     std::string_view what) {
  std::string out(file);
  out += ':' + std::to_string(line) + ": ";
  if (!pointer.empty()) out += people_path(pointer) + ": ";
  out += what;
  return out;
}

// Reads at most file_bytes_max + 1 bytes; a pipe or device is refused, because it could block.
Result<std::string> read_file(const std::filesystem::path& path) {
  const auto refuse = [&](std::string what) {
    return fail(ErrorCode::bad_input, sentence(path.string(), 1, "", what));
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    return refuse(std::string("the file cannot be read: ") + system_reason(errno) +
                  "; make it, or name another with --config");
  }
  struct stat status {};
  std::string text;
  int error = fstat(fd, &status) == 0 ? 0 : errno;
  const bool regular = error == 0 && S_ISREG(status.st_mode);
  while (regular && text.size() <= file_bytes_max) {
    char buffer[16 * 1024];
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) error = errno;
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(fd);
  if (error != 0) return refuse(std::string("the file cannot be read: ") + system_reason(error));
  if (!regular) return refuse("this is not an ordinary file");
  return text;
}

Error report(std::string_view file, std::vector<YamlTree::Finding> findings) {
  std::stable_sort(findings.begin(), findings.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  std::string message;
  for (std::size_t i = 0; i < findings.size() && i < problems_max; ++i) {
    if (i > 0) message += '\n';
    message += sentence(file, findings[i].line, findings[i].pointer, findings[i].what);
  }
  if (findings.size() > problems_max) message += "\nand more";
  return {ErrorCode::bad_input, std::move(message)};
}

}  // namespace

const nlohmann::json& Document::value() const noexcept { return parts_->tree.value; }
const std::string& Document::file() const noexcept { return parts_->file; }
int Document::line_of(std::string_view pointer) const { return line_in(parts_->tree, pointer); }

Error Document::error_at(std::string_view pointer, std::string_view what) const {
  return {ErrorCode::bad_input, sentence(parts_->file, line_of(pointer), pointer, what)};
}

Result<Document> parse_yaml(std::string_view text, std::string_view file,
                            std::string_view schema_json) {
  auto schema = Schema::compile(schema_json);
  if (!schema) return fail(schema.error().within(file));
  const std::string name = escape_untrusted(file, 4096);
  if (text.size() > file_bytes_max) {
    return fail(ErrorCode::bad_input,
                sentence(name, 1, "", "the file is larger than 1 MiB; a configuration is not"));
  }
  YamlTree tree = read_yaml(text);
  if (tree.complete) {
    for (Problem& problem : schema->check(tree.value)) {
      if (is_refused(tree, problem.pointer)) continue;
      tree.findings.push_back(
          {line_in(tree, problem.pointer), problem.pointer, std::move(problem.what)});
    }
  }
  if (!tree.findings.empty()) return fail(report(name, std::move(tree.findings)));
  return DocumentBuilder::build(name, std::move(tree));
}

Result<Document> load_yaml(const std::filesystem::path& path, std::string_view schema_json) {
  auto text = read_file(path);
  if (!text) return fail(std::move(text.error()));
  return parse_yaml(*text, path.string(), schema_json);
}

}  // namespace firebreak::config
