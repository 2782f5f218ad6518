#include "gladius/train/teacher/alignment_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <unordered_map>
#include <utility>

#include "gladius/models/tokenizer/token_places.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/teacher/text_likelihoods.h"

namespace gladius::train {
namespace {

// The student's rows of which the projected distributions are in memory at once.
constexpr std::size_t kRows = 256;
constexpr std::size_t kShownPieces = 4;

double bits_of(double nats) { return 0 - nats / std::numbers::ln2; }  // not -0

std::int64_t size_of(const TextEncoder& side, std::int32_t id) {
  if (side.tokenizer().is_special(id)) return 0;
  return std::ssize(side.token_bytes()[id].value_or(""));
}

// White space so that it is seen.
std::string shown(const TextEncoder& side, std::int32_t id) {
  if (side.tokenizer().is_special(id)) return side.tokenizer().id_to_token(id);
  std::string text;
  for (const char byte : side.token_bytes()[id].value_or("")) {
    if (byte == ' ') {
      text += "\u00b7";
    } else if (byte == '\n') {
      text += "\u21b5";
    } else {
      text += byte;
    }
  }
  return printable(text);
}

// The bytes of a tokenizer's entries, with how many have them.
std::unordered_map<std::string, std::int64_t> entries_by_bytes(const text::TokenBytes& side) {
  std::unordered_map<std::string, std::int64_t> entries;
  for (std::int64_t id = 0; id < side.tokenizer().vocab_size(); ++id) {
    if (side.tokenizer().is_special(static_cast<std::int32_t>(id))) continue;
    auto bytes = side[id];
    if (!bytes || bytes->empty()) continue;
    ++entries[std::move(*bytes)];
  }
  return entries;
}

std::int64_t duplicates(const std::unordered_map<std::string, std::int64_t>& entries) {
  std::int64_t count = 0;
  for (const auto& [bytes, same] : entries) count += same - 1;
  return count;
}

// Sums of -log2 of probabilities, and of the bytes of their tokens.
struct BitSum {
  double bits = 0;
  std::int64_t bytes = 0;

  void add(double more_bits, std::int64_t more_bytes) { bits += more_bits, bytes += more_bytes; }
  double per_byte() const { return bytes == 0 ? 0 : bits / static_cast<double>(bytes); }
};

// What the projection says of the student's tokens of one text, by their positions in it.
struct SeenTokens {
  std::vector<std::optional<double>> bits;
  std::vector<std::string> notes;
};

// The largest of what a row's probabilities went to.
std::string note_of(const TextEncoder& student, const ProjectedRow& row) {
  std::vector<std::size_t> largest(row.pieces.size());
  for (std::size_t s = 0; s < largest.size(); ++s) largest[s] = s;
  const std::size_t count = std::min(kShownPieces, largest.size());
  std::ranges::partial_sort(largest, largest.begin() + static_cast<std::ptrdiff_t>(count),
                            [&](auto a, auto b) { return row.pieces[a] > row.pieces[b]; });
  std::string note;
  for (std::size_t i = 0; i < count && row.pieces[largest[i]] > 0; ++i) {
    note += fmt::format("{}{} {:.3f}", note.empty() ? "" : ", ",
                        shown(student, static_cast<std::int32_t>(largest[i])),
                        static_cast<double>(row.pieces[largest[i]]) / row.total);
  }
  return fmt::format("{}, rest {:.3f}", note, row.rest / row.total);
}

// The tokens of both sides up to the last chunk that ends within the first `most` of the student's
// `count` (of a sequence that was cut a chunk may end in the token behind these).
std::vector<ShownChunk> show_chunks(const std::vector<text::AlignedChunk>& chunks,
                                    std::size_t count, std::int64_t most,
                                    const std::function<ShownToken(std::size_t)>& of_student,
                                    const std::function<ShownToken(std::size_t)>& of_teacher) {
  std::vector<ShownChunk> shown;
  std::size_t ours = 0, theirs = 0;
  const auto up_to = [&](std::int32_t our_end, std::int32_t their_end, bool compared) {
    ShownChunk chunk{.student = {}, .teacher = {}, .compared = compared};
    while (ours < static_cast<std::size_t>(our_end)) chunk.student.push_back(of_student(ours++));
    while (theirs < static_cast<std::size_t>(their_end)) {
      chunk.teacher.push_back(of_teacher(theirs++));
    }
    if (!chunk.student.empty() || !chunk.teacher.empty()) shown.push_back(std::move(chunk));
  };
  for (const text::AlignedChunk& chunk : chunks) {
    up_to(chunk.student_begin, chunk.teacher_begin, false);
    if (chunk.student_end > std::min(most, static_cast<std::int64_t>(count))) break;
    up_to(chunk.student_end, chunk.teacher_end, true);
  }
  return shown;
}

// One text after another.
class Study {
 public:
  Study(const AlignedTeacher& aligned, const StudiedTeacher& teacher, std::int64_t sample_tokens)
      : aligned_(aligned), teacher_(teacher), sample_tokens_(sample_tokens) {}

