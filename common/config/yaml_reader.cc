#include "common/config/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "common/base/escape.h"
#include "common/config/config.h"
#include "common/config/scalar.h"

namespace firebreak::config {
namespace {

using nlohmann::json;

// Thrown by the handler below and caught in read_yaml: the only way to stop yaml-cpp's parser.
struct Stop {};

class Reader final : public YAML::EventHandler {
 public:
  Reader(YamlTree& tree, std::string_view text) : tree_(tree), text_(text) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    find(mark, "the anchor &" + escape_untrusted(name, 40) +
                   " is not allowed; write the value out where it is needed");
  }

  // The parser sees that nothing comes only at the next thing that does.
  void OnNull(const YAML::Mark& next, YAML::anchor_t) override {
    if (expects_key()) {
      find(next, "a key is missing before the colon");
      set_key(next, "");
      return;
    }
    const YAML::Mark mark = end_of_what_precedes(next);
    place(mark, json(""));
    refuse(mark, "the value is empty; write one, or leave the whole line out");
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    if (expects_key()) {
      set_key(mark, "*");
    } else {
      place(mark, json(""));
    }
    refuse(mark, "an alias (*name) is not allowed; write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    check_tag(mark, tag);
    const bool plain = tag != "!";
    if (!plain) check_closed(mark);
    if (expects_key()) {
      set_key(mark, value);
      if (plain && value == "<<") {
        find(mark, "the merge key << is not allowed; write the keys out");
      }
      return;
    }
    json item = value;
    const auto why = plain ? read_plain_scalar(value, item) : std::nullopt;
    place(mark, std::move(item));
    if (why) refuse(mark, *why);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    enter(mark, tag, json::array());
  }
  void OnSequenceEnd() override { leave(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    enter(mark, tag, json::object());
  }
  void OnMapEnd() override { leave(); }

 private:
  // One open map or list. `value` points into the tree; a parent does not move while it is open.
  struct Level {
    json* value;
    std::string pointer;
    std::optional<std::string> key;
    int key_line = 0;
  };

  static int line_of(const YAML::Mark& mark) { return mark.line + 1; }

  [[nodiscard]] bool expects_key() const {
    return !levels_.empty() && levels_.back().value->is_object() && !levels_.back().key;
  }

  [[nodiscard]] std::string here() const { return last_pointer_; }

  void find(const YAML::Mark& mark, std::string what) {
    tree_.findings.push_back({line_of(mark), here(), std::move(what)});
    if (tree_.findings.size() >= problems_max) {
      tree_.complete = false;
      throw Stop{};
    }
  }

  // A finding about the value that was placed last: the schema then says nothing more about it.
  void refuse(const YAML::Mark& mark, std::string what) {
    tree_.refused.insert(last_pointer_);
    find(mark, std::move(what));
  }

  [[nodiscard]] YAML::Mark end_of_what_precedes(YAML::Mark mark) const {
    std::size_t at = std::min(static_cast<std::size_t>(std::max(mark.pos, 0)), text_.size());
    // "~" and "null" stand at the mark itself.
    if (at < text_.size() && (text_[at] == '~' || text_[at] == 'n' || text_[at] == 'N'))
      return mark;
    at = text_.find_last_not_of(" \t\r\n", at == 0 ? 0 : at - 1);
    if (at == std::string_view::npos) return mark;
    mark.line = static_cast<int>(
        std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    return mark;
  }

  // yaml-cpp takes the end of the file for a closing quote.
  void check_closed(const YAML::Mark& mark) {
    const auto begin = static_cast<std::size_t>(std::max(mark.pos, 0));
    if (begin >= text_.size()) return;
    const char quote = text_[begin];
    if (quote != '"' && quote != '\'') return;
    for (std::size_t at = begin + 1; at < text_.size(); ++at) {
      if (quote == '"' && text_[at] == '\\') {
        ++at;
      } else if (text_[at] == quote) {
        if (quote == '"' || at + 1 >= text_.size() || text_[at + 1] != quote) return;
        ++at;
      }
    }
    find(mark, "not readable as YAML: the closing quote is missing");
    tree_.complete = false;
    throw Stop{};
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    find(mark, "the tag " + escape_untrusted(tag, 60) + " is not allowed; leave it out");
  }

  void set_key(const YAML::Mark& mark, const std::string& key) {
    Level& level = levels_.back();
    last_pointer_ = child_pointer(level.pointer, key);
    level.key = key;
    level.key_line = line_of(mark);
    if (level.value->contains(key)) {
      find(mark, "the key is doubled; it is already on line " +
                     std::to_string(tree_.lines[last_pointer_]) + "; remove one of the two");
    }
  }

  json* place(const YAML::Mark& mark, json item) {
    if (levels_.empty()) {
      tree_.value = std::move(item);
      last_pointer_.clear();
      tree_.lines.emplace("", line_of(mark));
      return &tree_.value;
    }
    Level& level = levels_.back();
    if (level.value->is_array()) {
      last_pointer_ = child_pointer(level.pointer, level.value->size());
      tree_.lines.emplace(last_pointer_, line_of(mark));
      level.value->push_back(std::move(item));
      return &level.value->back();
    }
    last_pointer_ = child_pointer(level.pointer, *level.key);
    tree_.lines.emplace(last_pointer_, level.key_line);
    json& slot = (*level.value)[*level.key];
    level.key.reset();
    slot = std::move(item);
    return &slot;
  }

  void enter(const YAML::Mark& mark, const std::string& tag, json empty) {
    check_tag(mark, tag);
    if (expects_key()) {
      find(mark, "a key must be one word, not a list or a map");
      tree_.complete = false;
      throw Stop{};
    }
    if (levels_.size() >= static_cast<std::size_t>(depth_max)) {
      find(mark, "nested deeper than " + std::to_string(depth_max) + " levels");
      tree_.complete = false;
      throw Stop{};
    }
    json* value = place(mark, std::move(empty));
    levels_.push_back({value, last_pointer_, std::nullopt, 0});
  }

  void leave() {
    last_pointer_ = levels_.back().pointer;
    levels_.pop_back();
  }

  YamlTree& tree_;
  const std::string_view text_;
  std::vector<Level> levels_;
  std::string last_pointer_;
};

// Ignores what it hears: to look whether a second document follows.
class Deaf final : public YAML::EventHandler {
 public:
  int line = 0;
  void OnDocumentStart(const YAML::Mark& mark) override {
    line = mark.line + 1;
    throw Stop{};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

void stop_with(YamlTree& tree, int line, std::string what) {
  tree.findings.push_back({line, "", std::move(what)});
  tree.complete = false;
}

// Bytes that no configuration needs and that would hide something from whoever reads the file.
bool refuse_bytes(std::string_view text, YamlTree& tree) {
  int line = 1;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row = text.substr(begin, end - begin);
    for (const char c : row) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && byte != '\t' && byte != '\r') || byte == 0x7F) {
        stop_with(tree, line, "a control character is in the line; save it as plain UTF-8 text");
        return true;
      }
    }
    if (!is_utf8(row)) {
      stop_with(tree, line, "the line is not UTF-8; save the file as UTF-8");
      return true;
    }
    begin = end + 1;
    ++line;
  }
  return false;
}

}  // namespace

std::string child_pointer(std::string_view parent, std::string_view key) {
  std::string out(parent);
  out += '/';
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string child_pointer(std::string_view parent, std::size_t index) {
  return std::string(parent) + '/' + std::to_string(index);
}

YamlTree read_yaml(std::string_view text) {
  YamlTree tree;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark says nothing
  if (refuse_bytes(text, tree)) return tree;
  Deaf second;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Reader reader(tree, text);
    if (!parser.HandleNextDocument(reader)) {
      stop_with(tree, 1, "the file has no settings");
      return tree;
    }
    (void)parser.HandleNextDocument(second);
  } catch (const Stop&) {
    if (second.line != 0) {
      stop_with(tree, second.line, "a second document begins; one file holds one document");
    }
  } catch (const YAML::Exception& error) {
    stop_with(tree, error.mark.is_null() ? 1 : error.mark.line + 1,
              "not readable as YAML: " + escape_untrusted(error.msg));
  } catch (const std::exception& error) {
    stop_with(tree, 1, "not readable as YAML: " + escape_untrusted(error.what()));
  }
  return tree;
}

}  // namespace firebreak::config
