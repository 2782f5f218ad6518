#include "gladius/models/tokenizer/token_ids.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "support/random.h"

namespace gladius::text {
namespace {

TEST(TokenIds, FindsAsAMapDoes) {
  testing::Rng rng(7);

  TokenIds ids(3);  // grows many times
  std::map<std::string, std::int32_t> expected;
  for (std::int32_t i = 0; i < 200; ++i) {
    std::string text;
    for (std::int64_t n = testing::random_int(rng, 0, 3); n > 0; --n) {
      text += static_cast<char>('a' + testing::random_int(rng, 0, 3));
    }
    ids.add(text, i);
    expected.emplace(text, i);
    EXPECT_EQ(ids.find(text), expected.at(text));
  }
  EXPECT_EQ(ids.size(), expected.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(expected.at(std::string(ids[i].text)), ids[i].id);
  }
  for (const char* absent : {"e", "aaaa", "abce"}) EXPECT_EQ(ids.find(absent), -1);
}

}  // namespace
}  // namespace gladius::text
