#include "gladius/train/teacher/aligned_teacher.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"
#include "gladius/train/run/model_paths.h"
#include "gladius/train/teacher/message_contents.h"
#include "gladius/train/teacher/text_likelihoods.h"

namespace gladius::train {
namespace {

std::filesystem::path tokenizer_of(const ExpertConfig& expert) {
  return find_model(expert.model).paths.tokenizer;
}

// The whole characters of a text, whose first and last may be cut.
text::ByteSpan whole_characters(const std::string& text) {
  const auto is_continuation = [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
  };
  std::size_t begin = 0;
  while (begin < text.size() && is_continuation(text[begin])) ++begin;
  const std::size_t end = std::max(begin, utf8::incomplete_end(text));
  return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

// The teacher's tokens that are needed, from its first.
std::size_t needed(const std::vector<text::AlignedRow>& rows,
                   const std::vector<text::AlignedChunk>& chunks) {
  std::int32_t end = 0;
  for (const text::AlignedRow& row : rows)
    end = std::max({end, row.teacher_row + 2, row.chain_end});
  for (const text::AlignedChunk& chunk : chunks) end = std::max(end, chunk.teacher_end);
  return static_cast<std::size_t>(end);
}

// The teacher's row that has read the same text; -1: there is none.
std::int64_t border(const text::AlignedRow& row) { return row.emitted == 0 ? row.teacher_row : -1; }

// Leaves positions that do not count without a teacher, and drops the pieces that hold one.
void keep(AlignedSequence& sequence, const std::vector<bool>& counts) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (!counts[i]) sequence.rows[i].teacher_row = -1;
  }
  std::erase_if(sequence.chunks, [&](const text::AlignedChunk& chunk) {
    return std::ranges::count(counts.begin() + chunk.student_begin - 1,
                              counts.begin() + chunk.student_end - 1, false) > 0;
  });
}

}  // namespace

void throw_no_text(const std::string& expert) {
  throw ConfigError(fmt::format(
      "expert {}: data given as ids has no text that another tokenizer could read; give \"text\" "
      "or \"messages\", or a teacher with the student's tokenizer",
      expert));
}

void AlignedSequence::append(AlignedSequence other) {
  const auto ours = static_cast<std::int32_t>(rows.size());
  const auto theirs = static_cast<std::int32_t>(teacher_ids.size());
  for (text::AlignedRow row : other.rows) {
    if (row.teacher_row >= 0) row.teacher_row += theirs;
    if (row.chain_end > 0) row.chain_begin += theirs, row.chain_end += theirs;
    rows.push_back(row);
  }
  for (text::AlignedChunk chunk : other.chunks) {
    chunk.student_begin += ours, chunk.student_end += ours;
    chunk.teacher_begin += theirs, chunk.teacher_end += theirs;
    chunks.push_back(chunk);
  }
  next.insert(next.end(), other.next.begin(), other.next.end());
  teacher_ids.insert(teacher_ids.end(), other.teacher_ids.begin(), other.teacher_ids.end());
}

AlignedTeacher::AlignedTeacher(const ExpertConfig& expert,
                               std::shared_ptr<const TextEncoder> student,
                               const std::filesystem::path& student_tokenizer, double temperature,
                               Read read, LossTokens tokens)
    : name_(expert.name),
      student_(std::move(student)),
      teacher_(tokenizer_of(expert)),
      pieces_(std::make_shared<const text::TokenPieces>(
          teacher_.token_bytes(), student_->token_bytes(), student_tokenizer)),
      temperature_(temperature),
      projection_(pieces_, temperature),
      read_(std::move(read)),
      tokens_(tokens) {}

AlignedBatch AlignedTeacher::align(const Batch& batch) const {
  if (batch.given_as_ids) throw_no_text(name_);
  AlignedBatch result;
  const auto ids = batch.ids.to_vector<std::int32_t>();
  const std::vector<std::int64_t> lengths = batch.lengths();
  auto begin = ids.begin();
  for (std::size_t sequence = 0; sequence < lengths.size(); ++sequence) {
    const std::vector<std::int32_t> own(begin, begin + lengths[sequence]);
    begin += lengths[sequence];
    const auto& chat = batch.conversations.at(sequence);
    const std::int64_t prompt = batch.prompts.empty() ? 0 : batch.prompts.at(sequence);
    AlignedSequence aligned = prompt > 0 ? align_own_answer(own, prompt, *chat)
                              : chat     ? align_chat(own, *chat)
                                         : align_text(own);
    if (!aligned.teacher_ids.empty()) {
      result.of_teacher.push_back({.ids = aligned.teacher_ids, .labels = {}});
      result.of_teacher.back().labels.assign(aligned.teacher_ids.size(), kNoLabel);
      result.of_teacher.back().prompt = prompt > 0 ? 1 : 0;  // no cache has it
    }
    result.all.append(std::move(aligned));
  }
  const bool labelled_only = tokens_ == LossTokens::labelled;
  if (labelled_only || batch.has_own_answers()) keep(result.all, batch.compared(labelled_only));
  return result;
}

