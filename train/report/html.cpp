#include <fmt/format.h>

#include "gladius/train/report/document.h"

namespace gladius {
namespace {

constexpr const char* kStyle = R"(
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1c2330; background: #fff; }
h1, h2, h3 { line-height: 1.2; margin: 2rem 0 .6rem; }
table { border-collapse: collapse; margin: .5rem 0 1rem; display: block; overflow-x: auto; }
th, td { border: 1px solid #d5dae3; padding: .25rem .6rem; text-align: left; }
th { background: #f2f4f8; }
pre { background: #f2f4f8; padding: .7rem; overflow-x: auto; max-height: 30rem; }
svg { width: 100%; height: auto; margin: .5rem 0 1rem; }
svg text { font: 11px system-ui, sans-serif; fill: #4b5568; }
svg .grid { stroke: #e3e7ee; }
svg .line { fill: none; stroke: #3949ab; stroke-width: 1.5; }
svg .hover { fill: transparent; }
svg .hover:hover { fill: #3949ab; }
)";

std::string cells(const char* tag, const std::vector<std::string>& row) {
  std::string text = "<tr>";
  for (const std::string& cell : row) {
    text += fmt::format("<{}>{}</{}>", tag, escape_html(cell), tag);
  }
  return text + "</tr>\n";
}

struct Writer {
  std::string operator()(const Heading& heading) const {
    return fmt::format("<h{0}>{1}</h{0}>\n", heading.level, escape_html(heading.text));
  }
  std::string operator()(const Paragraph& paragraph) const {
    return fmt::format("<p>{}</p>\n", escape_html(paragraph.text));
  }
  std::string operator()(const Table& table) const {
    std::string text = "<table>\n" + cells("th", table.header);
    for (const auto& row : table.rows) text += cells("td", row);
    return text + "</table>\n";
  }
  std::string operator()(const CodeBlock& code) const {
    return fmt::format("<pre><code>{}</code></pre>\n", escape_html(code.text));
  }
  std::string operator()(const Plot& plot) const { return to_svg(plot); }
};

}  // namespace

std::string escape_html(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string to_html(const Document& document, const std::string& title) {
  std::string body;
  for (const Block& block : document) body += std::visit(Writer{}, block);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      escape_html(title), kStyle, body);
}

}  // namespace gladius
