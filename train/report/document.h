// A report's contents, before it is Markdown or HTML.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gladius/train/report/plot.h"

namespace gladius::train {

/// Level 1 is the document's title, 2 begins a section.
struct Heading {
  int level;
  std::string text;
};
struct Paragraph {
  std::string text;
};
/// Columns from `numbers_from` on are lined up to the right.
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::size_t numbers_from = std::numeric_limits<std::size_t>::max();
};
struct CodeBlock {
  std::string language;
  std::string text;
};
/// Names with values that should be seen at a glance.
struct Facts {
  std::vector<std::pair<std::string, std::string>> items;
};
/// What is long, shown when the reader opens it.
struct Collapsed {
  std::string summary;
  std::variant<Table, CodeBlock> content;
};

/// A text in tokens, in columns of two rows. A token's shade, 0 to 9, is its colour; the note is
/// shown when the reader points at it. Left out of Markdown.
struct TokenColumns {
  struct Token {
    std::string text, note;
    int shade = 0;
  };
  struct Column {
    std::vector<Token> upper, lower;
  };
  std::vector<Column> columns;
};

using Block =
    std::variant<Heading, Paragraph, Table, CodeBlock, Facts, Collapsed, Plot, TokenColumns>;
using Document = std::vector<Block>;

/// Text comes from data: whatever has a meaning in Markdown is escaped. Plots are
/// the files that they name.
std::string to_markdown(const Document& document);

/// A page of its own, without scripts or references to other files; everything is escaped, and the
/// page's policy forbids a browser to run or load anything.
std::string to_html(const Document& document, const std::string& title);

/// &, <, >, and quotes as entities.
std::string escape_html(const std::string& text);

}  // namespace gladius::train
