#include "manual_pages.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "version.h"

namespace gladius::cli {
namespace {

// In roff's input: a backslash and a hyphen are themselves.
std::string literal(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-' || c == '\'' || c == '`' || c == '^' || c == '~') {
      result += c == '-'    ? "\\-"
                : c == '\'' ? "\\(aq"
                : c == '`'  ? "\\(ga"
                : c == '^'  ? "\\(ha"
                            : "\\(ti";
    } else {
      result += c;
    }
  }
  return result;
}

std::string bold(std::string_view text) { return "\\fB" + literal(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + literal(text) + "\\fR"; }

// Text, where `this` is bold.
std::string prose(std::string_view text) {
  std::string result;
  bool code = false;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('`', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    result += code ? bold(part) : literal(part);
    code = !code;
    begin = end + 1;
  }
  // A line that begins so is a request.
  if (result.starts_with('.') || result.starts_with('\'')) result.insert(0, "\\&");
  return result;
}

std::string sentence(const std::string& text) {
  return prose(text) + (text.ends_with('.') ? "\n" : ".\n");
}

std::string page_name(const CommandDescription& command) {
  std::string name = command.name;
  std::ranges::replace(name, ' ', '-');
  return name;
}

// Its first sentence, which the lists of pages show.
std::string summary(const CommandDescription& command) {
  std::string text = command.meaning.substr(0, command.meaning.find(". "));
  text = text.substr(0, text.find(": "));
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string bold_list(const std::vector<std::string>& names) {
  std::vector<std::string> parts;
  for (const std::string& name : names) parts.push_back(bold(name));
  return fmt::format("{}", fmt::join(parts, ", "));
}

// "--model PATH, or MODEL by its place".
std::string option_heading(const OptionDescription& option) {
  std::string value;
  if (!option.is_flag()) {
    value = option.choices.empty() ? italic(option.value)
                                   : fmt::format("{}", fmt::join(option.choices, "|"));
    if (option.takes_more) value += "...";
  }
  std::string heading = bold_list(option.names);
  if (!value.empty()) heading += " " + value;
  if (!option.argument.empty()) {
    const std::string argument = italic(option.argument) + (option.takes_more ? "..." : "");
    heading = option.names.empty() ? argument : argument + ", " + heading;
  }
  return heading;
}

std::string option_entry(const OptionDescription& option) {
  std::string entry = ".TP\n" + option_heading(option) + "\n" + sentence(option.meaning);
  if (option.required) entry += "Required.\n";
  if (!option.default_value.empty()) {
    entry += fmt::format("Default: {}.\n", literal(option.default_value));
  }
  if (option.repeats && !option.takes_more) entry += "May be repeated.\n";
  if (!option.needs.empty()) entry += fmt::format("Only with {}.\n", bold_list(option.needs));
  if (!option.excludes.empty()) entry += fmt::format("Not with {}.\n", bold_list(option.excludes));
  return entry;
}

std::string synopsis(const CommandDescription& command) {
  std::string text = ".SH SYNOPSIS\n" + bold(command.name) + " [" + italic("OPTIONS") + "]";
  for (const OptionDescription& option : command.options) {
    if (option.argument.empty()) continue;
    const std::string argument = italic(option.argument) + (option.takes_more ? "..." : "");
    text += option.required ? " " + argument : " [" + argument + "]";
  }
  if (!command.commands.empty()) {
    text += " " + italic("COMMAND") + " [" + italic("ARGUMENTS") + "]";
  }
  return text + "\n";
}

std::string commands_section(const CommandDescription& command) {
  if (command.commands.empty()) return "";
  std::string text = ".SH COMMANDS\n";
  for (const CommandDescription& each : command.commands) {
    text += ".TP\n" + bold(each.last_name()) + "\n" + sentence(each.meaning);
  }
  return text;
}

std::string options_sections(const CommandDescription& command, const CommandDescription& program) {
  std::string text = ".SH OPTIONS\n";
  for (const OptionDescription& option : command.options) text += option_entry(option);
  if (command.name == program.name) return text;
  text += ".SH COMMON OPTIONS\n";
  for (const OptionDescription& option : common_options(program)) text += option_entry(option);
  return text;
}

std::string examples_section(const CommandDescription& command) {
  if (command.examples.empty()) return "";
  std::string text = ".SH EXAMPLES\n";
  for (const std::string& example : command.examples) {
    text += ".PP\n.nf\n.RS\n" + prose(example) + "\n.RE\n.fi\n";
  }
  return text;
}

std::string reference(const CommandDescription& command) {
  return bold(page_name(command)) + "(1)";
}

std::string see_also(const CommandDescription& command, const CommandDescription& program) {
  std::vector<std::string> pages;
  if (command.name != program.name) pages.push_back(reference(program));
  for (const CommandDescription& each : command.commands) pages.push_back(reference(each));
  return fmt::format(".SH SEE ALSO\n{}\n", fmt::join(pages, ",\n"));
}

}  // namespace

std::string manual_file(const CommandDescription& command) { return page_name(command) + ".1"; }

std::string manual_page(const CommandDescription& command, const CommandDescription& program) {
  std::string title = page_name(command);
  std::ranges::transform(title, title.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string page = ".\\\" Written by `gladius manual` from the program's own help.\n";
  page += fmt::format(".TH \"{}\" 1 \"\" \"gladius {}\" \"User Commands\"\n.nh\n.ad l\n", title,
                      program_version());
  page += fmt::format(".SH NAME\n{} \\- {}\n", page_name(command), prose(summary(command)));
  page += synopsis(command);
  page += ".SH DESCRIPTION\n" + sentence(command.meaning);
  page += commands_section(command) + options_sections(command, program);
  page += examples_section(command);
  page +=
      ".SH EXIT STATUS\n0: done. 1: failed, with one line on standard error that says what and "
      "where. 2: wrong usage.\n";
  return page + see_also(command, program);
}

}  // namespace gladius::cli
