// A .txt file in pieces.
#include "gladius/train/data/text_pieces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "train/tiny_models.h"

namespace gladius::train {
namespace {

using testing::TemporaryDirectory;
using testing::write_file;

// Chunks of a few bytes and of the whole file must give the same pieces.
void expect_same_pieces(const std::filesystem::path& file, const std::filesystem::path& tokenizer,
                        const std::string& text) {
  const auto encoder = std::make_shared<const TextEncoder>(tokenizer);
  write_file(file, text);
  const auto ids = encoder->encode(text);
  for (const std::uint64_t chunk : {1, 7, 64, 1 << 20}) {
    SCOPED_TRACE(chunk);
    const auto parser = std::make_shared<const ExampleParser>(encoder, 10, LossOn::all, 1 << 20);
    const TextPieces pieces(file, parser, chunk);
    std::vector<std::int32_t> read, labels;
    for (std::int64_t i = 0; i < pieces.size(); ++i) {
      const Example piece = pieces.read(i);
      read.insert(read.end(), piece.ids.begin(), piece.ids.end());
      labels.insert(labels.end(), piece.labels.begin(), piece.labels.end());
    }
    ASSERT_EQ(read, ids);
    labels.insert(labels.begin(), ids[0]);
    ASSERT_EQ(labels.back(), kNoLabel);
    labels.pop_back();
    ASSERT_EQ(labels, ids);
  }
}

TEST(TextPieces, ATextInChunksHasTheIdsOfTheWhole) {
  const TemporaryDirectory directory;
  testing::write_tiny_tokenizer(directory / "tokenizer");
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 rng(seed);
  const char* const pieces[] = {"a",        "b",      " ",      "\n",           "\n\n", "\r\n",
                                "\t",       "abc de", "\u00e9", "\u4f60\u597d", ". ",   "\n  ",
                                "\n\u00e9", "12",     "'s",     "</s>"};
  for (int trial = 0; trial < 20; ++trial) {
    std::string text;
    for (std::int64_t i = testing::random_int(rng, 1, 200); i > 0; --i) {
      text += pieces[testing::random_int(rng, 0, std::ssize(pieces) - 1)];
    }
    SCOPED_TRACE(text);
    expect_same_pieces(directory / "text.txt", directory / "tokenizer", text);
    expect_same_pieces(directory / "text.txt",
                       std::string(GLADIUS_SOURCE_DIR) + "/configs/default/tokenizer", text);
  }
}

// The experts' own tokenizers, on the repository's documents: code, tables, names, white space.
TEST(TextPieces, ATextInChunksHasTheIdsOfTheWholeInRealVocabularies) {
  const TemporaryDirectory directory;
  const std::filesystem::path source = GLADIUS_SOURCE_DIR;
  std::string text;
  for (const char* file : {"README.md", "docs/data.md", "run", "models/tokenizer/utf8.h"}) {
    text += testing::read_file(source / file).substr(0, 1000);
  }
  for (const char* name : {"llama2", "qwen3"}) {
    const std::filesystem::path tokenizer = source / ".." / "shared/data/tokenizers" / name;
    if (!exists(tokenizer)) GTEST_SKIP() << tokenizer << " is not here: NOT TESTED with it";
    expect_same_pieces(directory / "text.txt", tokenizer, text);
  }
}

TEST(TextPieces, ATextWithoutLinesIsCutBetweenCharacters) {
  const TemporaryDirectory directory;
  testing::write_tiny_tokenizer(directory / "tokenizer");
  const auto encoder = std::make_shared<const TextEncoder>(directory / "tokenizer");
  std::string text;
  while (text.size() < (std::size_t{4} << 20) + 100) text += "\u00e9";
  write_file(directory / "text.txt", text);
  const auto parser = std::make_shared<const ExampleParser>(encoder, 1000, LossOn::all, 265);
  const TextPieces pieces(directory / "text.txt", parser);
  EXPECT_EQ(pieces.size(), static_cast<std::int64_t>(text.size() + 1 + 999) / 1000);
  EXPECT_THAT(pieces.read(pieces.size() - 1).labels.back(), kNoLabel);
}

}  // namespace
}  // namespace gladius::train
