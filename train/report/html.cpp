#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "gladius/train/report/document.h"
#include "html_style.h"

namespace gladius::train {
namespace {

// "2026-01-15T15:04:28Z"
bool is_time(const std::string& text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  return std::ranges::equal(text, kForm, [](char c, char form) {
    return form == '0' ? c >= '0' && c <= '9' : c == form;
  });
}

// A time is not broken into lines, as its hyphens would have it.
std::string cell_html(const std::string& text) {
  return is_time(text) ? fmt::format("<time>{}</time>", text) : escape_html(text);
}

std::string row(const char* tag, const std::vector<std::string>& cells, std::size_t numbers_from) {
  std::string text = "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    text += fmt::format("<{}{}>{}</{}>", tag, i >= numbers_from ? " class=\"n\"" : "",
                        cell_html(cells[i]), tag);
  }
  return text + "</tr>\n";
}

std::string token_row(const std::vector<TokenColumns::Token>& tokens) {
  std::string text = "<span class=\"row\">";
  for (const auto& token : tokens) {
    text += fmt::format("<span class=\"token b{}\" title=\"{}\">{}</span>", token.shade,
                        escape_html(token.note), escape_html(token.text));
  }
  return text + "</span>";
}

// A section's heading has its place among the headings as its id.
struct HtmlWriter {
  std::size_t index = 0;

  std::string operator()(const Heading& heading) const {
    return fmt::format("<h{0} id=\"h{1}\">{2}</h{0}>\n", heading.level, index,
                       escape_html(heading.text));
  }
  std::string operator()(const Paragraph& paragraph) const {
    return fmt::format("<p>{}</p>\n", escape_html(paragraph.text));
  }
  std::string operator()(const Table& table) const {
    std::string text = "<div class=\"scroll\"><table>\n";
    text += row("th", table.header, table.numbers_from);
    for (const auto& cells : table.rows) text += row("td", cells, table.numbers_from);
    return text + "</table></div>\n";
  }
  std::string operator()(const CodeBlock& code) const {
    return fmt::format("<pre><code>{}</code></pre>\n", escape_html(code.text));
  }
  std::string operator()(const Facts& facts) const {
    std::string text = "<dl>\n";
    for (const auto& [name, value] : facts.items) {
      text +=
          fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(name), escape_html(value));
    }
    return text + "</dl>\n";
  }
  std::string operator()(const Collapsed& collapsed) const {
    return fmt::format("<details><summary>{}</summary>\n{}</details>\n",
                       escape_html(collapsed.summary), std::visit(*this, collapsed.content));
  }
  std::string operator()(const Plot& plot) const { return to_svg(plot); }
  std::string operator()(const TokenColumns& tokens) const {
    std::string text = "<div class=\"tokens\">\n";
    for (const auto& column : tokens.columns) {
      text += fmt::format("<span class=\"column\">{}{}</span>\n", token_row(column.upper),
                          token_row(column.lower));
    }
    return text + "</div>\n";
  }
};

std::string contents(const Document& document) {
  std::string links;
  for (std::size_t i = 0; i < document.size(); ++i) {
    const auto* heading = std::get_if<Heading>(&document[i]);
    if (heading == nullptr || heading->level != 2) continue;
    links += fmt::format("<a href=\"#h{}\">{}</a>\n", i, escape_html(heading->text));
  }
  return links;
}

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
  for (std::size_t i = 0; i < document.size(); ++i) body += std::visit(HtmlWriter{i}, document[i]);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<div class=\"page\">\n"
      "<nav>\n{}</nav>\n<main>\n{}</main>\n</div>\n</body>\n</html>\n",
      escape_html(title), kHtmlStyle, contents(document), body);
}

}  // namespace gladius::train
