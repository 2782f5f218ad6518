#include "gladius/models/tokenizer/bpe_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/models/tokenizer/tokenizer_trainer.h"
#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"
#include "support/message_of.h"

namespace gladius::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using Merges = std::vector<std::pair<std::string, std::string>>;

BpeTrainer counted(const std::vector<std::string>& words) {
  BpeTrainer trainer;
  for (const std::string& word : words) trainer.add_word(word);
  return trainer;
}

Merges merges_of(const BpeVocabulary& vocabulary) {
  Merges merges;
  for (const auto& [left, right] : vocabulary.merges) {
    merges.emplace_back(vocabulary.tokens.at(static_cast<std::size_t>(left)),
                        vocabulary.tokens.at(static_cast<std::size_t>(right)));
  }
  return merges;
}

// The algorithm as it reads, without queue or positions: for words in which no token comes about in
// two ways.
Merges plain_merges(const std::vector<std::string>& words, std::size_t count) {
  std::vector<std::vector<std::string>> split;
  for (const std::string& word : words) {
    split.emplace_back();
    for (std::size_t pos = 0; pos < word.size(); pos += utf8::char_length(word[pos])) {
      split.back().push_back(word.substr(pos, utf8::char_length(word[pos])));
    }
  }
  Merges merges;
  std::vector<std::string> order;  // of the ids
  const auto id = [&](const std::string& token) {
    return token.size() == 1 ? token[0] : 256 + (std::ranges::find(order, token) - order.begin());
  };
  while (merges.size() < count) {
    std::map<std::pair<long, long>, std::pair<std::int64_t, std::pair<std::string, std::string>>>
        pairs;
    for (const auto& word : split) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) {
        auto& [times, texts] = pairs[{id(word[i]), id(word[i + 1])}];
        ++times;
        texts = {word[i], word[i + 1]};
      }
    }
    if (pairs.empty()) break;
    const auto best = std::ranges::max_element(
        pairs, {}, [](const auto& entry) { return entry.second.first; });  // the first of equals
    const auto texts = best->second.second;
    merges.push_back(texts);
    order.push_back(texts.first + texts.second);
    for (auto& word : split) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) {
        if (word[i] != texts.first || word[i + 1] != texts.second) continue;
        word[i] += word[i + 1];
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
  return merges;
}

TEST(BpeTrainer, SpecialTokensComeFirstThenCharactersByCodePoint) {
  const BpeVocabulary vocabulary =
      counted({"b\u00e9a", "a"})
          .train({.vocab_size = 6, .special_tokens = {"<s>", "b"}, .initial_alphabet = "\u20acZ"});
  EXPECT_THAT(vocabulary.tokens, ElementsAre("<s>", "b", "Z", "a", "\u00e9", "\u20ac"));
}

TEST(BpeTrainer, MergesTheMostFrequentPairOfSeveralTheLowerIds) {
  const BpeVocabulary vocabulary =
      counted({"xy", "xy", "ab", "ab", "cd"}).train({.vocab_size = 100});
  EXPECT_EQ(merges_of(vocabulary), (Merges{{"a", "b"}, {"x", "y"}, {"c", "d"}}));
  EXPECT_THAT(vocabulary.tokens, ElementsAre("a", "b", "c", "d", "x", "y", "ab", "xy", "cd"));
}

TEST(BpeTrainer, OverlappingPairsAreMergedFromTheLeft) {
  const BpeVocabulary vocabulary = counted({"aaaaa"}).train({.vocab_size = 3});
  EXPECT_EQ(merges_of(vocabulary), (Merges{{"a", "a"}, {"aa", "a"}}));
}

TEST(BpeTrainer, StopsBelowTheLeastFrequency) {
  const BpeTrainer trainer = counted({"ab", "ab", "cd"});
  EXPECT_EQ(trainer.train({.vocab_size = 100, .min_frequency = 2}).merges.size(), 1u);
  EXPECT_EQ(trainer.train({.vocab_size = 100, .min_frequency = 3}).merges.size(), 0u);
}

TEST(BpeTrainer, KeepsTheMostFrequentCharacters) {
  const BpeVocabulary vocabulary =
      counted({"aab", "abc", "az"}).train({.vocab_size = 3, .limit_alphabet = 2});
  EXPECT_THAT(vocabulary.tokens, ElementsAre("a", "b", "ab"));
}

TEST(BpeTrainer, AVocabularyWithoutRoomIsAnError) {
  const BpeTrainer trainer = counted({"abc"});
  EXPECT_THAT(
      message_of<ConfigError>([&] { trainer.train({.vocab_size = 3, .special_tokens = {"<s>"}}); }),
      HasSubstr("a vocabulary of 3 has no room for 1 special tokens and an alphabet of 3; "
                "at least 4 is needed"));
  EXPECT_TRUE(trainer.train({.vocab_size = 4, .special_tokens = {"<s>"}}).merges.empty());
}

TEST(BpeTrainer, MergesAreThoseOfThePlainAlgorithm) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 10; ++round) {
    // No letter twice in a word: so each token comes about in one way.
    std::vector<std::string> words;
    for (int i = 0; i < 60; ++i) {
      std::string letters = "abcdefghij";
      std::ranges::shuffle(letters, random);
      words.push_back(letters.substr(0, 2 + random() % 3));
    }
    const Merges expected = plain_merges(words, 12);
    const BpeVocabulary vocabulary =
        counted(words).train({.vocab_size = 10 + 12, .initial_alphabet = "abcdefghij"});
    EXPECT_EQ(merges_of(vocabulary), expected);
  }
}

TEST(TokenizerTrainer, CutsTextsAsTheTokenizerWill) {
  TokenizerTrainer llama({.kind = TokenizerKind::llama});
  llama.add("to be  to");
  EXPECT_EQ(llama.words(), 3u);  // _to, _be, _ (before another)
  TokenizerTrainer byte_level({.kind = TokenizerKind::byte_level});
  byte_level.add("to be to");
  EXPECT_EQ(byte_level.words(), 3u);  // to, _be, _to
}

TEST(TokenizerTrainer, SpecialTokensCutRenderedTexts) {
  TokenizerTrainer trainer({.kind = TokenizerKind::llama, .special_tokens = {"<|end|>"}});
  trainer.add_with_special_tokens("a</s>b<|end|><s>a");
  EXPECT_EQ(trainer.words(), 2u);
}

TEST(TokenizerTrainer, RefusesWhatIsNotTheKinds) {
  const auto message = [](TokenizerTrainerOptions options) {
    return message_of<ConfigError>([&] { TokenizerTrainer{options}; });
  };
  EXPECT_THAT(message({.kind = TokenizerKind::byte_level, .limit_alphabet = 3}),
              HasSubstr("the alphabet of the byte-level kind is the 256 bytes"));
  EXPECT_THAT(message({.special_tokens = {"<0x00>"}}), HasSubstr("<0x00> is a byte's token"));
  EXPECT_THAT(message({.special_tokens = {""}}), HasSubstr("a special token is empty"));
}

}  // namespace
}  // namespace gladius::text
