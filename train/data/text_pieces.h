// A .txt file, cut into pieces.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gladius/train/data/example_parser.h"
#include "gladius/train/data/example_source.h"

namespace gladius::train {

/// The tokens of one long text in pieces of max_seq_len (the last may be shorter), each predicting
/// on into the next.
///
/// The text is tokenized in chunks of about 64 KiB that begin at a line: behind a newline, at a
/// character that is no white space. There no token of the Llama and Qwen tokenizers joins what
/// stands on the two sides, so the ids are the whole text's. (Only where no such place comes for
/// 4 MiB a chunk ends between two characters, and the ids around it may be others.) Opening it
/// tokenizes the file once, to count, and keeps 16 bytes a chunk; reading a piece tokenizes its
/// chunk again, unless it was the last one. IoError; FormatError "FILE: ...". Threads may share it,
/// but tokenize one after the other.
class TextPieces : public ExampleSource {
 public:
  TextPieces(std::filesystem::path file, std::shared_ptr<const ExampleParser> parser,
             std::uint64_t chunk_bytes = std::uint64_t{64} << 10);

  std::int64_t size() const override;
  Example read(std::int64_t index) const override;

 private:
  using Ids = std::vector<std::int32_t>;
  struct Chunk {
    std::uint64_t begin;       // bytes
    std::int64_t first_token;  // of all the file's
  };

  void build_index();
  void find_special_tokens();
  std::uint64_t chunk_end(std::uint64_t begin) const;
  Ids encode(std::uint64_t begin, std::uint64_t end) const;
  std::string text(std::uint64_t begin, std::uint64_t end) const;
  Ids tokens(std::int64_t begin, std::int64_t end) const;
  const Ids& chunk(std::size_t index) const;

  std::filesystem::path file_;
  std::shared_ptr<const ExampleParser> parser_;
  std::uint64_t chunk_bytes_;
  std::uint64_t file_size_ = 0;
  Ids prefix_, suffix_, newline_;  // the post-processor's tokens; a line's end alone
  std::vector<Chunk> chunks_;      // and the end
  mutable std::mutex reading_;     // held for the last chunk
  mutable Ids last_ids_;
  mutable std::size_t last_chunk_ = static_cast<std::size_t>(-1);
};

}  // namespace gladius::train