AlignedReading AlignedTeacher::read(const Batch& batch) const {
  AlignedBatch aligned = align(batch);
  AlignedReading reading{.all = std::move(aligned.all),
                         .ids = batch.ids.to_vector<std::int32_t>(),
                         .answer = LogitRows()};
  std::vector<const Example*> sequences;
  for (const Example& example : aligned.of_teacher) sequences.push_back(&example);
  if (!sequences.empty()) reading.answer = read_(pack(sequences));
  return reading;
}

AlignedTargets AlignedTeacher::targets(const Batch& batch) const {
  const auto reading = std::make_shared<const AlignedReading>(read(batch));
  const std::int64_t aligned = text::count_aligned(reading->all.rows);
  if (aligned == 0) return {[](const Tensor& student, std::int64_t) { return student.clone(); }, 0};
  const auto rows = [this, reading](const Tensor& student, std::int64_t begin) {
    const auto count = static_cast<std::size_t>(student.size(0));
    return projection_.targets(
        student, std::span(reading->all.rows).subspan(static_cast<std::size_t>(begin), count),
        reading->ids, begin,
        {reading->answer.logits, reading->all.teacher_ids, reading->answer.text});
  };
  return {rows, aligned};
}

AlmTargets AlignedTeacher::likelihoods(const Batch& batch) const {
  const AlignedReading reading = read(batch);
  AlmTargets targets{.tokens = Tensor::from(reading.all.next, {std::ssize(reading.all.next)}),
                     .chunks = {}};
  const std::vector<text::AlignedChunk>& chunks = reading.all.chunks;
  if (chunks.empty()) return targets;
  const std::vector<double> text =
      text_log_probabilities(reading.answer, reading.all.teacher_ids, chunks.front().teacher_begin,
                             chunks.back().teacher_end, temperature_);
  for (const text::AlignedChunk& chunk : chunks) {
    const auto first = text.begin() + (chunk.teacher_begin - chunks.front().teacher_begin);
    targets.chunks.push_back(
        {chunk.student_begin - 1, chunk.student_end - 1,
         std::accumulate(first, first + (chunk.teacher_end - chunk.teacher_begin), 0.0)});
  }
  return targets;
}

SharedBorders AlignedTeacher::shared_borders(const Batch& batch) const {
  const AlignedReading reading = read(batch);
  SharedBorders borders{.logits = reading.answer.logits, .rows = {}};
  for (const text::AlignedRow& row : reading.all.rows) borders.rows.push_back(border(row));
  return borders;
}

std::int64_t AlignedTeacher::compared(const Batch& batch, CrossLoss cross) const {
  const AlignedSequence all = align(batch).all;
  if (cross == CrossLoss::alm) return std::ssize(all.chunks);
  if (cross == CrossLoss::project) return text::count_aligned(all.rows);
  return std::ranges::count_if(all.rows, [](const auto& row) { return border(row) >= 0; });
}

AlignedSequence AlignedTeacher::align_text(const std::vector<std::int32_t>& ids) const {
  const text::SpelledText spelled = text::spell(ids, student_->token_bytes());
  text::SpelledText ours = text::without_added_space(spelled, ids, student_->token_bytes());
  text::ByteSpan whole = whole_characters(ours.text);
  const std::string text = ours.text.substr(whole.begin, whole.end - whole.begin);
  const text::Encoding encoding = teacher_.tokenizer().encode_with_spans(text);
  text::TokenizedText teacher{.ids = encoding.ids,
                              .places = text::token_places(encoding, text, teacher_.token_bytes()),
                              .contents = {{0, whole.end - whole.begin}}};
  const text::SpelledText theirs = text::spell(encoding.ids, teacher_.token_bytes());
  const std::size_t added = spelled.text.size() - ours.text.size();
  if (added > 0 && theirs.text == spelled.text.substr(0, whole.end + added)) {
    // Both put the same space in front, and then have the same bytes with it.
    ours = spelled;
    whole = {0, static_cast<std::uint32_t>(theirs.text.size())};
    teacher.places = theirs.places;
    teacher.contents = {whole};
  }
  text::TokenizedText student{.ids = ids, .places = std::move(ours.places), .contents = {whole}};
  return finish(std::move(student), std::move(teacher), ids.size());
}

