// The entries of one vocabulary as sequences of another's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>
#include <vector>

#include "gladius/models/tokenizer/token_bytes.h"

namespace gladius::text {

/// What the entries of a teacher's vocabulary are in a student's: each entry's bytes
/// (token_bytes.h) in the student's encoding, as it would be in the middle of a text, without the
/// space that some tokenizers put in front. Bytes that are not UTF-8 become the entries of single
/// bytes.
///
/// A special token has no text. Its piece is the student's added token of the same name, and the
/// teacher's "eos_token" and "bos_token" are the student's. An entry without pieces (other special
/// tokens, padding of the model's head, bytes that the student cannot write) is never compared.
///
/// Entries of the student with the same bytes ("A" and "<0x41>") count as one, the canonical one:
/// that of the lowest id. Pieces are canonical. Immutable: threads may share one.
class TokenPieces {
 public:
  using Ids = std::span<const std::int32_t>;

  /// Of two tokenizers, the student's with its directory. Errors of Tokenizer::load.
  TokenPieces(const TokenBytes& teacher, const TokenBytes& student,
              const std::filesystem::path& student_directory);
  /// From the pieces themselves, one list for each teacher entry, and the canonical id of each
  /// student entry.
  TokenPieces(const std::vector<std::vector<std::int32_t>>& pieces,
              std::vector<std::int32_t> canonical);

  std::int64_t teacher_size() const { return static_cast<std::int64_t>(begins_.size()) - 1; }
  std::int64_t student_size() const { return static_cast<std::int64_t>(canonical_.size()); }

  /// Empty for an entry without pieces, and beyond the vocabulary.
  Ids pieces(std::int32_t teacher_id) const;
  std::int32_t canonical(std::int32_t student_id) const;
  /// Entries of the student that are not canonical, each with the one that is.
  const std::vector<std::pair<std::int32_t, std::int32_t>>& twins() const { return twins_; }

  /// Teacher entries that have pieces, sorted by them: those that begin alike are neighbours.
  Ids order() const { return order_; }
  /// The part of order() whose pieces begin with `prefix`, [first, second).
  std::pair<std::size_t, std::size_t> beginning_with(Ids prefix) const;

 private:
  void index();

  std::vector<std::int32_t> pieces_;  // of all entries, one after another
  std::vector<std::uint32_t> begins_;
  std::vector<std::int32_t> canonical_;
  std::vector<std::pair<std::int32_t, std::int32_t>> twins_;
  std::vector<std::int32_t> order_;
};

}  // namespace gladius::text
