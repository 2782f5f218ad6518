// Two tokenizers' readings of the same text, side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "gladius/models/tokenizer/encoding.h"
#include "gladius/models/tokenizer/token_pieces.h"
#include "gladius/models/tokenizer/token_places.h"

namespace gladius::text {

/// One tokenizer's reading of a text.
struct TokenizedText {
  std::vector<std::int32_t> ids;
  std::vector<TokenPlace> places;  // of the ids
  /// The parts that both readings have, in order: all of a plain text, a conversation's contents.
  std::vector<ByteSpan> contents;
};

/// What a teacher has to say at a student's position, which is named by its row: row i has read the
/// tokens 0 .. i and predicts token i + 1. A teacher's rows are numbered likewise.
struct AlignedRow {
  /// The teacher's row that has read the same text up to its last boundary at or before the
  /// student's; -1: there is none, the position is not compared.
  std::int32_t teacher_row = -1;
  /// How many of the student's last tokens lie behind that boundary.
  std::int32_t emitted = 0;
  /// The student's next token in the text, canonical; -1: not known.
  std::int32_t next = -1;
  /// The teacher's tokens [chain_begin, chain_end) that spell `next`, if several do.
  std::int32_t chain_begin = 0, chain_end = 0;
  /// The tokens that end the content on each side, which mean the same; -1: none.
  std::int32_t teacher_end = -1, student_end = -1;
};

/// The rows of the student's reading. Contents are compared one by one, and both readings must have
/// the same bytes there; a token that crosses a content's border, or whose bytes are not the
/// text's, leaves the positions around it without a teacher, and so does a place where the student
/// cuts the text otherwise than the teacher's token alone. `is_special` says of a teacher's token
/// that it is no text, so that it can end a content.
std::vector<AlignedRow> align(const TokenizedText& student, const TokenizedText& teacher,
                              const TokenPieces& pieces,
                              const std::function<bool(std::int32_t)>& is_special);

/// Tokens of both readings that spell the same piece of the text, between two borders that both
/// have and without another such border within: the student's [begin, end) and the teacher's.
struct AlignedChunk {
  std::int32_t student_begin, student_end, teacher_begin, teacher_end;
};

/// The chunks of the contents, in order. The tokens that end a content on each side are one. Tokens
/// whose bytes are not the text's are in none, and so is the first token of a reading, which
/// nothing predicts.
std::vector<AlignedChunk> align_chunks(const TokenizedText& student, const TokenizedText& teacher,
                                       const std::function<bool(std::int32_t)>& is_special);

/// Positions with a teacher.
std::int64_t count_aligned(const std::vector<AlignedRow>& rows);

}  // namespace gladius::text
