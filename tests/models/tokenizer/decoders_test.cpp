// Decoders, at once and with tokens as they come.
#include "gladius/models/tokenizer/decoders.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/models/tokenizer/utf8.h"
#include "support/temporary_directory.h"

namespace gladius::text {
namespace {

using nlohmann::json;
using Strings = std::vector<std::string>;

std::string decoded(const char* component, const Strings& tokens) {
  TokenList list;
  for (const std::string& token : tokens) list.push_back(token);
  make_decoder(json::parse(component))(list, /*last=*/true);
  return list.bytes;
}

TEST(Decoders, DoWhatTheirNamesSay) {
  EXPECT_EQ(decoded(R"({"type":"ByteFallback"})", {"<0xC3>", "<0xA9>", "x", "<0xC3>", "<0xe2>"}),
            "éx\ufffd\ufffd");
  EXPECT_EQ(decoded(R"({"type":"ByteLevel"})", {"ĠaÃ", "©", "Ã", "日"}), " aé\ufffd日");
  EXPECT_EQ(decoded(R"({"type":"Metaspace","replacement":"▁"})", {"▁a", "▁b"}), "a b");
  EXPECT_EQ(decoded(R"({"type":"Sequence","decoders":[{"type":"Fuse"},
                        {"type":"Strip","content":"_","start":1,"stop":2}]})",
                    {"__a", "_", "__"}),
            "_a_");
  EXPECT_EQ(decoded(R"({"type":"Strip","content":"_","start":1,"stop":0})", {"_a", "__b"}), "a_b");
}

TEST(Decoders, OfOtherModels) {
  EXPECT_EQ(decoded(R"({"type":"BPEDecoder","suffix":"</w>"})", {"a", "b</w>", "c</w>"}), "ab c");
  EXPECT_EQ(decoded(R"({"type":"WordPiece","prefix":"##","cleanup":true})",
                    {"a", "##b", "do", "n't", "."}),
            "ab don't.");
  EXPECT_EQ(decoded(R"({"type":"CTC","pad_token":"_","word_delimiter_token":"|","cleanup":true})",
                    {"a", "a", "_", "a", "|", "b"}),
            "aa b");
  EXPECT_EQ(
      decoded(R"({"type":"Replace","pattern":{"Regex":"[ab]+"},"content":"-"})", {"ab", "xa"}),
      "-x-");
}

// One token a part, as a model generates them.
Strings streamed(TokenDecoder decoder, const Strings& tokens) {
  Strings pieces;
  TokenList part;
  for (const std::string& token : tokens) {
    part = {};
    part.push_back(token);
    decoder(part, /*last=*/false);
    pieces.push_back(part.bytes);
  }
  part = {};
  decoder(part, /*last=*/true);
  pieces.push_back(part.bytes);
  return pieces;
}

TEST(Decoders, TextIsGivenOutAsSoonAsNothingCanChangeIt) {
  const json llama = json::parse(R"({"type":"Sequence","decoders":[
      {"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
      {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]})");
  EXPECT_EQ(streamed(make_decoder(llama), {"▁", "▁a", "<0xC3>", "<0xA9>", "b", "<0xFF>"}),
            (Strings{"", " a", "", "", "éb", "", "\ufffd"}));
  EXPECT_EQ(streamed(make_decoder({{"type", "ByteLevel"}}), {"Ġa", "Ã", "©Ã", "©", "ð", "Ã", "x"}),
            (Strings{" a", "", "é", "é", "", "\ufffd", "\ufffdx", ""}));
  EXPECT_EQ(streamed(join_with_spaces(), {"a", "b"}), (Strings{"a", " b", ""}));
  EXPECT_EQ(
      streamed(make_decoder({{"type", "BPEDecoder"}, {"suffix", "</w>"}}), {"a", "b</w>", "c</w>"}),
      (Strings{"", "a", "b ", "c"}));
}

// Any chain of any decoders.
TEST(Decoders, StreamedPiecesAreTheTextOfTheWhole) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 gen(seed);
  const json stages =
      json::parse(R"([{"type":"ByteFallback"}, {"type":"Fuse"}, {"type":"ByteLevel"},
      {"type":"Replace","pattern":{"String":"▁"},"content":" "},
      {"type":"Replace","pattern":{"String":"ab"},"content":""},
      {"type":"Replace","pattern":{"Regex":"[a▁]+b?"},"content":"<0xC3>"},
      {"type":"Strip","content":"a","start":2,"stop":0},
      {"type":"Strip","content":"▁","start":1,"stop":1},
      {"type":"Strip","content":"b","start":0,"stop":2},
      {"type":"Metaspace","replacement":"▁","prepend_scheme":"always"},
      {"type":"Metaspace","replacement":"▁","prepend_scheme":"never"},
      {"type":"BPEDecoder","suffix":"b"},
      {"type":"WordPiece","prefix":"#","cleanup":true},
      {"type":"CTC","pad_token":"<0xC3>","word_delimiter_token":"▁","cleanup":true}])");
  const Strings pieces{"a", "aab", "b", "▁", "▁a", "#b", "<0xC3>", "<0xA9>",  "<0xFF>",
                       "Ã", "©",   "Ġ", "é", " ",  ".",  "n't",    " do not", "日"};
  const auto random = [&](std::size_t below) { return gen() % below; };
  for (int round = 0; round < 3000; ++round) {
    json chain = json::array();
    for (std::size_t n = random(5); n > 0; --n) chain.push_back(stages[random(stages.size())]);
    Strings tokens;
    for (std::size_t n = random(12); n > 0; --n) tokens.push_back(pieces[random(pieces.size())]);
    const json component{{"type", "Sequence"}, {"decoders", chain}};
    std::string joined;
    for (const std::string& piece : streamed(make_decoder(component), tokens)) {
      EXPECT_EQ(utf8::find_invalid(piece), std::string::npos) << "half a character";
      joined += piece;
    }
    ASSERT_EQ(joined, decoded(component.dump().c_str(), tokens))
        << component << " on " << json(tokens);
  }
}

TEST(StreamDecoder, GivesWhatDecodeGivesAndBeginsAgainBehindAFlush) {
  const testing::TemporaryDirectory directory;
  testing::write_file(directory / "tokenizer.json", R"({"decoder": {"type": "ByteLevel"},
      "added_tokens": [{"id": 3, "content": "<end>", "special": true}],
      "model": {"type": "BPE", "vocab": {"Ã": 0, "©": 1, "©Ã": 2}, "merges": ["© Ã"]}})");
  const Tokenizer tokenizer = Tokenizer::load(directory.path());
  StreamDecoder stream(tokenizer);
  for (int text = 0; text < 2; ++text) {
    EXPECT_EQ(stream.push(0), "");
    for (int i = 0; i < 100; ++i) EXPECT_EQ(stream.push(2), "é");
    EXPECT_EQ(stream.push(3), "") << "special";
    EXPECT_EQ(stream.push(70), "") << "no token";
    EXPECT_EQ(stream.flush(), "\ufffd");
  }
  EXPECT_EQ(StreamDecoder(tokenizer, /*skip_special_tokens=*/false).push(3), "<end>");
}

}  // namespace
}  // namespace gladius::text
