#include "gladius/train/teacher/vocabulary_projection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <string>

#include "gladius/autograd/engine.h"
#include "gladius/tensor/parallel.h"
#include "gladius/train/teacher/sampled_outputs.h"
#include "support/random.h"
#include "support/sanitizers.h"
#include "train/teacher/random_pair.h"
#include "train/teacher/softmax_rows.h"

namespace gladius::train {
namespace {

using testing::encode;
using testing::encode_backwards;
using testing::expected;
using testing::Expected;
using testing::random_int;
using testing::random_tensor;
using testing::RandomPair;
using testing::read_text;
using testing::Rng;
using testing::softmax_rows;
using TokenIds = testing::TokenIds;
using Strings = testing::Strings;

TEST(VocabularyProjection, IsWhatTheDefinitionSays) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  std::int64_t compared = 0, rests = 0;
  for (int run = 0; run < 200; ++run) {
    const RandomPair pair(rng, random_int(rng, 1, 4), random_int(rng, 1, 4));
    SCOPED_TRACE(pair.text);
    const auto target = softmax_rows(pair.targets(pair.student_logits), pair.T);
    const auto own = softmax_rows(pair.student_logits, pair.T);
    for (std::size_t i = 0; i < pair.rows.size(); ++i) {
      if (pair.rows[i].teacher_row < 0) {
        EXPECT_EQ(target[i], own[i]);
        continue;
      }
      const Expected wanted = expected(pair, i);
      if (wanted.total < 1e-5) continue;
      ++compared;
      rests += wanted.rest > 0 ? 1 : 0;
      const auto is_supported = [&](std::int32_t s) {
        const auto found = wanted.q.find(s);
        return found != wanted.q.end() && found->second > 1e-9;
      };
      double outside = 0;
      std::size_t supported = 0;
      for (std::int32_t s = 0; s < std::ssize(own[i]); ++s) {
        if (is_supported(s)) ++supported;
      }
      // Where every entry has a target the rest has no place, and is left out.
      const bool has_place = supported < own[i].size();
      for (std::int32_t s = 0; s < std::ssize(own[i]); ++s) {
        const double value = target[i][static_cast<std::size_t>(s)];
        if (!is_supported(s)) {
          outside += value;
          continue;
        }
        const double share = wanted.q.at(s) / (has_place ? 1 : 1 - wanted.rest);
        ASSERT_NEAR(value, share, 2e-5) << "row " << i << ", entry " << s;
      }
      if (has_place) {
        ASSERT_NEAR(outside, wanted.rest, 2e-5) << "row " << i;
      }
    }
  }
  EXPECT_GT(compared, 1000);
  EXPECT_GT(rests, 20);
}

// A position is compared where the teacher's token of the text leads to the student's, and where
// the student cuts the same bytes otherwise it is not.
TEST(VocabularyProjection, TheTextsOwnTokenHasAShare) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  std::int64_t shares = 0, left_out = 0;
  for (int run = 0; run < 300; ++run) {
    RandomPair pair(rng, 4, 4);
    if (run % 2 == 0) {
      pair.student = read_text(pair.student_entries, pair.text,
                               encode_backwards(pair.student_entries, pair.text));
      pair.align();
    }
    for (std::size_t i = 0; i + 1 < pair.rows.size(); ++i) {
      // The teacher's token that the student's next one begins in.
      const text::TokenPlace next = pair.student.places[i + 1];
      std::size_t t = 0;
      while (pair.teacher.places[t].end <= next.begin) ++t;
      const std::int64_t border = pair.teacher.places[t].begin;
      std::size_t first = i + 1;
      while (pair.student.places[first].begin > border) --first;
      const bool shared = pair.student.places[first].begin == border && t > 0;
      const bool within = next.end <= pair.teacher.places[t].end;
      const TokenIds text(pair.student.ids.begin() + static_cast<std::ptrdiff_t>(first),
                          pair.student.ids.begin() + static_cast<std::ptrdiff_t>(i + within + 1));
      const auto teacher_id = static_cast<std::size_t>(pair.teacher.ids[t]);
      const TokenIds alone = encode(pair.student_entries, pair.teacher_entries[teacher_id]);
      const bool leads =
          text.size() <= alone.size() && std::equal(text.begin(), text.end(), alone.begin());
      ASSERT_EQ(pair.rows[i].teacher_row >= 0, shared && leads) << "row " << i;
      left_out += shared && !leads ? 1 : 0;
      if (!shared || !leads || !within) continue;
      ++shares;
      ASSERT_GT(expected(pair, i).q.at(pair.student.ids[i + 1]), 0);
    }
  }
  EXPECT_GT(shares, 500);
  EXPECT_GT(left_out, 20);
}

TEST(VocabularyProjection, OfOneVocabularyIsTheTeacherItself) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  RandomPair pair(rng, 3, 3);
  pair.student_entries = pair.teacher_entries;
  pair.finish(rng);
  EXPECT_EQ(text::count_aligned(pair.rows), std::ssize(pair.rows));
  const Tensor labels = Tensor::full({std::ssize(pair.student.ids)}, -100, Dtype::I64);
  const DistillationOptions options{.temperature = pair.T, .alpha = 1};
  const auto loss = [&](const Tensor& teacher) {
    const Variable z(pair.student_logits, true);
    const DistillationLoss loss = distillation_loss(z, teacher, labels, options);
    return std::pair(loss.kl, grad({loss.loss}, {z})[0].value().to_vector<float>());
  };
  const auto [projected, projected_gradient] = loss(pair.targets(pair.student_logits));
  const auto [same, same_gradient] = loss(pair.teacher_logits);
  EXPECT_NEAR(projected, same, 1e-6 * (1 + same));
  EXPECT_THAT(projected_gradient, ::testing::Pointwise(::testing::FloatNear(1e-6F), same_gradient));
}