AlignedSequence AlignedTeacher::align_chat(const std::vector<std::int32_t>& ids,
                                           const text::Conversation& chat) const {
  const TokenizedChat ours = student_->tokenize_chat(chat), theirs = teacher_.tokenize_chat(chat);
  const auto contents = shared_contents(chat, ours.rendering, theirs.rendering);
  text::TokenizedText student{
      .ids = ours.encoding.ids,
      .places = text::token_places(ours.encoding, ours.rendering.text, student_->token_bytes()),
      .contents = contents.first};
  text::TokenizedText teacher{
      .ids = theirs.encoding.ids,
      .places = text::token_places(theirs.encoding, theirs.rendering.text, teacher_.token_bytes()),
      .contents = contents.second};
  return finish(std::move(student), std::move(teacher), ids.size());
}

AlignedSequence AlignedTeacher::align_own_answer(const std::vector<std::int32_t>& ids,
                                                 std::int64_t prompt,
                                                 const text::Conversation& chat) const {
  AlignedSequence none;
  none.rows.resize(ids.size());
  none.next.resize(ids.size());
  text::SpelledText spelled = text::spell(ids, student_->token_bytes());
  const auto first = static_cast<std::size_t>(prompt);
  const auto special = std::find_if(ids.begin() + prompt, ids.end(), [this](std::int32_t id) {
    return student_->tokenizer().is_special(id);
  });
  const auto end = static_cast<std::size_t>(special - ids.begin());
  if (end == first) return none;
  const auto from = static_cast<std::size_t>(spelled.places[first].begin);
  const auto to = static_cast<std::size_t>(spelled.places[end - 1].end);
  const std::string_view all = std::string_view(spelled.text).substr(from, to - from);
  const std::string_view valid = all.substr(0, utf8::find_invalid(all));
  const std::string content(trimmed(valid));
  text::Conversation answered = chat;
  answered.messages.push_back({{"role", "assistant"}, {"content", content}});
  if (content.empty()) return none;
  const TokenizedChat theirs = teacher_.tokenize_chat(answered);
  const auto span = find_last_content(answered, theirs.rendering, content);
  if (!span) return none;
  const std::size_t begin = from + valid.find(content), ends = begin + content.size();
  // What ends the answer is known where nothing stands between.
  std::size_t kept = ends == to ? std::min(end + 1, ids.size()) : first;
  while (kept < end && static_cast<std::size_t>(spelled.places[kept].end) <= ends) ++kept;
  const auto count = static_cast<std::ptrdiff_t>(kept);
  text::TokenizedText student{
      .ids = {ids.begin(), ids.begin() + count},
      .places = {spelled.places.begin(), spelled.places.begin() + count},
      .contents = {{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(ends)}}};
  text::TokenizedText teacher{
      .ids = theirs.encoding.ids,
      .places = text::token_places(theirs.encoding, theirs.rendering.text, teacher_.token_bytes()),
      .contents = {*span}};
  return finish(std::move(student), std::move(teacher), ids.size());
}

// The student may read only the first `length` tokens, and the teacher needs no more than they do.
AlignedSequence AlignedTeacher::finish(text::TokenizedText student, text::TokenizedText teacher,
                                       std::size_t length) const {
  const auto is_special = [this](std::int32_t id) { return teacher_.tokenizer().is_special(id); };
  AlignedSequence result{.rows = text::align(student, teacher, *pieces_, is_special),
                         .next = {student.ids.begin() + 1, student.ids.end()},
                         .chunks = text::align_chunks(student, teacher, is_special),
                         .teacher_ids = {}};
  result.rows.resize(length);
  result.next.resize(length);
  std::erase_if(result.chunks, [&](const text::AlignedChunk& chunk) {
    return static_cast<std::size_t>(chunk.student_end) > length + 1;
  });
  teacher.ids.resize(std::min(teacher.ids.size(), needed(result.rows, result.chunks)));
  if (text::count_aligned(result.rows) > 0) result.teacher_ids = std::move(teacher.ids);
  return result;
}

}  // namespace gladius::train
