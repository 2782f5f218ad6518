#include "gladius/train/teacher/aligned_teacher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/run/model_paths.h"
#include "gladius/train/teacher/message_contents.h"

namespace gladius {
namespace {

std::filesystem::path tokenizer_of(const ExpertConfig& expert) {
  return find_model(expert.model).paths.tokenizer;
}

// The whole characters of a text, whose first and last may be cut.
ByteSpan whole_characters(const std::string& text) {
  const auto is_continuation = [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
  };
  std::size_t begin = 0;
  while (begin < text.size() && is_continuation(text[begin])) ++begin;
  const std::size_t end = std::max(begin, utf8::incomplete_end(text));
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

// The teacher's rows that rows need, from its first.
std::size_t needed(const std::vector<AlignedRow>& rows) {
  std::int32_t end = 0;
  for (const AlignedRow& row : rows) end = std::max({end, row.teacher_row + 2, row.chain_end});
  return static_cast<std::size_t>(end);
}

}  // namespace

void throw_no_text(const std::string& expert) {
  throw ConfigError(fmt::format(
      "expert {}: data given as ids has no text that another tokenizer could read; give \"text\" "
      "or \"messages\", or a teacher with the student's tokenizer",
      expert));
}

// One sequence of a batch: the student's rows, and the tokens that the teacher reads.
struct AlignedTeacher::Sequence {
  std::vector<AlignedRow> rows;
  std::vector<std::int32_t> teacher_ids;
};

AlignedTeacher::AlignedTeacher(const ExpertConfig& expert,
                               const std::filesystem::path& student_tokenizer, double temperature,
                               Read read)
    : name_(expert.name),
      student_(student_tokenizer),
      teacher_(tokenizer_of(expert)),
      pieces_(std::make_shared<const TokenPieces>(teacher_.token_bytes(), student_.token_bytes(),
                                                  student_tokenizer)),
      projection_(pieces_, temperature),
      read_(std::move(read)) {}

AlignedTargets AlignedTeacher::targets(const Batch& batch) const {
  if (batch.given_as_ids) throw_no_text(name_);
  const auto ids = batch.ids.to_vector<std::int32_t>();
  const std::vector<std::int64_t> lengths = batch.lengths();
  std::vector<AlignedRow> rows;
  std::vector<Example> read;
  std::int32_t offset = 0;  // of the teacher's rows
  auto begin = ids.begin();
  for (std::size_t sequence = 0; sequence < lengths.size(); ++sequence) {
    const std::vector<std::int32_t> own(begin, begin + lengths[sequence]);
    begin += lengths[sequence];
    const auto& chat = batch.conversations.at(sequence);
    Sequence aligned = chat ? align_chat(own, *chat) : align_text(own);
    for (AlignedRow row : aligned.rows) {
      if (row.teacher_row >= 0) row.teacher_row += offset;
      if (row.chain_end > 0) row.chain_begin += offset, row.chain_end += offset;
      rows.push_back(row);
    }
    if (aligned.teacher_ids.empty()) continue;
    offset += static_cast<std::int32_t>(aligned.teacher_ids.size());
    read.push_back({.ids = std::move(aligned.teacher_ids), .labels = {}});
    read.back().labels.assign(read.back().ids.size(), kNoLabel);
  }
  AlignedTargets targets{
      .rows = [](const Tensor& student, std::int64_t) { return student.clone(); },
      .aligned = count_aligned(rows)};
  if (targets.aligned == 0) return targets;
  std::vector<const Example*> sequences;
  TeacherReading reading;
  for (const Example& example : read) {
    sequences.push_back(&example);
    reading.ids.insert(reading.ids.end(), example.ids.begin(), example.ids.end());
  }
  reading.logits = read_(pack(sequences));
  targets.rows = [this, rows, ids, reading](const Tensor& student, std::int64_t begin) {
    const auto count = static_cast<std::size_t>(student.size(0));
    return projection_.targets(student,
                               std::span(rows).subspan(static_cast<std::size_t>(begin), count), ids,
                               begin, reading);
  };
  return targets;
}

AlignedTeacher::Sequence AlignedTeacher::align_text(const std::vector<std::int32_t>& ids) const {
  SpelledText spelled = spell(ids, student_.token_bytes());
  const ByteSpan whole = whole_characters(spelled.text);
  const std::string text = spelled.text.substr(whole.begin, whole.end - whole.begin);
  Encoding encoding = teacher_.tokenizer().encode_with_spans(text);
  TokenizedText teacher{.ids = encoding.ids,
                        .places = token_places(encoding, text, teacher_.token_bytes()),
                        .contents = {{0, whole.end - whole.begin}}};
  TokenizedText student{.ids = ids, .places = std::move(spelled.places), .contents = {whole}};
  return finish(std::move(student), std::move(teacher), ids.size());
}

AlignedTeacher::Sequence AlignedTeacher::align_chat(const std::vector<std::int32_t>& ids,
                                                    const Conversation& chat) const {
  const TokenizedChat ours = student_.tokenize_chat(chat), theirs = teacher_.tokenize_chat(chat);
  const auto contents = shared_contents(chat, ours.rendering, theirs.rendering);
  TokenizedText student{
      .ids = ours.encoding.ids,
      .places = token_places(ours.encoding, ours.rendering.text, student_.token_bytes()),
      .contents = contents.first};
  TokenizedText teacher{
      .ids = theirs.encoding.ids,
      .places = token_places(theirs.encoding, theirs.rendering.text, teacher_.token_bytes()),
      .contents = contents.second};
  return finish(std::move(student), std::move(teacher), ids.size());
}

// The student may read only the first `length` tokens, and the teacher needs no more than they do.
AlignedTeacher::Sequence AlignedTeacher::finish(TokenizedText student, TokenizedText teacher,
                                                std::size_t length) const {
  const auto is_special = [this](std::int32_t id) { return teacher_.tokenizer().is_special(id); };
  Sequence result{.rows = align(student, teacher, *pieces_, is_special), .teacher_ids = {}};
  result.rows.resize(length);
  teacher.ids.resize(std::min(teacher.ids.size(), needed(result.rows)));
  if (count_aligned(result.rows) > 0) result.teacher_ids = std::move(teacher.ids);
  return result;
}

}  // namespace gladius
