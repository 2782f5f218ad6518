// Two small random vocabularies and a text in both, with what the projection is by its definition.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "gladius/train/teacher/vocabulary_projection.h"
#include "support/random.h"
#include "train/teacher/softmax_rows.h"

namespace gladius::testing {

using TokenIds = std::vector<std::int32_t>;
using Strings = std::vector<std::string>;

/// Entries of one to `longest` characters of "abc", the characters themselves among them.
inline Strings random_vocabulary(Rng& rng, std::int64_t size, std::int64_t longest) {
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

/// The longest entry first.
inline TokenIds encode(const Strings& vocabulary, const std::string& text) {
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

/// The longest entry last: behind each border the same bytes may be cut otherwise than by encode().
inline TokenIds encode_backwards(Strings vocabulary, std::string text) {
  for (std::string& entry : vocabulary) std::ranges::reverse(entry);
  std::ranges::reverse(text);
  TokenIds ids = encode(vocabulary, text);
  std::ranges::reverse(ids);
  return ids;
}

/// A text as these tokens.
inline text::TokenizedText read_text(const Strings& vocabulary, const std::string& text,
                                     const TokenIds& ids) {
  text::TokenizedText result{.ids = ids, .places = {}, .contents = {}};
  std::int64_t at = 0;
  for (const std::int32_t id : result.ids) {
    const std::int64_t end = at + std::ssize(vocabulary[static_cast<std::size_t>(id)]);
    result.places.push_back({at, end, true});
    at = end;
  }
  result.contents.push_back({0, static_cast<std::uint32_t>(text.size())});
  return result;
}

/// A teacher and a student that read a random text.
struct RandomPair {
  Strings teacher_entries, student_entries;
  std::string text;
  text::TokenizedText teacher, student;
  std::shared_ptr<const text::TokenPieces> pieces;
  std::vector<text::AlignedRow> rows;
  Tensor teacher_logits, student_logits;
  double T;

  RandomPair(Rng& rng, std::int64_t teacher_longest, std::int64_t student_longest)
      : teacher_entries(random_vocabulary(rng, 14, teacher_longest)),
        student_entries(random_vocabulary(rng, 14, student_longest)),
        T(random_int(rng, 1, 3)) {
    for (std::int64_t n = random_int(rng, 1, 40); n > 0; --n) {
      text += static_cast<char>('a' + random_int(rng, 0, 2));
    }
    finish(rng);
  }

  void finish(Rng& rng) {
    teacher = read_text(teacher_entries, text, encode(teacher_entries, text));
    student = read_text(student_entries, text, encode(student_entries, text));
    std::vector<TokenIds> lists;
    for (const std::string& entry : teacher_entries)
      lists.push_back(encode(student_entries, entry));
    TokenIds canonical(student_entries.size());
    std::iota(canonical.begin(), canonical.end(), 0);
    pieces = std::make_shared<const text::TokenPieces>(lists, canonical);
    align();
    teacher_logits = random_tensor(rng, {std::ssize(teacher.ids), std::ssize(teacher_entries)}, -3,
                                   3, Dtype::F32);
    student_logits = random_tensor(rng, {std::ssize(student.ids), std::ssize(student_entries)}, -3,
                                   3, Dtype::F32);
  }

  void align() {
    rows = text::align(student, teacher, *pieces, [](std::int32_t) { return false; });
  }

  Tensor targets(const Tensor& student_rows) const {
    const LogitRows logits = [this](std::int64_t begin, std::int64_t end) {
      return teacher_logits.narrow(0, begin, end - begin);
    };
    return train::VocabularyProjection(pieces, T).targets(student_rows, rows, student.ids, 0,
                                                          {logits, teacher.ids});
  }
};

/// q over the student's entries and the rest, from the definition, by strings.
struct Expected {
  std::map<std::int32_t, double> q;
  double rest = 0, total = 0;
};

inline Expected expected(const RandomPair& pair, std::size_t i) {
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

}  // namespace gladius::testing
