#include "gladius/train/report/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gladius::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kScript = "<script>alert(1)</script>";

const Document kHostile{
    Heading{1, kScript},
    Paragraph{"*a* | `b`\n# c"},
    Table{{"x", "<n>"}, {{"a|b", "1"}, {"<img src=x onerror='1'>", "2"}}, 1},
    CodeBlock{"json", "```\n</code>&"},
    Facts{{{kScript, "<img src=x>"}}},
    Collapsed{"</summary><b>", CodeBlock{"", "</pre><i>"}},
    Plot{"\"><script>", {0, 1}, {{"<script>", {1, 2}}}, {{0, "</text><script>"}}}};

TEST(Document, HtmlEscapesAllThatComesFromData) {
  const std::string html = to_html(kHostile, "<title>");
  for (const char* markup : {"<script", "<img", "<i>", "</summary><b>", "<n>"}) {
    EXPECT_THAT(html, Not(HasSubstr(markup)));
  }
  EXPECT_THAT(html, HasSubstr("<title>&lt;title&gt;</title>"));
  EXPECT_THAT(html, HasSubstr("```\n&lt;/code&gt;&amp;"));
  EXPECT_THAT(html, HasSubstr("aria-label=\"&quot;&gt;&lt;script&gt;\""));
}

TEST(Document, ThePageLetsABrowserRunAndLoadNothing) {
  const std::string html = to_html(kHostile, "Title");
  EXPECT_THAT(html, HasSubstr("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
  for (const char* reference : {"src=\"", "url(", "http:", "https:", "@import"}) {
    EXPECT_THAT(html, Not(HasSubstr(reference)));
  }
}

TEST(Document, MarkdownKeepsDataFromBecomingMarkup) {
  EXPECT_EQ(to_markdown(kHostile),
            "# \\<script\\>alert(1)\\</script\\>\n\n"
            "\\*a\\* \\| \\`b\\` \\# c\n\n"
            "| x | \\<n\\> |\n|---|---:|\n| a\\|b | 1 |\n| \\<img src=x onerror='1'\\> | 2 |\n\n"
            "````json\n```\n</code>&\n````\n\n"
            "| Metric | Value |\n|---|---|\n"
            "| \\<script\\>alert(1)\\</script\\> | \\<img src=x\\> |\n\n"
            "<details><summary>&lt;/summary&gt;&lt;b&gt;</summary>\n\n"
            "```\n</pre><i>\n```\n\n</details>\n");
}

TEST(Document, MarkdownShowsThePlotsThatAreFiles) {
  Plot plot{"A [plot]", {0, 1}, {{"each", {1, 2}}}, {}};
  EXPECT_EQ(to_markdown({Paragraph{"a"}, plot, Paragraph{"b"}}), "a\n\nb\n");
  plot.file = "a-plot.svg";
  EXPECT_EQ(to_markdown({Paragraph{"a"}, plot, Paragraph{"b"}}),
            "a\n\n![A \\[plot\\]](a-plot.svg)\n\nb\n");
}

TEST(Document, HtmlMarksTimes) {
  const std::string html =
      to_html({Table{{"Time"}, {{"2026-01-15T15:04:28Z"}, {"2026-01-15T15:04:28Z<"}}}}, "");
  EXPECT_THAT(html, HasSubstr("<td><time>2026-01-15T15:04:28Z</time></td>"));
  EXPECT_THAT(html, HasSubstr("<td>2026-01-15T15:04:28Z&lt;</td>"));
}

TEST(Document, TheContentsLeadToTheSections) {
  const std::string html = to_html({Heading{1, "Title"}, Heading{2, "One"}, Paragraph{"text"},
                                    Heading{3, "Below"}, Heading{2, "Two"}},
                                   "");
  EXPECT_THAT(html, HasSubstr("<nav>\n<a href=\"#h1\">One</a>\n<a href=\"#h4\">Two</a>\n</nav>"));
  EXPECT_THAT(html, HasSubstr("<h2 id=\"h1\">One</h2>"));
  EXPECT_THAT(html, HasSubstr("<h2 id=\"h4\">Two</h2>"));
}

}  // namespace
}  // namespace gladius::train
