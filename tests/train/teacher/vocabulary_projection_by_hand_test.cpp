// Targets whose values were worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "gladius/train/teacher/vocabulary_projection.h"
#include "train/teacher/softmax_rows.h"

namespace gladius::train {
namespace {

using testing::softmax_rows;

Tensor logs(const std::vector<std::vector<double>>& rows) {
  std::vector<float> values;
  for (const auto& row : rows) {
    for (const double p : row) values.push_back(static_cast<float>(std::log(p)));
  }
  return Tensor::from(values, {std::ssize(rows), std::ssize(rows[0])});
}

// Two readings of a text, the teacher's entries in the student's, and P by the teacher's rows.
struct ByHand {
  text::TokenizedText student, teacher;
  std::vector<std::vector<std::int32_t>> pieces;
  std::vector<std::int32_t> canonical;
  std::vector<std::vector<double>> P;

  std::vector<text::AlignedRow> rows() const {
    return text::align(student, teacher, *map(), [](std::int32_t) { return false; });
  }
  std::shared_ptr<const text::TokenPieces> map() const {
    return std::make_shared<const text::TokenPieces>(pieces, canonical);
  }
  // q of each row, with the rest divided as the student divides it, whose probabilities are p.
  std::vector<std::vector<double>> targets(const std::vector<std::vector<double>>& p) const {
    const Tensor target = VocabularyProjection(map(), 1).targets(
        logs(p), rows(), student.ids, 0, {rows_of(logs(P), std::ssize(P)), teacher.ids});
    return softmax_rows(target, 1);
  }
};

// A reading of parts with these ids; nothing in a text is empty, so "" is a token that is no text.
text::TokenizedText parts(const std::vector<std::pair<std::int32_t, std::string>>& tokens) {
  text::TokenizedText text;
  std::int64_t at = 0;
  for (const auto& [id, bytes] : tokens) {
    text.ids.push_back(id);
    text.places.push_back({at, at + std::ssize(bytes), !bytes.empty()});
    at += std::ssize(bytes);
  }
  text.contents.push_back({0, static_cast<std::uint32_t>(at)});
  return text;
}

auto near(const std::vector<double>& values) {
  return ::testing::Pointwise(::testing::DoubleNear(1e-6), values);
}

// The student has "a" twice, as 0 and as 2.
TEST(VocabularyProjectionByHand, EntriesWithTheSameBytesAreOne) {
  const ByHand pair{.student = parts({{0, "a"}, {1, "b"}}),
                    .teacher = parts({{0, "a"}, {1, "b"}}),
                    .pieces = {{0}, {1}},
                    .canonical = {0, 1, 0},
                    .P = {{0.4, 0.6}, {0.7, 0.3}}};
  const std::vector<double> p{0.2, 0.3, 0.5};
  const auto target = pair.targets({p, p});
  EXPECT_THAT(target[0], near({0.4 * 2 / 7, 0.6, 0.4 * 5 / 7}));
  EXPECT_THAT(target[1], near(p));  // 0.7 and 0.3 is what the student says
  const DistillationLoss loss =
      distillation_loss(Variable(logs({p})), logs({target[0]}), Tensor::full({1}, -100, Dtype::I64),
                        {.temperature = 1, .alpha = 1});
  EXPECT_NEAR(loss.kl, 0.192042, 1e-5);  // 0.4 log(0.4 / 0.7) + 0.6 log(0.6 / 0.3)
}

// <s> is 2. Without it nothing is said of a text's first token.
TEST(VocabularyProjectionByHand, OnlyOneSideMayBeginWithAToken) {
  const std::vector<double> p{0.25, 0.25, 0.5};
  ByHand pair{.student = parts({{2, ""}, {0, "a"}, {1, "b"}}),
              .teacher = parts({{0, "a"}, {1, "b"}}),
              .pieces = {{0}, {1}},
              .canonical = {0, 1, 2},
              .P = {{0.1, 0.9}, {0.8, 0.2}}};
  auto target = pair.targets({p, p, p});
  EXPECT_THAT(target[0], near(p));  // masked
  EXPECT_THAT(target[1], near({0.1, 0.9, 0}));
  EXPECT_THAT(target[2], near({0.8, 0.2, 0}));
  EXPECT_EQ(text::count_aligned(pair.rows()), 2);

  std::swap(pair.student, pair.teacher);
  pair.P = {{0.6, 0.4}, {0.1, 0.9}, {0.8, 0.2}};
  target = pair.targets({p, p});
  EXPECT_THAT(target[0], near({0.1, 0.9, 0}));
  EXPECT_THAT(target[1], near({0.8, 0.2, 0}));
  EXPECT_EQ(text::count_aligned(pair.rows()), 2);
}

// U+1F600 is F0 9F 98 80. The teacher writes F0 9F 98 and 80, and has F0 9F 92; the student's bytes
// are entries. Teacher: a 0, F09F98 1, 80 2, F09F92 3. Student: a 0, F0 1, 9F 2, 98 3, 80 4, 92 5.
TEST(VocabularyProjectionByHand, AnEmojiThatBothSplit) {
  const std::vector<double> p(6, 1.0 / 6);
  const ByHand pair{
      .student = parts({{0, "a"}, {1, "\xF0"}, {2, "\x9F"}, {3, "\x98"}, {4, "\x80"}}),
      .teacher = parts({{0, "a"}, {1, "\xF0\x9F\x98"}, {2, "\x80"}}),
      .pieces = {{0}, {1, 2, 3}, {4}, {1, 2, 5}},
      .canonical = {0, 1, 2, 3, 4, 5},
      .P = {{0.1, 0.5, 0.1, 0.3}, {0.2, 0.1, 0.6, 0.1}, {0.7, 0.1, 0.1, 0.1}}};
  const auto target = pair.targets({p, p, p, p, p});
  EXPECT_THAT(target[0], near({0.1, 0.8, 0, 0, 0.1, 0}));
  EXPECT_THAT(target[1], near({0, 0, 1, 0, 0, 0}));          // F0 leads to 9F alone
  EXPECT_THAT(target[2], near({0, 0, 0, 0.625, 0, 0.375}));  // 0.5 and 0.3 of 0.8
  EXPECT_THAT(target[3], near({0.2, 0.2, 0, 0, 0.6, 0}));    // at the teacher's border
  EXPECT_THAT(target[4], near({0.7, 0.2, 0, 0, 0.1, 0}));
}

// The student has the emoji as one entry, 6: it is the teacher's two tokens one after the other.
TEST(VocabularyProjectionByHand, AnEmojiThatTheTeacherSplits) {
  const std::vector<double> p(7, 1.0 / 7);
  const ByHand pair{.student = parts({{0, "a"}, {6, "\xF0\x9F\x98\x80"}}),
                    .teacher = parts({{0, "a"}, {1, "\xF0\x9F\x98"}, {2, "\x80"}}),
                    .pieces = {{0}, {1, 2, 3}, {4}, {1, 2, 5}},
                    .canonical = {0, 1, 2, 3, 4, 5, 6},
                    .P = {{0.1, 0.5, 0.1, 0.3}, {0.2, 0.1, 0.6, 0.1}, {0.7, 0.1, 0.1, 0.1}}};
  const auto target = pair.targets({p, p});
  EXPECT_THAT(target[0], near({0.1, 0.5, 0, 0, 0.1, 0, 0.3}));  // 0.5 * 0.6 goes from F0 to it
  EXPECT_THAT(target[1], near({0.7, 0.2, 0, 0, 0.1, 0, 0}));
}

// "e" and U+0301, which is CC 81. The teacher has both as one token, 1, and U+00E9, which is other
// bytes (C3 A9), as 2, and "e" as 3. Student: a 0, e 1, the mark 2, U+00E9 3.
TEST(VocabularyProjectionByHand, ACombiningMark) {
  const std::vector<double> p(4, 0.25);
  const ByHand pair{.student = parts({{0, "a"}, {1, "e"}, {2, "\xCC\x81"}}),
                    .teacher = parts({{0, "a"}, {1, "e\xCC\x81"}}),
                    .pieces = {{0}, {1, 2}, {3}, {1}},
                    .canonical = {0, 1, 2, 3},
                    .P = {{0.05, 0.6, 0.25, 0.1}, {0.4, 0.3, 0.2, 0.1}}};
  const auto target = pair.targets({p, p, p});
  EXPECT_THAT(target[0], near({0.05, 0.7, 0, 0.25}));
  // Behind "e": the mark has 0.6 of 0.7, and the rest, where the teacher's token is "e", 0.1 of it.
  const double rest = 1.0 / 7 / 3;
  EXPECT_THAT(target[1], near({rest, rest, 6.0 / 7, rest}));
  EXPECT_THAT(target[2], near({0.4, 0.4, 0, 0.2}));
  const DistillationLoss loss =
      distillation_loss(Variable(logs({p})), logs({target[1]}), Tensor::full({1}, -100, Dtype::I64),
                        {.temperature = 1, .alpha = 1});
  // 6/7 log(6/7 / 0.25) + 1/7 log(1/7 / 0.75)
  EXPECT_NEAR(loss.kl, 0.819233, 1e-5);
}

}  // namespace
}  // namespace gladius::train
