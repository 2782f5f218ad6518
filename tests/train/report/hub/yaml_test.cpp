#include "gladius/train/report/hub/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gladius::train {
namespace {

// tests/interop/hub_card_test.py reads random ones with PyYAML.
TEST(YamlString, IsOneLineInQuotes) {
  for (const auto& [text, yaml] : {std::pair<std::string, std::string>{"", R"("")"},
                                   {"plain", R"("plain")"},
                                   {"no", R"("no")"},
                                   {"a: b # c", R"("a: b # c")"},
                                   {R"(say "hi" \ bye)", R"("say \"hi\" \\ bye")"},
                                   {"one\ntwo\r\n---\n", R"("one\ntwo\u000D\n---\n")"},
                                   {std::string("\0\x1B\x7F", 3), R"("\u0000\u001B\u007F")"},
                                   {"\u0085\u2028\u2029\uFEFF", R"("\u0085\u2028\u2029\uFEFF")"},
                                   {"\xEF\xBF\xBE", R"("\uFFFE")"},
                                   {"\xF0\x9F\xBF\xBF", R"("\U0001FFFF")"},
                                   {"é 漢 \U0001F600", "\"é 漢 \U0001F600\""},
                                   {"a\xFFz", "\"a\uFFFDz\""}}) {
    EXPECT_EQ(yaml_string(text), yaml);
  }
}

}  // namespace
}  // namespace gladius::train