  void add(const Example& example) {
    const Batch batch = pack({&example});
    const AlignedReading reading = aligned_.read(batch);
    const auto tokens = std::ssize(reading.ids);
    const text::TokenBytes& bytes = student().token_bytes();
    study_.bytes += std::ssize(
        text::without_added_space(text::spell(reading.ids, bytes), reading.ids, bytes).text);
    study_.student_tokens += tokens;
    study_.teacher_tokens += std::ssize(reading.all.teacher_ids);
    study_.positions += tokens - 1;
    SeenTokens seen{.bits = std::vector<std::optional<double>>(reading.ids.size()),
                    .notes = std::vector<std::string>(reading.ids.size())};
    for (std::size_t i = 0; i + 1 < reading.all.rows.size(); ++i) {
      if (reading.all.rows[i].teacher_row < 0) continue;
      ++study_.aligned;
      if (reading.all.rows[i].emitted == 0) ++shared_;
    }
    std::vector<double> own;
    if (teacher_.own != nullptr && reading.answer.logits) {
      project(reading, seen);
      own = read_own_tokens(reading);
      truncate(batch, reading, seen);
    }
    if (shows()) show(reading, seen, own);
  }

  AlignmentStudy finish() {
    if (study_.positions > 0) {
      study_.shared_boundaries =
          static_cast<double>(shared_) / static_cast<double>(study_.positions);
    }
    if (teacher_.own != nullptr) {
      study_.negligible = study_.aligned - study_.impossible - projected_;
    }
    if (projected_ > 0) {
      study_.mean_rest = rest_ / static_cast<double>(projected_);
      study_.bits = AlignedBits{.teacher = own_.per_byte(),
                                .aligned = aligned_bits_.per_byte(),
                                .truncate = {},
                                .uniform = uniform_.per_byte()};
      if (can_truncate_) study_.bits->truncate = truncated_.per_byte();
    }
    return std::move(study_);
  }

 private:
  // Whether the text that is read now is among the first, which are shown.
  bool shows() const { return shown_tokens_ < sample_tokens_; }
  const TextEncoder& student() const { return aligned_.student(); }
  const TextEncoder& teacher() const { return aligned_.teacher(); }

  void project(const AlignedReading& reading, SeenTokens& seen) {
    const std::int64_t V = student().tokenizer().vocab_size();
    const std::span rows(reading.all.rows);
    for (std::size_t begin = 0; begin + 1 < rows.size(); begin += kRows) {
      const auto block = rows.subspan(begin, std::min(kRows, rows.size() - 1 - begin));
      aligned_.projection().visit(V, block, reading.ids, static_cast<std::int64_t>(begin),
                                  {reading.answer.logits, reading.all.teacher_ids},
                                  [&](std::size_t i, const ProjectedRow& row) {
                                    add_projected(reading, begin + i, row, seen);
                                  });
    }
  }

  // `row` predicts the token behind position i.
  void add_projected(const AlignedReading& reading, std::size_t i, const ProjectedRow& row,
                     SeenTokens& seen) {
    const std::int32_t next = reading.ids[i + 1];
    const auto q = static_cast<double>(
        row.pieces[static_cast<std::size_t>(aligned_.pieces().canonical(next))]);
    if (!(q > 0)) {
      ++study_.impossible;
      return;
    }
    seen.bits[i + 1] = bits_of(std::log(std::min(1.0, q / row.total)));
    if (shows()) seen.notes[i + 1] = note_of(student(), row);
    rest_ += row.rest / row.total;
    ++projected_;
    aligned_bits_.add(*seen.bits[i + 1], size_of(student(), next));
    uniform_.add(std::log2(static_cast<double>(row.pieces.size())), size_of(student(), next));
  }

