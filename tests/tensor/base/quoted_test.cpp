#include "gladius/tensor/base/quoted.h"

#include <gtest/gtest.h>

namespace gladius {
namespace {

TEST(InQuotes, LeavesOrdinaryTextAsItIs) {
  EXPECT_EQ(in_quotes("model.norm.weight"), "\"model.norm.weight\"");
  EXPECT_EQ(in_quotes(""), "\"\"");
  EXPECT_EQ(in_quotes("Köln 東京 😀"), "\"Köln 東京 😀\"");
}

TEST(InQuotes, EscapesWhatEndsItAndWhatATerminalWouldObey) {
  EXPECT_EQ(in_quotes("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(in_quotes("a\nb\r\tc"), R"("a\nb\r\tc")");
  EXPECT_EQ(in_quotes(std::string_view("\0\x1b[31m\x7f", 7)), R"("\x00\x1b[31m\x7f")");
  EXPECT_EQ(in_quotes("\u0085\u202e\u2028\ufeff"), R"("\x85\u202e\u2028\ufeff")");
  EXPECT_EQ(in_quotes("caf\xe9 \xf0\x9f"), R"("caf\xe9 \xf0\x9f")");
}

TEST(InQuotes, TakesAtMostTwoHundredBytesAndCutsBetweenCharacters) {
  EXPECT_EQ(in_quotes(std::string(198, 'x')), "\"" + std::string(198, 'x') + "\"");
  EXPECT_EQ(in_quotes(std::string(199, 'x')), "\"" + std::string(195, 'x') + "\"...");
  for (const std::string piece : {"x", "ö", "東", "😀", "\n", "\x1b", "\"", "\xff"}) {
    std::string text;
    while (text.size() < 1000) text += piece;
    const std::string shown = in_quotes(text);
    EXPECT_LE(shown.size(), kMostQuoted);
    EXPECT_GE(shown.size(), kMostQuoted - 4) << shown;
    EXPECT_TRUE(shown.ends_with("\"...")) << shown;
    EXPECT_EQ(printable(shown), shown);  // no character was cut in two
  }
}

TEST(Shortened, AddsNoQuotes) {
  EXPECT_EQ(shortened("[1, 2]"), "[1, 2]");
  EXPECT_EQ(shortened(std::string(200, 'x')), std::string(200, 'x'));
  EXPECT_EQ(shortened(std::string(201, 'x')), std::string(197, 'x') + "...");
  EXPECT_EQ(shortened("{\"a\":\n1}"), R"({"a":\n1})");
}

TEST(Printable, KeepsTheWholeTextOnOneLine) {
  EXPECT_EQ(printable("a\nb"), R"(a\nb)");
  EXPECT_EQ(printable(std::string(1000, 'x')).size(), 1000u);
}

}  // namespace
}  // namespace gladius
