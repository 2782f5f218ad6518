#include "gladius/train/report/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace gladius {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++found;
  }
  return found;
}

const Document kHostile{Heading{1, "<script>alert(1)</script>"}, Paragraph{"*a* | `b`\n# c"},
                        Table{{"x"}, {{"a|b"}, {"<img src=x onerror='1'>"}}},
                        CodeBlock{"json", "```\n</code>&"}, Plot{"\"><script>", {{0, 1}, {1, 2}}}};

TEST(Document, HtmlEscapesAllThatComesFromData) {
  const std::string html = to_html(kHostile, "<title>");
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, HasSubstr("<title>&lt;title&gt;</title>"));
  EXPECT_THAT(html, HasSubstr("```\n&lt;/code&gt;&amp;"));
  EXPECT_THAT(html, HasSubstr("aria-label=\"&quot;&gt;&lt;script&gt;\""));
}

TEST(Document, MarkdownKeepsDataFromBecomingMarkup) {
  EXPECT_EQ(to_markdown(kHostile),
            "# \\<script\\>alert(1)\\</script\\>\n\n"
            "\\*a\\* \\| \\`b\\` \\# c\n\n"
            "| x |\n|---|\n| a\\|b |\n| \\<img src=x onerror='1'\\> |\n\n"
            "````json\n```\n</code>&\n````\n");
}

TEST(Document, PlotsShowValuesOnHovering) {
  const std::string svg = to_svg({"Loss", {{0, 4}, {5, NAN}, {10, 2}}});
  EXPECT_EQ(count(svg, "<circle"), 2u);
  EXPECT_THAT(svg, HasSubstr("<title>step 10: 2</title>"));
  EXPECT_THAT(svg, HasSubstr("points=\"64.0,28.0 788.0,208.0 \""));
  EXPECT_THAT(to_svg({"Empty", {}}), HasSubstr("Empty"));
  EXPECT_THAT(to_svg({"Flat", {{3, 1}}}), Not(HasSubstr("nan")));
}

TEST(Document, PlotsOfManyPointsAreThinnedOut) {
  Plot plot{"Loss", {}};
  for (int i = 0; i < 100'001; ++i) plot.points.push_back({static_cast<double>(i), 1.0 / (i + 1)});
  const std::string svg = to_svg(plot);
  EXPECT_LE(count(svg, "<circle"), 402u);
  EXPECT_GE(count(svg, "<circle"), 200u);
  EXPECT_THAT(svg, HasSubstr("step 0: 1<"));
  EXPECT_THAT(svg, HasSubstr("step 100000: "));
}

}  // namespace
}  // namespace gladius
