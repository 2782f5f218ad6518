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
#include "train/teacher/softmax_rows.h"

namespace gladius::train {
namespace {

using testing::random_int;
using testing::random_tensor;
using testing::Rng;
using testing::softmax_rows;
using TokenIds = std::vector<std::int32_t>;
using Strings = std::vector<std::string>;

// Entries of one to `longest` characters of "abc", the characters themselves among them.
Strings random_vocabulary(Rng& rng, std::int64_t size, std::int64_t longest) {
  Strings entries{"a", "b", "c"};
  for (int tries = 0; tries < 200 && std::ssize(entries) < size; ++tries) {
    std::string entry;
    for (std::int64_t n = random_int(rng, 2, std::max<std::int64_t>(2, longest)); n > 0; --n) {
      entry += static_cast<char>('a' + random_int(rng, 0, 2));
    }
    if (longest > 1 && std::ranges::find(entries, entry) == entries.end()) entries.push_back(entry);
  }
  return entries;
}

// The longest entry first.
TokenIds encode(const Strings& vocabulary, const std::string& text) {
  TokenIds ids;
  for (std::size_t at = 0; at < text.size();) {
    std::int32_t best = -1;
    for (std::int32_t id = 0; id < std::ssize(vocabulary); ++id) {
      const std::string& entry = vocabulary[static_cast<std::size_t>(id)];
      const bool fits = text.compare(at, entry.size(), entry) == 0;
      if (fits && (best < 0 || entry.size() > vocabulary[static_cast<std::size_t>(best)].size())) {
        best = id;
      }
    }
    ids.push_back(best);
    at += vocabulary[static_cast<std::size_t>(best)].size();
  }
  return ids;
}

text::TokenizedText read_text(const Strings& vocabulary, const std::string& text) {
  text::TokenizedText result{.ids = encode(vocabulary, text), .places = {}, .contents = {}};
  std::int64_t at = 0;
  for (const std::int32_t id : result.ids) {
    const std::int64_t end = at + std::ssize(vocabulary[static_cast<std::size_t>(id)]);
    result.places.push_back({at, end, true});
    at = end;
  }
  result.contents.push_back({0, static_cast<std::uint32_t>(text.size())});
  return result;
}

// A teacher and a student that read a random text.
struct Pair {
  Strings teacher_entries, student_entries;
  std::string text;
  text::TokenizedText teacher, student;
  std::shared_ptr<const text::TokenPieces> pieces;
  std::vector<text::AlignedRow> rows;
  Tensor teacher_logits, student_logits;
  double T;

  Pair(Rng& rng, std::int64_t teacher_longest, std::int64_t student_longest)
      : teacher_entries(random_vocabulary(rng, 14, teacher_longest)),
        student_entries(random_vocabulary(rng, 14, student_longest)),
        T(random_int(rng, 1, 3)) {
    for (std::int64_t n = random_int(rng, 1, 40); n > 0; --n) {
      text += static_cast<char>('a' + random_int(rng, 0, 2));
    }
    finish(rng);
  }

  void finish(Rng& rng) {
    teacher = read_text(teacher_entries, text);
    student = read_text(student_entries, text);
    std::vector<TokenIds> lists;
    for (const std::string& entry : teacher_entries)
      lists.push_back(encode(student_entries, entry));
    TokenIds canonical(student_entries.size());
    std::iota(canonical.begin(), canonical.end(), 0);
    pieces = std::make_shared<const text::TokenPieces>(lists, canonical);
    rows = text::align(student, teacher, *pieces, [](std::int32_t) { return false; });
    teacher_logits = random_tensor(rng, {std::ssize(teacher.ids), std::ssize(teacher_entries)}, -3,
                                   3, Dtype::F32);
    student_logits = random_tensor(rng, {std::ssize(student.ids), std::ssize(student_entries)}, -3,
                                   3, Dtype::F32);
  }

