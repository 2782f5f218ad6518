#include "gladius/models/tokenizer/text_alignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>
#include <string>

namespace gladius::text {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool never(std::int32_t) { return false; }

// A reading whose tokens are the given parts of a text; the ids are their numbers.
TokenizedText reading(const std::vector<std::string>& parts) {
  TokenizedText text;
  std::int64_t at = 0;
  for (const std::string& part : parts) {
    text.ids.push_back(static_cast<std::int32_t>(text.ids.size()));
    text.places.push_back({at, at + std::ssize(part), true});
    at += std::ssize(part);
  }
  text.contents.push_back({0, static_cast<std::uint32_t>(at)});
  return text;
}

// The same behind a token that is no text, as <s>.
TokenizedText with_first_token(TokenizedText text) {
  text.ids.insert(text.ids.begin(), 100);
  text.places.insert(text.places.begin(), {0, 0, false});
  return text;
}

std::string in_text(const AlignedChunk& chunk) {
  return std::to_string(chunk.student_begin) + "-" + std::to_string(chunk.student_end) + " " +
         std::to_string(chunk.teacher_begin) + "-" + std::to_string(chunk.teacher_end);
}

std::vector<std::string> chunks(const TokenizedText& student, const TokenizedText& teacher) {
  std::vector<std::string> all;
  for (const AlignedChunk& chunk : align_chunks(student, teacher, never)) {
    all.push_back(in_text(chunk));
  }
  return all;
}

TEST(AlignChunks, EndAtTheFirstBorderThatBothHave) {
  const TokenizedText student = with_first_token(reading({"ab", "c", "de", "f"}));
  EXPECT_THAT(chunks(student, with_first_token(reading({"a", "bc", "d", "e", "f"}))),
              ElementsAre("1-3 1-3", "3-4 3-5", "4-5 5-6"));
  EXPECT_THAT(chunks(student, with_first_token(reading({"abcdef"}))), ElementsAre("1-5 1-2"));
}

TEST(AlignChunks, OfAFirstTokenThereIsNone) {
  const std::vector<std::string> parts{"a", "b", "c"};
  const TokenizedText bare = reading(parts), behind = with_first_token(reading(parts));
  EXPECT_THAT(chunks(bare, bare), ElementsAre("1-2 1-2", "2-3 2-3"));
  EXPECT_THAT(chunks(behind, bare), ElementsAre("2-3 1-2", "3-4 2-3"));
  EXPECT_THAT(chunks(bare, behind), ElementsAre("1-2 2-3", "2-3 3-4"));
}

TEST(AlignChunks, HoldNoTokenWhoseBytesAreNotTheTexts) {
  TokenizedText student = with_first_token(reading({"ab", "c", "de", "f"}));
  const TokenizedText teacher = with_first_token(reading({"a", "b", "c", "d", "e", "f"}));
  student.places[3].exact = false;  // "de"
  EXPECT_THAT(chunks(student, teacher), ElementsAre("1-2 1-3", "2-3 3-4", "4-5 6-7"));
}

// Random parts of a text: the chunks are what lies between the borders that both have.
TEST(AlignChunks, AreWhatLiesBetweenSharedBorders) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 rng(seed);
  const auto parts = [&](std::int64_t length) {
    std::vector<std::string> all;
    for (std::int64_t left = length; left > 0;) {
      const auto size = std::min<std::int64_t>(left, 1 + static_cast<std::int64_t>(rng() % 4));
      all.emplace_back(static_cast<std::size_t>(size), 'x');
      left -= size;
    }
    return all;
  };
  for (int run = 0; run < 200; ++run) {
    const auto length = static_cast<std::int64_t>(rng() % 30 + 1);
    const TokenizedText student = with_first_token(reading(parts(length)));
    const TokenizedText teacher = with_first_token(reading(parts(length)));
    std::set<std::int64_t> ours, theirs, both;
    for (const TokenPlace& place : student.places) ours.insert(place.end);
    for (const TokenPlace& place : teacher.places) theirs.insert(place.end);
    std::ranges::set_intersection(ours, theirs, std::inserter(both, both.end()));
    std::vector<std::int64_t> ends{0};
    std::int32_t student_end = 1, teacher_end = 1;
    for (const AlignedChunk& chunk : align_chunks(student, teacher, never)) {
      EXPECT_EQ(chunk.student_begin, student_end);
      EXPECT_EQ(chunk.teacher_begin, teacher_end);
      student_end = chunk.student_end, teacher_end = chunk.teacher_end;
      const auto last = static_cast<std::size_t>(student_end) - 1;
      ends.push_back(student.places[last].end);
      EXPECT_EQ(teacher.places[static_cast<std::size_t>(teacher_end) - 1].end, ends.back());
    }
    EXPECT_THAT(ends, ::testing::ElementsAreArray(both));
  }
}

TEST(AlignChunks, TheTokensThatEndAContentAreOne) {
  const auto ended = [](std::vector<std::string> parts) {
    TokenizedText text = with_first_token(reading(parts));
    text.ids.push_back(101);
    const std::int64_t end = text.places.back().end;
    text.places.push_back({end, end + 4, true});
    return text;
  };
  const auto all =
      align_chunks(ended({"ab", "c"}), ended({"abc"}), [](std::int32_t id) { return id == 101; });
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(in_text(all[1]), "3-4 2-3");
  EXPECT_THAT(align_chunks(ended({"ab", "c"}), ended({"abc"}), never), ::testing::SizeIs(1));
}

TEST(AlignChunks, ContentsOfDifferentLengthsHaveNone) {
  EXPECT_THAT(chunks(with_first_token(reading({"ab"})), with_first_token(reading({"abc"}))),
              IsEmpty());
}

}  // namespace
}  // namespace gladius::text
