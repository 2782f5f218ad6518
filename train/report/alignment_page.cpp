#include "gladius/train/report/alignment_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace gladius::train {
namespace {

// From 0 bits to 9 and more.
TokenColumns::Token token(const ShownToken& shown) {
  TokenColumns::Token token{.text = shown.text, .note = shown.note, .shade = 0};
  if (!shown.bits) return token;
  token.shade = static_cast<int>(std::clamp(*shown.bits, 0.0, 9.0));
  token.note =
      fmt::format("{:.2f} bits{}{}", *shown.bits, shown.note.empty() ? "" : ": ", shown.note);
  return token;
}

TokenColumns columns(const std::vector<ShownChunk>& sample) {
  TokenColumns tokens;
  for (const ShownChunk& chunk : sample) {
    TokenColumns::Column column;
    for (const ShownToken& shown : chunk.student) column.upper.push_back(token(shown));
    for (const ShownToken& shown : chunk.teacher) column.lower.push_back(token(shown));
    tokens.columns.push_back(std::move(column));
  }
  return tokens;
}

Facts text_facts(const AlignmentStudy& study) {
  Facts facts{
      {{"Bytes", std::to_string(study.bytes)},
       {"Student's tokens", std::to_string(study.student_tokens)},
       {"Teacher's tokens", std::to_string(study.teacher_tokens)},
       {"Positions with a teacher", fmt::format("{} of {}", study.aligned, study.positions)},
       {"Shared boundaries", fmt::format("{:.1f}%", 100 * study.shared_boundaries)}}};
  if (study.mean_rest)
    facts.items.emplace_back("Mean rest", fmt::format("{:.4f}", *study.mean_rest));
  return facts;
}

Table bits_table(const AlignedBits& bits) {
  Table table{.header = {"Probabilities", "Bits a byte"}, .rows = {}, .numbers_from = 1};
  const auto row = [&](const std::string& name, double value) {
    table.rows.push_back({name, fmt::format("{:.4f}", value)});
  };
  row("teacher, its own tokens", bits.teacher);
  row("teacher, through the student's vocabulary (align)", bits.aligned);
  if (bits.truncate) row("teacher, entries compared by their ids (truncate)", *bits.truncate);
  row("uniform over the student's vocabulary", bits.uniform);
  return table;
}

}  // namespace

Document alignment_page(const std::string& student, const std::string& teacher,
                        const VocabularyOverlap& overlap, const AlignmentStudy& study) {
  Document page{Heading{1, "Two vocabularies"},
                Paragraph{fmt::format("Student: {}. Teacher: {}.", student, teacher)},
                Heading{2, "Entries"},
                Facts{{{"Student's entries", std::to_string(overlap.student_entries)},
                       {"Teacher's entries", std::to_string(overlap.teacher_entries)},
                       {"Byte strings that both have", std::to_string(overlap.shared_byte_strings)},
                       {"Student's duplicates", std::to_string(overlap.student_duplicates)},
                       {"Teacher's duplicates", std::to_string(overlap.teacher_duplicates)},
                       {"Teacher's never compared", std::to_string(overlap.never_compared)},
                       {"Student's tokens a teacher's entry",
                        fmt::format("{:.3f}", overlap.pieces_per_entry)}}}};
  if (study.bytes == 0) return page;
  page.insert(page.end(), {Heading{2, "Text"}, text_facts(study)});
  if (study.bits) page.push_back(bits_table(*study.bits));
  page.insert(
      page.end(),
      {Heading{2, "Token by token"},
       Paragraph{"Above the student's tokens, below the teacher's; a column ends where both "
                 "have a border. The darker, the less likely the teacher found it. Point at "
                 "a token to see its bits and, of the student's, the entries that got most "
                 "of the teacher's probability and the rest, which is for all others."},
       columns(study.sample)});
  return page;
}

}  // namespace gladius::train