TEST(VocabularyProjection, DoesNotDependOnTheTeachersIds) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  RandomPair pair(rng, 3, 3);
  const Tensor before = pair.targets(pair.student_logits);
  RandomPair permuted = pair;
  std::vector<std::size_t> order(pair.teacher_entries.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, rng);
  for (std::size_t t = 0; t < order.size(); ++t) {
    permuted.teacher_entries[t] = pair.teacher_entries[order[t]];
  }
  permuted.finish(rng);
  permuted.student_logits = pair.student_logits;
  for (std::size_t t = 0; t < order.size(); ++t) {
    permuted.teacher_logits.select(1, static_cast<std::int64_t>(t))
        .copy_(pair.teacher_logits.select(1, static_cast<std::int64_t>(order[t])));
  }
  const auto a = softmax_rows(before, pair.T);
  const auto b = softmax_rows(permuted.targets(pair.student_logits), pair.T);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_THAT(b[i], ::testing::Pointwise(::testing::DoubleNear(1e-6), a[i])) << "row " << i;
  }
}

// Then the loss is the student's cross-entropy: guards against rows that are off by one.
TEST(VocabularyProjection, OfATeacherThatIsCertainIsTheNextToken) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  for (int run = 0; run < 40; ++run) {
    // One side's tokens are characters, so that the borders of the other's are among them.
    const bool refines = run % 2 == 0;
    RandomPair pair(rng, refines ? 4 : 1, refines ? 1 : 4);
    pair.teacher_logits.fill_(-200);
    for (std::size_t i = 0; i + 1 < pair.teacher.ids.size(); ++i) {
      pair.teacher_logits.select(0, static_cast<std::int64_t>(i))
          .select(0, pair.teacher.ids[i + 1])
          .fill_(200);
    }
    const auto target = softmax_rows(pair.targets(pair.student_logits), pair.T);
    for (std::size_t i = 0; i + 1 < pair.student.ids.size(); ++i) {
      if (pair.rows[i].teacher_row < 0) continue;
      ASSERT_NEAR(target[i][static_cast<std::size_t>(pair.student.ids[i + 1])], 1, 1e-5)
          << pair.text << ", row " << i;
    }
  }
}

// The mean of the targets of 20 draws each, 100,000 in all, lies within 4 standard deviations of
// the target of the whole. The seeds are fixed, as one of some thousand means lies outside.
TEST(VocabularyProjection, OfDrawsIsUnbiased) {
  const int threads = num_threads();
  set_num_threads(1);  // targets of a few rows, which would wait for each other
  std::int64_t behind = 0, chains = 0;
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Rng rng(seed);
    // The shorter the teacher's tokens, the more of the student's are several of them.
    const bool coarse = seed % 2 == 0;
    const RandomPair pair(rng, coarse ? 2 : 4, coarse ? 4 : 3);
    const auto all = softmax_rows(pair.targets(pair.student_logits), pair.T);
    const auto n = std::ssize(pair.teacher.ids);
    const std::vector<std::int64_t> ids(pair.teacher.ids.begin(), pair.teacher.ids.end());
    constexpr std::int64_t kDraws = 20, kTargets = testing::kSanitized ? 500 : 5000;
    // Sums over the targets, of an entry its value and that squared; the number of targets.
    std::vector<std::vector<double>> sums(all.size(), std::vector<double>(all[0].size()));
    auto squares = sums;
    std::vector<double> counts(all.size());
    const auto own = softmax_rows(pair.student_logits, pair.T);
    for (std::int64_t i = 0; i < kTargets; ++i) {
      const SamplingOptions options{kDraws, pair.T, static_cast<std::uint64_t>(i)};
      Tensor drawn = Tensor::empty({n, OutputSampler::width(options)});
      OutputSampler(options, ids).draw(pair.teacher_logits.clone(), 0, drawn);
      const Tensor logits = logits_of_draws(drawn, std::ssize(pair.teacher_entries), options);
      const Tensor target = VocabularyProjection(pair.pieces, pair.T)
                                .targets(pair.student_logits, pair.rows, pair.student.ids, 0,
                                         {rows_of(logits, n), pair.teacher.ids,
                                          drawn.select(1, 0).to_vector<float>()});
      const auto rows = softmax_rows(target, pair.T);
      for (std::size_t row = 0; row < rows.size(); ++row) {
        if (rows[row] == own[row]) continue;  // no draw begins with what the student has emitted
        ++counts[row];
        for (std::size_t s = 0; s < rows[row].size(); ++s) {
          sums[row][s] += rows[row][s];
          squares[row][s] += rows[row][s] * rows[row][s];
        }
      }
    }
    for (std::size_t row = 0; row < all.size(); ++row) {
      if (pair.rows[row].teacher_row < 0 || counts[row] < 100) continue;
      behind += pair.rows[row].emitted > 0 ? 1 : 0;
      chains += pair.rows[row].chain_end > 0 ? 1 : 0;
      for (std::size_t s = 0; s < all[row].size(); ++s) {
        const double mean = sums[row][s] / counts[row];
        const double variance = squares[row][s] / counts[row] - mean * mean;
        EXPECT_NEAR(mean, all[row][s], 4 * std::sqrt(std::max(0.0, variance) / counts[row]) + 2e-6)
            << "row " << row << ", entry " << s;
      }
    }
  }
  set_num_threads(threads);
  EXPECT_GT(behind, 3);
  EXPECT_GT(chains, 3);
}

}  // namespace
}  // namespace gladius::train
