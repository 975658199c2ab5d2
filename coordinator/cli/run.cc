#include "coordinator/cli/run.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>

#include "coordinator/cli/commands.h"
#include "coordinator/cli/suggest.h"

namespace firebreak::cli {
namespace {

std::vector<std::string> names_of_subcommands(CLI::App& app) {
  std::vector<std::string> names;
  for (CLI::App* command : app.get_subcommands({})) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> names_of_options(CLI::App& app) {
  std::vector<std::string> names;
  for (CLI::App* level = &app; level != nullptr; level = level->get_parent()) {
    for (const CLI::Option* option : level->get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

// The command that the line has reached, and the first word that it could not place.
struct Place {
  CLI::App* command;
  std::string word;
};

CLI::App* subcommand(CLI::App& app, const std::string& name) {
  for (CLI::App* command : app.get_subcommands({})) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

// Whether the option `name` is one of this command or its parents, and takes the next word.
enum class OptionKind { unknown, flag, with_value };
OptionKind kind_of_option(CLI::App* level, const std::string& name) {
  for (; level != nullptr; level = level->get_parent()) {
    if (const CLI::Option* option = level->get_option_no_throw(name)) {
      return option->get_items_expected_max() == 0 ? OptionKind::flag : OptionKind::with_value;
    }
  }
  return OptionKind::unknown;
}

Place place_of(CLI::App& app, const std::vector<std::string>& arguments) {
  Place place{&app, {}};
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument.starts_with('-')) {
      const auto name = argument.substr(0, argument.find('='));
      const auto kind = kind_of_option(place.command, name);
      if (kind == OptionKind::unknown && name.starts_with("--") && name.size() > 2) {
        place.word = name;
        return place;
      }
      if (kind == OptionKind::with_value && name == argument) ++i;
      continue;
    }
    if (place.command->get_subcommands({}).empty()) continue;
    CLI::App* next = subcommand(*place.command, argument);
    if (next == nullptr) {
      place.word = argument;
      return place;
    }
    place.command = next;
  }
  return place;
}

std::string full_name(CLI::App* command) {
  std::string name;
  for (; command != nullptr; command = command->get_parent()) {
    name = command->get_name() + (name.empty() ? "" : " ") + name;
  }
  return name;
}

Failure usage_failure(CLI::App& app, const std::vector<std::string>& arguments,
                      const std::string& message) {
  const Place place = place_of(app, arguments);
  const std::string command = full_name(place.command);
  if (place.word.empty()) return {ExitStatus::usage, message, command + " --help"};
  const bool option = place.word.starts_with('-');
  const auto candidates =
      option ? names_of_options(*place.command) : names_of_subcommands(*place.command);
  const auto meant = nearest(place.word, candidates);
  const std::string what =
      fmt::format("'{}' has no {} '{}'", command, option ? "option" : "command", place.word);
  if (meant.empty()) return {ExitStatus::usage, what, command + " --help"};
  return {ExitStatus::usage, what + "; did you mean '" + meant + "'?", command + " " + meant};
}

int run_parsed(const Commands& commands, Console& console) {
  const Done done = commands.action()();
  console.progress("");
  if (done && console.out_is_broken()) {
    console.failure({ExitStatus::failed, "not all of the output could be written",
                     "check where the output goes (a full disk, a closed pipe)"});
    // What was done is done: a stop keeps the status that tells of its printers.
    return static_cast<int>(*done == ExitStatus::done ? ExitStatus::failed : *done);
  }
  if (done) return static_cast<int>(*done);
  console.failure(done.error());
  return static_cast<int>(done.error().status);
}

}  // namespace

int run(const std::vector<std::string>& arguments, std::istream& in, std::ostream& out,
        std::ostream& err, const std::function<std::optional<std::string>(const char*)>& env,
        const ConsoleOptions& options) {
  Console console(out, err, options);
  // Failures of the command line itself come before --json is parsed, and are JSON all the same.
  if (std::find(arguments.begin(), arguments.end(), "--json") != arguments.end()) {
    console.set_json(true);
  }
  try {
    Context context{console, in, env, {}, {}, {}};
    Commands commands(context);
    CLI::App& app = commands.app();
    try {
      std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
      app.parse(std::move(reversed));
    } catch (const CLI::CallForHelp&) {
      CLI::App* command = place_of(app, arguments).command;
      console.data(command->help(full_name(command->get_parent())));
      return static_cast<int>(ExitStatus::done);
    } catch (const CLI::CallForVersion& version) {
      console.data(std::string(version.what()) + "\n");
      return static_cast<int>(ExitStatus::done);
    } catch (const CLI::ParseError& error) {
      // CLI11 has exit codes of its own (100 to 115); here they are all "wrong usage".
      console.failure(usage_failure(app, arguments, error.what()));
      return static_cast<int>(ExitStatus::usage);
    }
    return run_parsed(commands, console);
  } catch (const std::exception& error) {
    console.failure({ExitStatus::failed, std::string("internal mistake: ") + error.what(),
                     "firebreak version, and report both"});
    return static_cast<int>(ExitStatus::failed);
  }
}

}  // namespace firebreak::cli
