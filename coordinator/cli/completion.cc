#include "coordinator/cli/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "coordinator/cli/api.h"
#include "coordinator/cli/guard_client.h"
#include "coordinator/cli/json_access.h"

namespace firebreak::cli {
namespace {

constexpr const char* bash_script =
    R"(# firebreak: completion for bash. Load it: source <(firebreak completion bash)
_firebreak() {
  local IFS=$'\n'
  COMPREPLY=($(firebreak __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -F _firebreak firebreak
)";

constexpr const char* zsh_script = R"(#compdef firebreak
# firebreak: completion for zsh. Load it: source <(firebreak completion zsh)
_firebreak() {
  local -a found
  found=("${(@f)$(firebreak __complete -- "${(@)words[2,$CURRENT]}" 2>/dev/null)}")
  compadd -a found
}
compdef _firebreak firebreak
)";

constexpr const char* fish_script =
    R"(# firebreak: completion for fish. Load it: firebreak completion fish | source
function __firebreak_complete
  firebreak __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null
end
complete -c firebreak -f -a '(__firebreak_complete)'
)";

const CLI::Option* option_of(CLI::App* level, const std::string& name) {
  for (; level != nullptr; level = level->get_parent()) {
    if (const CLI::Option* option = level->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

bool takes_printer(const CLI::Option* option) {
  return option != nullptr && option->check_lname("printer");
}

void add_options(CLI::App* level, const std::string& prefix, std::vector<std::string>& found) {
  for (; level != nullptr; level = level->get_parent()) {
    for (const CLI::Option* option : level->get_options()) {
      for (const auto& name : option->get_lnames()) {
        if (("--" + name).starts_with(prefix)) found.push_back("--" + name);
      }
    }
    for (const CLI::App* group :
         level->get_subcommands([](const CLI::App* app) { return app->get_name().empty(); })) {
      for (const CLI::Option* option : group->get_options()) {
        for (const auto& name : option->get_lnames()) {
          if (("--" + name).starts_with(prefix)) found.push_back("--" + name);
        }
      }
    }
  }
}

}  // namespace

std::vector<std::string> completions(CLI::App& app, const std::vector<std::string>& words,
                                     const std::function<std::vector<std::string>()>& printers) {
  CLI::App* command = &app;
  const CLI::Option* open = nullptr;  // An option that awaits its value.
  const std::string last = words.empty() ? std::string{} : words.back();
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.starts_with('-')) {
      open = option_of(command, word);
      if (open != nullptr && open->get_items_expected_max() == 0) open = nullptr;
      continue;
    }
    if (open != nullptr && open->get_items_expected_max() <= 1) {
      open = nullptr;
      continue;
    }
    for (CLI::App* next : command->get_subcommands({})) {
      if (next->get_name() == word) command = next;
    }
  }
  std::vector<std::string> found;
  if (last.starts_with('-')) {
    add_options(command, last, found);
  } else if (open != nullptr && !takes_printer(open)) {
    return {};  // A number, a file, a reason: the shell's own completion is better.
  } else {
    for (CLI::App* next : command->get_subcommands({})) {
      const auto& name = next->get_name();
      const bool hidden = next->get_group().empty();
      if (!name.empty() && !hidden && name.starts_with(last)) found.push_back(name);
    }
    if (takes_printer(open) || takes_printer(option_of(command, "--printer"))) {
      for (const auto& name : printers()) {
        if (name.starts_with(last)) found.push_back(name);
      }
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<std::string> printer_names(const Context& context) {
  std::vector<std::string> names;
  const auto add = [&](const nlohmann::json& list) {
    for (const auto& printer : list) {
      // Only what is a name reaches the shell.
      const auto name = text_of(printer, "name");
      const bool clean =
          !name.empty() && name.size() <= 32 &&
          name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
      if (clean) names.push_back(name);
    }
  };
  if (auto guard = GuardClient::connect(context.guard_socket())) {
    const auto status = guard->ask({{"do", "status"}}, std::chrono::milliseconds{500});
    if (status) add(list_of(*status, "printers"));
  }
  if (!names.empty()) return names;
  if (auto api = Api::open(context)) {
    api->hurry();
    if (const auto answer = api->get("/api/v1/printers")) {
      add(answer->is_array() ? *answer : list_of(*answer, "printers"));
    }
  }
  return names;
}

std::string completion_script(const std::string& shell) {
  if (shell == "bash") return bash_script;
  if (shell == "zsh") return zsh_script;
  if (shell == "fish") return fish_script;
  return {};
}

}  // namespace firebreak::cli