  Tensor targets(const Tensor& student_rows) const {
    const LogitRows logits = [this](std::int64_t begin, std::int64_t end) {
      return teacher_logits.narrow(0, begin, end - begin);
    };
    return VocabularyProjection(pieces, T).targets(student_rows, rows, student.ids, 0,
                                                   {logits, teacher.ids});
  }
};

// q over the student's entries and the rest, from the definition, by strings.
struct Expected {
  std::map<std::int32_t, double> q;
  double rest = 0, total = 0;
};

Expected expected(const Pair& pair, std::size_t i) {
  const text::AlignedRow& row = pair.rows[i];
  const auto P = softmax_rows(pair.teacher_logits, pair.T);
  const TokenIds u(pair.student.ids.begin() + static_cast<std::ptrdiff_t>(i) + 1 - row.emitted,
                   pair.student.ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
  Expected result;
  for (std::size_t t = 0; t < pair.teacher_entries.size(); ++t) {
    const TokenIds list = encode(pair.student_entries, pair.teacher_entries[t]);
    if (list.size() < u.size() || !std::equal(u.begin(), u.end(), list.begin())) continue;
    const double p = P[static_cast<std::size_t>(row.teacher_row)][t];
    result.total += p;
    if (list.size() == u.size()) {
      result.rest += p;
    } else {
      result.q[list[u.size()]] += p;
    }
  }
  // The chain: the text's next token, if the teacher's tokens end where it does.
  if (i + 1 < pair.student.ids.size()) {
    const std::int64_t end = pair.student.places[i + 1].end;
    auto token = static_cast<std::size_t>(row.teacher_row) + 1;
    const std::size_t first = token;
    double product = 1;
    while (token < pair.teacher.ids.size() && pair.teacher.places[token].end <= end) {
      product *= P[token - 1][static_cast<std::size_t>(pair.teacher.ids[token])];
      ++token;
    }
    const TokenIds list =
        encode(pair.student_entries,
               pair.teacher_entries[static_cast<std::size_t>(pair.teacher.ids[first])]);
    const bool received = list.size() > u.size() && std::equal(u.begin(), u.end(), list.begin());
    if (token > first + 1 && pair.teacher.places[token - 1].end == end && received) {
      result.q[list[u.size()]] -= product;
      result.q[pair.student.ids[i + 1]] += product;
    }
  }
  for (auto& [s, share] : result.q) share /= result.total;
  result.rest /= result.total;
  return result;
}

TEST(VocabularyProjection, IsWhatTheDefinitionSays) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  std::int64_t compared = 0, rests = 0;
  for (int run = 0; run < 200; ++run) {
    const Pair pair(rng, random_int(rng, 1, 4), random_int(rng, 1, 4));
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

TEST(VocabularyProjection, OfOneVocabularyIsTheTeacherItself) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  Pair pair(rng, 3, 3);
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
  Pair pair(rng, 3, 3);
  const Tensor before = pair.targets(pair.student_logits);
  Pair permuted = pair;
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
    Pair pair(rng, refines ? 4 : 1, refines ? 1 : 4);
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
    const Pair pair(rng, coarse ? 2 : 4, coarse ? 4 : 3);
    const auto all = softmax_rows(pair.targets(pair.student_logits), pair.T);
    const auto n = std::ssize(pair.teacher.ids);
    const std::vector<std::int64_t> ids(pair.teacher.ids.begin(), pair.teacher.ids.end());
    constexpr std::int64_t kDraws = 20, kTargets = 5000;
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

// The divergence of classes: entries of the same bytes are one, and so are all without a target.
double divergence_of_classes(const std::vector<double>& z, const Expected& wanted,
                             const std::pair<std::int32_t, std::int32_t>& twins, double T) {
  double sum = 0, supported = 0, kl = 0;
  for (const double x : z) sum += std::exp(x / T);
  const auto p = [&](std::int32_t s) {
    const double own = std::exp(z[static_cast<std::size_t>(s)] / T) / sum;
    return s == twins.second ? own + std::exp(z[static_cast<std::size_t>(twins.first)] / T) / sum
                             : own;
  };
  for (const auto& [s, q] : wanted.q) {
    if (q <= 1e-9) continue;
    supported += p(s);
    kl += q * std::log(q / p(s));
  }
  if (wanted.rest > 0) kl += wanted.rest * std::log(wanted.rest / (1 - supported));
  return kl * T * T;
}

TEST(VocabularyProjection, GradientsAreThoseOfTheClasses) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  std::int64_t with_rest = 0;
  for (int run = 0; run < 60; ++run) {
    Pair pair(rng, 4, 3);
    // One more student entry that spells "b", as "<0x62>" does beside "b".
    const auto twin = static_cast<std::int32_t>(pair.student_entries.size());
    std::vector<TokenIds> lists;
    for (const std::string& entry : pair.teacher_entries) {
      lists.push_back(encode(pair.student_entries, entry));
    }
    TokenIds canonical(pair.student_entries.size());
    std::iota(canonical.begin(), canonical.end(), 0);
    canonical.push_back(1);
    pair.pieces = std::make_shared<const text::TokenPieces>(lists, canonical);
    pair.student_logits =
        random_tensor(rng, {std::ssize(pair.student.ids), twin + 1}, -3, 3, Dtype::F32);
    const Tensor target = pair.targets(pair.student_logits);
    for (std::size_t i = 0; i < pair.rows.size(); ++i) {
      if (pair.rows[i].teacher_row < 0) continue;
      const Expected wanted = expected(pair, i);
      if (wanted.total < 1e-5) continue;
      with_rest += wanted.rest > 0 ? 1 : 0;
      const auto place = static_cast<std::int64_t>(i);
      const Variable z(pair.student_logits.narrow(0, place, 1).clone(), true);
      const DistillationLoss loss =
          distillation_loss(z, target.narrow(0, place, 1), Tensor::full({1}, -100, Dtype::I64),
                            {.temperature = pair.T, .alpha = 1});
      const auto gradient = grad({loss.loss}, {z})[0].value().to_vector<double>();
      auto values = z.value().to_vector<double>();
      const auto divergence = [&] {
        return divergence_of_classes(values, wanted, {twin, 1}, pair.T);
      };
      ASSERT_NEAR(loss.kl, divergence(), 1e-4);
      for (std::size_t s = 0; s < values.size(); ++s) {
        const double at = values[s];
        values[s] = at + 1e-5;
        const double above = divergence();
        values[s] = at - 1e-5;
        const double slope = (above - divergence()) / 2e-5;
        values[s] = at;
        ASSERT_NEAR(gradient[s], slope, 1e-4) << "row " << i << ", entry " << s;
      }
    }
  }
  EXPECT_GT(with_rest, 5);
}

}  // namespace
}  // namespace gladius::train
