// A report's contents, before it is Markdown or HTML.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace gladius {

struct Heading {
  int level;
  std::string text;
};
struct Paragraph {
  std::string text;
};
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};
struct CodeBlock {
  std::string language;
  std::string text;
};
/// A line over the steps; Markdown has none.
struct Plot {
  std::string title;
  struct Point {
    double x, y;
  };
  std::vector<Point> points;
};

using Block = std::variant<Heading, Paragraph, Table, CodeBlock, Plot>;
using Document = std::vector<Block>;

/// Text comes from data: whatever has a meaning in Markdown is escaped.
std::string to_markdown(const Document& document);

/// A page of its own, without scripts or references to other files; everything is escaped.
std::string to_html(const Document& document, const std::string& title);

/// The plot as an inline SVG picture; values show on hovering. Many points are thinned out, evenly.
std::string to_svg(const Plot& plot);

/// &, <, >, and quotes as entities.
std::string escape_html(const std::string& text);

}  // namespace gladius
