#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "gladius/train/report/document.h"

namespace gladius::train {
namespace {

std::string escape(const std::string& text) {
  constexpr std::string_view kSpecial = "\\`*_{}[]<>|#&~$";
  std::string escaped;
  for (const char c : text) {
    if (kSpecial.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c == '\n' || c == '\r' ? ' ' : c;
  }
  return escaped;
}

std::string row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += fmt::format(" {} |", escape(cell));
  return line + "\n";
}

// Longer than any fence within the text.
std::string fence_for(const std::string& text) {
  std::size_t longest = 2, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return std::string(longest + 1, '`');
}

struct MarkdownWriter {
  std::string operator()(const Heading& heading) const {
    return fmt::format("{:#>{}} {}\n\n", "", heading.level, escape(heading.text));
  }
  std::string operator()(const Paragraph& paragraph) const {
    return escape(paragraph.text) + "\n\n";
  }
  std::string operator()(const Table& table) const {
    std::string text = row(table.header) + "|";
    for (std::size_t i = 0; i < table.header.size(); ++i) {
      text += i >= table.numbers_from ? "---:|" : "---|";
    }
    text += "\n";
    for (const auto& cells : table.rows) text += row(cells);
    return text + "\n";
  }
  std::string operator()(const CodeBlock& code) const {
    const std::string fence = fence_for(code.text);
    return fmt::format("{}{}\n{}\n{}\n\n", fence, code.language, code.text, fence);
  }
  std::string operator()(const Facts& facts) const {
    Table table{{"Metric", "Value"}, {}};
    for (const auto& [name, value] : facts.items) table.rows.push_back({name, value});
    return (*this)(table);
  }
  std::string operator()(const Collapsed& collapsed) const {
    return fmt::format("<details><summary>{}</summary>\n\n{}</details>\n\n",
                       escape_html(collapsed.summary), std::visit(*this, collapsed.content));
  }
  std::string operator()(const Plot& plot) const {
    if (plot.file.empty()) return "";
    return fmt::format("![{}]({})\n\n", escape(plot.title), plot.file);
  }
  std::string operator()(const TokenColumns&) const { return ""; }
};

}  // namespace

std::string to_markdown(const Document& document) {
  std::string text;
  for (const Block& block : document) text += std::visit(MarkdownWriter{}, block);
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace gladius::train
