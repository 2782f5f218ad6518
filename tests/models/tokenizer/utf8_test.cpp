#include "gladius/models/tokenizer/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "gladius/models/tokenizer/aligned_text.h"

namespace gladius::text {
namespace {

// Table 3-7 of the Unicode Standard: the ranges of the bytes after a first byte.
struct WellFormed {
  int lead_low, lead_high, second_low, second_high, length;
};
constexpr WellFormed kTable[] = {
    {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};

// How far the bytes from `pos` on follow the table, and whether a whole character is there.
std::pair<std::size_t, bool> follow(const std::string& text, std::size_t pos) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (const WellFormed& row : kTable) {
    if (byte(pos) < row.lead_low || byte(pos) > row.lead_high) continue;
    int length = 1;
    for (; length < row.length && pos + length < text.size(); ++length) {
      const int low = length == 1 ? row.second_low : 0x80,
                high = length == 1 ? row.second_high : 0xBF;
      if (byte(pos + length) < low || byte(pos + length) > high) break;
    }
    return {length, length == row.length};
  }
  return {1, false};
}

std::string random_bytes(std::mt19937& gen) {
  constexpr unsigned char kBytes[] = {0x41, 0x20, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0,
                                      0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF3, 0xF4, 0xFF};
  std::string text(gen() % 12, ' ');
  for (char& c : text) c = static_cast<char>(kBytes[gen() % std::size(kBytes)]);
  return text + std::string(gen() % 20, 'a');
}

TEST(Utf8, RepairsByMaximalSubparts) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 gen(seed);
  for (int round = 0; round < 20000; ++round) {
    const std::string text = random_bytes(gen);
    std::string expected;
    std::vector<ByteSpan> spans;
    std::size_t first_invalid = std::string::npos;
    for (std::size_t pos = 0; pos < text.size();) {
      const auto [length, valid] = follow(text, pos);
      if (!valid && first_invalid == std::string::npos) first_invalid = pos;
      expected += valid ? text.substr(pos, length) : "\ufffd";
      spans.resize(expected.size(),
                   {static_cast<std::uint32_t>(pos), static_cast<std::uint32_t>(pos + length)});
      pos += length;
    }
    ASSERT_EQ(utf8::repair(text), expected);
    ASSERT_EQ(utf8::find_invalid(text), first_invalid);
    const AlignedText aligned = AlignedText::from_source(text, true);
    ASSERT_EQ(aligned.bytes(), expected);
    for (std::size_t i = 0; i < spans.size(); ++i) ASSERT_EQ(aligned.span(i, i + 1), spans[i]);
    ASSERT_EQ(AlignedText::from_source(text, false).bytes(), expected);
  }
}

}  // namespace
}  // namespace gladius::text
