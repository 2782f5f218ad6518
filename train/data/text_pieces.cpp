#include "gladius/train/data/text_pieces.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"

namespace gladius::train {
namespace {

constexpr std::uint64_t kMaxChunk = std::uint64_t{4} << 20;

bool is_white_space(char c) { return std::string_view(" \t\r\n\v\f").find(c) != std::string::npos; }

// The first byte of a line at or behind `from`; npos if there is none.
std::size_t find_line(std::string_view text, std::size_t from) {
  for (std::size_t i = from; i < text.size(); ++i) {
    if (text[i - 1] == '\n' && !is_white_space(text[i])) return i;
  }
  return std::string_view::npos;
}

// The start of the character that `i` lies in.
std::size_t character_start(std::string_view text, std::size_t i) {
  while (i > 1 && (static_cast<unsigned char>(text[i]) & 0xc0u) == 0x80u) --i;
  return i;
}

}  // namespace

TextPieces::TextPieces(std::filesystem::path file, std::shared_ptr<const ExampleParser> parser,
                       std::uint64_t chunk_bytes)
    : file_(std::move(file)), parser_(std::move(parser)), chunk_bytes_(chunk_bytes) {
  try {
    build_index();
  } catch (const IoError&) {
    throw;
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", file_.string(), error.what()));
  } catch (const Error& error) {
    throw FormatError(fmt::format("{}: {}", file_.string(), error.what()));
  }
}

std::int64_t TextPieces::size() const {
  const std::int64_t length = parser_->max_seq_len();
  return (chunks_.back().first_token + length - 1) / length;
}

Example TextPieces::read(std::int64_t index) const {
  const std::int64_t begin = index * parser_->max_seq_len();
  const std::int64_t end = std::min(begin + parser_->max_seq_len() + 1, chunks_.back().first_token);
  Example piece = next_token_example(tokens(begin, end), parser_->max_seq_len());
  piece.cut_tokens = piece.cut_labels = 0;  // the next piece has them
  return piece;
}

void TextPieces::build_index() {
  find_special_tokens();
  file_size_ = size_of(open_regular_file(file_), file_);
  std::int64_t tokens = 0;
  for (std::uint64_t begin = 0; begin < file_size_;) {
    const std::uint64_t end = chunk_end(begin);
    chunks_.push_back({begin, tokens});
    tokens += static_cast<std::int64_t>(encode(begin, end).size());
    begin = end;
  }
  chunks_.push_back({file_size_, tokens});
}

// What the post-processor puts around a text.
void TextPieces::find_special_tokens() {
  const text::Tokenizer& tokenizer = parser_->encoder().tokenizer();
  const Ids plain = tokenizer.encode("a", false), whole = tokenizer.encode("a", true);
  const auto found = std::ranges::search(whole, plain);
  prefix_.assign(whole.begin(), found.begin());
  suffix_.assign(found.end(), whole.end());
  newline_ = tokenizer.encode("\n", false);
}

std::uint64_t TextPieces::chunk_end(std::uint64_t begin) const {
  if (file_size_ - begin <= chunk_bytes_) return file_size_;
  const std::uint64_t longest = std::min(begin + kMaxChunk, file_size_);
  for (std::uint64_t span = 2 * chunk_bytes_;; span *= 2) {
    const std::uint64_t end = std::min(begin + span, longest);
    const std::string ahead = text(begin, end);
    const std::size_t line = find_line(ahead, static_cast<std::size_t>(chunk_bytes_));
    if (line != std::string::npos) return begin + line;
    if (end == file_size_) return file_size_;
    if (end == longest) return begin + character_start(ahead, ahead.size() - 1);
  }
}

TextPieces::Ids TextPieces::encode(std::uint64_t begin, std::uint64_t end) const {
  const text::Tokenizer& tokenizer = parser_->encoder().tokenizer();
  Ids ids;
  if (begin == 0) {
    ids = tokenizer.encode(text(0, end), false);
    ids.insert(ids.begin(), prefix_.begin(), prefix_.end());
  } else {
    // Behind the newline before it, so that it is not taken for the start of a text (where Llama's
    // tokenizer adds a space).
    const std::string before = text(begin - 1, end);
    if (before[0] == '\n') ids = tokenizer.encode(before, false);
    const bool after_newline = !ids.empty() && ids.size() >= newline_.size() &&
                               std::equal(newline_.begin(), newline_.end(), ids.begin());
    if (after_newline) {
      ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(newline_.size()));
    } else {
      ids = tokenizer.encode(before.substr(1), false);
    }
  }
  if (end == file_size_) ids.insert(ids.end(), suffix_.begin(), suffix_.end());
  parser_->check_tokens(ids);
  return ids;
}

std::string TextPieces::text(std::uint64_t begin, std::uint64_t end) const {
  std::string bytes(static_cast<std::size_t>(end - begin), '\0');
  const std::size_t count =
      read_at(open_regular_file(file_), begin, std::as_writable_bytes(std::span(bytes)), file_);
  if (count != bytes.size()) {
    throw IoError(fmt::format("{} has become shorter since it was opened", file_.string()));
  }
  return bytes;
}

TextPieces::Ids TextPieces::tokens(std::int64_t begin, std::int64_t end) const {
  const auto after = std::ranges::upper_bound(chunks_, begin, {}, &Chunk::first_token);
  Ids ids;
  const std::lock_guard lock(reading_);
  for (auto i = static_cast<std::size_t>(after - chunks_.begin()) - 1; begin < end; ++i) {
    const std::int64_t first = chunks_[i].first_token,
                       stop = std::min(end, chunks_[i + 1].first_token);
    const Ids& all = chunk(i);
    ids.insert(ids.end(), all.begin() + (begin - first), all.begin() + (stop - first));
    begin = stop;
  }
  return ids;
}

const TextPieces::Ids& TextPieces::chunk(std::size_t index) const {
  if (index != last_chunk_) {
    Ids ids = encode(chunks_[index].begin, chunks_[index + 1].begin);
    const auto expected = chunks_[index + 1].first_token - chunks_[index].first_token;
    if (static_cast<std::int64_t>(ids.size()) != expected) {
      throw IoError(fmt::format("{} has changed since it was opened", file_.string()));
    }
    last_ids_ = std::move(ids);
    last_chunk_ = index;
  }
  return last_ids_;
}

}  // namespace gladius::train