  // -log2 of the teacher's tokens from the second on.
  std::vector<double> read_own_tokens(const AlignedReading& reading) {
    const auto tokens = std::ssize(reading.all.teacher_ids);
    std::vector<double> bits = text_log_probabilities(reading.answer, reading.all.teacher_ids, 1,
                                                      tokens, /*temperature=*/1);
    std::ranges::transform(bits, bits.begin(), bits_of);
    for (const text::AlignedChunk& chunk : reading.all.chunks) {
      for (auto token = static_cast<std::size_t>(chunk.teacher_begin);
           token < static_cast<std::size_t>(chunk.teacher_end); ++token) {
        own_.add(bits[token - 1], size_of(teacher(), reading.all.teacher_ids[token]));
      }
    }
    return bits;
  }

  // The same positions as the projection's.
  void truncate(const Batch& batch, const AlignedReading& reading, const SeenTokens& seen) {
    if (teacher_.truncated == nullptr || !can_truncate_) return;
    can_truncate_ = std::ranges::max(reading.ids) < teacher_.truncated->vocabulary();
    if (!can_truncate_) return;
    const std::vector<double> nats =
        text_log_probabilities(teacher_.truncated->logits(batch), reading.ids, 1,
                               std::ssize(reading.ids), /*temperature=*/1);
    for (std::size_t i = 1; i < seen.bits.size(); ++i) {
      if (!seen.bits[i]) continue;
      truncated_.add(bits_of(nats[i - 1]), size_of(student(), reading.ids[i]));
    }
  }

  void show(const AlignedReading& reading, const SeenTokens& seen, const std::vector<double>& own) {
    const auto of_student = [&](std::size_t i) {
      return ShownToken{shown(student(), reading.ids[i]), seen.notes[i], seen.bits[i]};
    };
    const auto of_teacher = [&](std::size_t i) {
      return ShownToken{shown(teacher(), reading.all.teacher_ids[i]), "",
                        i == 0 || own.empty() ? std::nullopt : std::optional(own[i - 1])};
    };
    for (ShownChunk& chunk : show_chunks(reading.all.chunks, reading.ids.size(),
                                         sample_tokens_ - shown_tokens_, of_student, of_teacher)) {
      study_.sample.push_back(std::move(chunk));
    }
    shown_tokens_ += std::ssize(reading.ids);
  }

  const AlignedTeacher& aligned_;
  StudiedTeacher teacher_;
  std::int64_t sample_tokens_, shown_tokens_ = 0;
  AlignmentStudy study_;
  std::int64_t shared_ = 0, projected_ = 0;
  double rest_ = 0;
  BitSum own_, aligned_bits_, truncated_, uniform_;
  bool can_truncate_ = true;
};

}  // namespace

VocabularyOverlap vocabulary_overlap(const text::TokenBytes& student,
                                     const text::TokenBytes& teacher,
                                     const text::TokenPieces& pieces) {
  const auto ours = entries_by_bytes(student), theirs = entries_by_bytes(teacher);
  VocabularyOverlap overlap{.student_entries = student.tokenizer().vocab_size(),
                            .teacher_entries = teacher.tokenizer().vocab_size(),
                            .student_duplicates = duplicates(ours),
                            .teacher_duplicates = duplicates(theirs)};
  for (const auto& [bytes, same] : ours) {
    if (!theirs.contains(bytes)) continue;
    ++overlap.shared_byte_strings;
    overlap.shared_entries += same;
  }
  std::int64_t total = 0;
  for (std::int32_t t = 0; t < pieces.teacher_size(); ++t) {
    total += std::ssize(pieces.pieces(t));
    if (pieces.pieces(t).empty()) ++overlap.never_compared;
  }
  const std::int64_t compared = pieces.teacher_size() - overlap.never_compared;
  if (compared > 0) {
    overlap.pieces_per_entry = static_cast<double>(total) / static_cast<double>(compared);
  }
  return overlap;
}

std::vector<ShownChunk> show_alignment(const AlignedTeacher& aligned, const Example& text,
                                       std::int64_t most_tokens) {
  const AlignedSequence all = aligned.align(pack({&text})).all;
  const auto token = [](const TextEncoder& side, std::int32_t id) {
    return ShownToken{.text = shown(side, id), .note = "", .bits = {}};
  };
  return show_chunks(
      all.chunks, text.ids.size(), most_tokens,
      [&](std::size_t i) { return token(aligned.student(), text.ids[i]); },
      [&](std::size_t i) { return token(aligned.teacher(), all.teacher_ids[i]); });
}

AlignmentStudy study_alignment(const AlignedTeacher& aligned, const StudiedTeacher& teacher,
                               const std::vector<Example>& texts, std::int64_t sample_tokens,
                               const std::function<void(std::size_t)>& progress) {
  Study study(aligned, teacher, sample_tokens);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    study.add(texts[i]);
    progress(i + 1);
  }
  return study.finish();
}

}  // namespace gladius::train
