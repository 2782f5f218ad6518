#include "gladius/models/tokenizer/unicode_normalization.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>
#include <random>
#include <string>

#include "gladius/models/tokenizer/utf8.h"

namespace gladius::text {
namespace {

std::string nfc(const std::string& text) {
  return normalize_unicode(AlignedText::from_source(text, false), UnicodeForm::kNfc).bytes();
}

TEST(Nfc, AgreesWithTheLibrarysOwnNormalization) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 gen(seed);
  // Characters as old as Unicode 9, which the normalizer keeps to. Not U+11A7, which the library
  // drops behind a syllable (the next test).
  const std::vector<std::pair<char32_t, char32_t>> ranges{
      {0x41, 0x7A},     {0xC0, 0x17F},    {0x300, 0x36F},   {0x915, 0x95F},   {0x9BE, 0x9DF},
      {0xF40, 0xF84},   {0x1100, 0x11A6}, {0x11A8, 0x11FF}, {0x1E00, 0x1EFF}, {0x1F00, 0x1FFF},
      {0x2126, 0x212B}, {0x3041, 0x309A}, {0xAC00, 0xD7A3}, {0xF900, 0xFA6D}, {0x1D15E, 0x1D16F}};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::size_t n = gen() % 10; n > 0; --n) {
      const auto [first, last] = ranges[gen() % ranges.size()];
      utf8::append(text, first + gen() % (last - first + 1));
    }
    auto* expected = utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str()));
    ASSERT_EQ(nfc(text), reinterpret_cast<const char*>(expected)) << text;
    std::free(expected);
    ASSERT_EQ(nfc(nfc(text)), nfc(text));
  }
}

TEST(Nfc, ComposedCharactersHaveTheirFirstPartsSpan) {
  const std::string source = "xe\u0301\u00e9\u0323";
  const AlignedText text =
      normalize_unicode(AlignedText::from_source(source, true), UnicodeForm::kNfc);
  EXPECT_EQ(text.bytes(), "x\u00e9\u1eb9\u0301");
  EXPECT_EQ(text.span(0, 1), (ByteSpan{0, 1}));
  EXPECT_EQ(text.span(1, 3), (ByteSpan{1, 2}));
  EXPECT_EQ(text.span(3, 6), (ByteSpan{4, 6}));
}

// One before the first final consonant of Hangul: the arithmetic of composition counts from it, but
// it is none of them.
TEST(Nfc, WhatIsNoFinalConsonantStays) {
  EXPECT_EQ(nfc("\uC384\u11A7"), "\uC384\u11A7");
  EXPECT_EQ(nfc("\u110A\u1166\u11A7"), "\uC384\u11A7");
  EXPECT_EQ(nfc("\u110A\u1166\u11A8"), "\uC385");
}

TEST(Nfc, MarksThatTheReferenceDoesNotKnowStayInPlace) {
  EXPECT_EQ(nfc("a\U0001E2AE\u0323"), "a\U0001E2AE\u0323");
  EXPECT_EQ(nfc("\U00011935\U00011930"), "\U00011935\U00011930");
  EXPECT_EQ(nfc("\U00011938"), "\U00011938");
}

}  // namespace
}  // namespace gladius::text
