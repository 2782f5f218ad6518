#include "gladius/models/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "gladius/models/tokenizer/utf8.h"
#include "gladius/tensor/base/error.h"

namespace gladius::text {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

const std::string kSpace = "\u2581";

// A Llama-type tokenizer.json over the letters a to e with random merges.
struct Fixture {
  json file;
  std::map<std::string, int> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;

  explicit Fixture(std::mt19937& gen) {
    add("<unk>");
    add("<s>");
    add("</s>");
    for (int byte = 0; byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte) & 0xffu);
      add(name);
    }
    std::vector<std::string> pieces{kSpace, "a", "b", "c", "d", "e"};
    for (const std::string& piece : pieces) add(piece);
    while (merges.size() < 60) {
      const std::string left = pieces[gen() % pieces.size()];
      const std::string right = pieces[gen() % pieces.size()];
      if ((left + right).size() > 10 || vocabulary.contains(left + right)) continue;
      add(left + right);
      merges.emplace_back(left, right);
      pieces.push_back(left + right);
    }
    json joined = json::array();
    for (const auto& [left, right] : merges) joined.push_back(left + " " + right);
    const auto special = [](int id, const char* text) {
      return json{{"id", id},        {"content", text}, {"single_word", false},
                  {"lstrip", false}, {"rstrip", false}, {"normalized", false},
                  {"special", true}};
    };
    file = {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", {special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")}},
            {"pre_tokenizer", nullptr}};
    file["normalizer"] = json::parse(R"({"type":"Sequence","normalizers":[
      {"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]})");
    file["post_processor"] = json::parse(R"({"type":"TemplateProcessing",
      "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
      "pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
      "special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}})");
    file["decoder"] = json::parse(R"({"type":"Sequence","decoders":[
      {"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
      {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]})");
    file["model"] = {{"type", "BPE"},
                     {"dropout", nullptr},
                     {"unk_token", "<unk>"},
                     {"continuing_subword_prefix", nullptr},
                     {"end_of_word_suffix", nullptr},
                     {"fuse_unk", true},
                     {"byte_fallback", true},
                     {"vocab", vocabulary},
                     {"merges", joined}};
  }

  void add(const std::string& token) {
    vocabulary.emplace(token, static_cast<int>(vocabulary.size()));
  }

  // The definition: merge the leftmost pair of the lowest rank until none is left.
  std::vector<std::int32_t> merged(std::vector<std::string> symbols) const {
    for (;;) {
      std::size_t best = merges.size();
      std::size_t at = 0;
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        const auto found =
            std::find(merges.begin(), merges.end(), std::pair(symbols[i], symbols[i + 1]));
        const auto rank = static_cast<std::size_t>(found - merges.begin());
        if (rank < best) best = rank, at = i;
      }
      if (best == merges.size()) break;
      symbols[at] += symbols[at + 1];
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    std::vector<std::int32_t> ids;
    for (const std::string& symbol : symbols) ids.push_back(vocabulary.at(symbol));
    return ids;
  }
};

class TokenizerTest : public ::testing::Test {
 protected:
  TokenizerTest() : seed_(std::random_device{}()), gen_(seed_), fixture_(gen_) {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ = fs::temp_directory_path() /
                 ("gladius-" + std::string(test->name()) + "-" + std::to_string(seed_));
    fs::create_directories(directory_);
  }
  ~TokenizerTest() override { fs::remove_all(directory_); }

  Tokenizer load(const json& file) {
    std::ofstream(directory_ / "tokenizer.json") << file.dump();
    return Tokenizer::load(directory_);
  }
  std::string load_error(const json& file) {
    try {
      load(file);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  unsigned seed_;
  std::mt19937 gen_;
  Fixture fixture_;
  fs::path directory_;
};

TEST_F(TokenizerTest, MergesAsTheRescanningDefinitionAndDecodesBack) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed_);
  const Tokenizer tokenizer = load(fixture_.file);
  for (int round = 0; round < 400; ++round) {
    std::string text;
    std::vector<std::string> symbols{kSpace};
    // Long words without spaces go through the queue, short ones do not.
    const std::size_t letters = round % 10 == 0 ? 5 : 6;
    for (std::size_t n = 1 + gen_() % (round % 10 == 0 ? 400 : 60); n > 0; --n) {
      const char c = "abcde "[gen_() % letters];
      text += c;
      symbols.push_back(c == ' ' ? kSpace : std::string(1, c));
    }
    EXPECT_EQ(tokenizer.encode(text, false), fixture_.merged(symbols)) << '"' << text << '"';
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

// In a word of characters c0 c1 c2 ... with a merge of each neighbouring two, those further right
// first, the pairs are counted from the word's end: no window tells where they begin.
TEST_F(TokenizerTest, LongWordsMayBeDecidedByTheirEnd) {
  constexpr int kCharacters = 40'000;
  json file = fixture_.file;
  std::vector<std::string> characters;
  for (char32_t c = 0x3400; std::ssize(characters) < kCharacters; ++c) {
    if (c < 0xD800 || c > 0xFFFF) utf8::append(characters.emplace_back(), c);
    if (c == 0xD7FF) c = 0xFFFF;
  }
  json& vocab = file["model"]["vocab"];
  file["model"]["merges"] = json::array();
  for (const std::string& character : characters) vocab[character] = vocab.size();
  for (int i = kCharacters - 2; i >= 0; --i) {
    vocab[characters[i] + characters[i + 1]] = vocab.size();
    file["model"]["merges"].push_back(characters[i] + " " + characters[i + 1]);
  }
  const Tokenizer tokenizer = load(file);
  for (const int length : {20'000, 20'001, 39'999, 40'000}) {
    std::string word;
    for (int i = 0; i < length; ++i) word += characters[i];
    std::vector<std::int32_t> expected{tokenizer.token_to_id(kSpace)};
    if (length % 2 == 1) expected.push_back(tokenizer.token_to_id(characters[0]));
    for (int i = length % 2; i < length; i += 2) {
      expected.push_back(tokenizer.token_to_id(characters[i] + characters[i + 1]));
    }
    EXPECT_EQ(tokenizer.encode(word, false), expected) << length;
  }
}

TEST_F(TokenizerTest, UnknownCharactersFallBackToAllTheirBytes) {
  const Tokenizer tokenizer = load(fixture_.file);
  const auto first = tokenizer.token_to_id("<0x00>");
  EXPECT_EQ(tokenizer.encode("\u00e9"), (std::vector<std::int32_t>{1, tokenizer.token_to_id(kSpace),
                                                                   first + 0xc3, first + 0xa9}));
  EXPECT_EQ(tokenizer.decode({first + 0xc3}), "\ufffd");
}

TEST_F(TokenizerTest, AddedTokensAreCutOutAndEachPieceGetsItsPrefix) {
  const Tokenizer tokenizer = load(fixture_.file);
  const auto a = fixture_.merged({kSpace, "a"});
  std::vector<std::int32_t> expected = a;
  expected.push_back(2);
  expected.insert(expected.end(), a.begin(), a.end());
  EXPECT_EQ(tokenizer.encode("a</s>a", false), expected);
}

TEST_F(TokenizerTest, SpansCoverTheSource) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed_);
  const Tokenizer tokenizer = load(fixture_.file);
  for (int round = 0; round < 100; ++round) {
    std::string text;
    for (std::size_t n = gen_() % 80; n > 0; --n) {
      const std::string pieces[] = {"a", "b", "c", " ", "\u00e9", "</s>", "\xff", "\U0001F642"};
      text += pieces[gen_() % std::size(pieces)];
    }
    const Encoding encoding = tokenizer.encode_with_spans(text);
    ASSERT_EQ(encoding.ids, tokenizer.encode(text));
    ASSERT_EQ(encoding.spans.size(), encoding.ids.size());
    EXPECT_EQ(encoding.spans[0], (ByteSpan{0, 0})) << "the template's token";
    std::uint32_t end = 0;
    for (std::size_t i = 1; i < encoding.spans.size(); ++i) {
      const ByteSpan span = encoding.spans[i];
      // Tokens that share a character, or the prefix and its character, share a span.
      EXPECT_TRUE(span.begin == end || span.end == end || span.begin + 1 == end) << text;
      EXPECT_LT(span.begin, span.end);
      end = span.end;
      const std::string& token = tokenizer.id_to_token(encoding.ids[i]);
      if (token == "</s>") {
        EXPECT_EQ(text.substr(span.begin, span.end - span.begin), token);
      }
    }
    EXPECT_EQ(end, text.size());
  }
}

TEST_F(TokenizerTest, InvalidBytesCountAsReplacementCharacters) {
  const Tokenizer tokenizer = load(fixture_.file);
  EXPECT_EQ(tokenizer.encode("a\xff\xe2\x82z"), tokenizer.encode("a\ufffd\ufffdz"));
}

TEST_F(TokenizerTest, MergesMayBePairs) {
  json pairs = fixture_.file;
  for (json& merge : pairs["model"]["merges"]) {
    const auto text = merge.get<std::string>();
    const std::size_t space = text.find(' ');
    merge = {text.substr(0, space), text.substr(space + 1)};
  }
  const std::string text = "abc de abcde ab eeee";
  EXPECT_EQ(load(pairs).encode(text), load(fixture_.file).encode(text));
}

TEST_F(TokenizerTest, IgnoredMergesTakeAWholeWordThatIsAToken) {
  json file = fixture_.file;
  file["model"]["vocab"]["ba" + kSpace + "c"] = 900;
  file["model"]["merges"] = json::array();  // a random one could make the word of its parts
  file["normalizer"] = file["normalizer"]["normalizers"][1];
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(load(file).encode("ba c", false), std::vector<std::int32_t>{900});
  file["model"]["ignore_merges"] = false;
  EXPECT_NE(load(file).encode("ba c", false), std::vector<std::int32_t>{900});
}

TEST_F(TokenizerTest, AddedTokensTakeSpacesAndStandAlone) {
  json file = fixture_.file;
  const auto token = [](int id, const char* text, const char* flag) {
    json entry{{"id", id}, {"content", text}, {"normalized", false}, {"special", false}};
    entry[flag] = true;
    return entry;
  };
  file["added_tokens"].insert(
      file["added_tokens"].end(),
      {token(901, "<l>", "lstrip"), token(902, "<r>", "rstrip"), token(903, "xyx", "single_word"),
       token(904, "\n", "lstrip"), token(905, "\t", "rstrip")});
  file["normalizer"] = nullptr;
  const Tokenizer tokenizer = load(file);
  const auto a = tokenizer.token_to_id("a"), b = tokenizer.token_to_id("b");
  const auto l = tokenizer.token_to_id("<l>"), r = tokenizer.token_to_id("<r>");
  EXPECT_EQ(tokenizer.encode("a \u3000<l>b", false), (std::vector<std::int32_t>{a, l, b}));
  EXPECT_EQ(tokenizer.encode("a<r> \n<l>b", false), (std::vector<std::int32_t>{a, r, l, b}));
  // White space that is a token itself, taken already.
  EXPECT_EQ(tokenizer.encode("a<r> \nb", false), (std::vector<std::int32_t>{a, r, b}));
  EXPECT_EQ(tokenizer.encode("a<r>\tb", false),
            (std::vector<std::int32_t>{a, r, tokenizer.token_to_id("\t"), b}));
  const auto spans = tokenizer.encode_with_spans("a <l>b", false).spans;
  EXPECT_EQ(spans[1], (ByteSpan{1, 5}));
  const auto holds = [&](const std::string& text) {
    const auto ids = tokenizer.encode(text, false);
    return std::ranges::count(ids, tokenizer.token_to_id("xyx")) > 0;
  };
  EXPECT_TRUE(holds("a.xyx-b"));
  EXPECT_FALSE(holds("xyxy"));
  EXPECT_FALSE(holds("\u00e9xyx"));
  EXPECT_FALSE(holds("xyx\u0301"));
}

TEST_F(TokenizerTest, AddedTokensGetTheNextIdsWhateverIsListed) {
  json file = fixture_.file;
  const int size = static_cast<int>(file["model"]["vocab"].size());
  file["added_tokens"][0]["id"] = 7;
  file["added_tokens"].push_back({{"id", 5000}, {"content", "<x>"}, {"special", true}});
  const Tokenizer tokenizer = load(file);
  EXPECT_EQ(tokenizer.token_to_id("<unk>"), 0);
  EXPECT_EQ(tokenizer.token_to_id("<x>"), size);
  EXPECT_EQ(tokenizer.vocab_size(), size + 1);
  ASSERT_EQ(tokenizer.notes().size(), 1u);
  EXPECT_THAT(tokenizer.notes()[0], AllOf(HasSubstr("<unk>"), HasSubstr("id 7"),
                                          HasSubstr("gets 0"), HasSubstr("tokenizer.json")));
}

TEST_F(TokenizerTest, AnUnknownUnkTokenIsAnErrorOnlyWhereItIsNeeded) {
  json file = fixture_.file;
  file["model"]["byte_fallback"] = false;
  file["model"]["unk_token"] = "<none>";
  const Tokenizer tokenizer = load(file);
  EXPECT_FALSE(tokenizer.encode("abc").empty());
  EXPECT_THROW(tokenizer.encode("abz"), FormatError);
}

TEST_F(TokenizerTest, CharactersMayBeLookedUpByTheirPlace) {
  const auto model = [](const char* option, const char* text, json vocab, json merges) {
    return json{{"model", {{"type", "BPE"}, {option, text}, {"vocab", vocab}, {"merges", merges}}}};
  };
  const Tokenizer prefix = load(model("continuing_subword_prefix", "##",
                                      {{"a", 0}, {"##b", 1}, {"##c", 2}, {"##bc", 3}, {"abc", 4}},
                                      json::array({"##b ##c", "a ##bc"})));
  EXPECT_EQ(prefix.encode("abc"), (std::vector<std::int32_t>{4}));
  EXPECT_EQ(prefix.encode("abb"), (std::vector<std::int32_t>{0, 1, 1}));
  const Tokenizer suffix =
      load(model("end_of_word_suffix", "</w>", {{"a", 0}, {"a</w>", 1}, {"aa</w>", 2}},
                 json::array({"a a</w>"})));
  EXPECT_EQ(suffix.encode("aaa"), (std::vector<std::int32_t>{0, 2}));
}

TEST_F(TokenizerTest, ThreadsMayShareOne) {
  const Tokenizer tokenizer = load(fixture_.file);
  const std::string text = "abc de abcde ab eeee";
  const auto expected = tokenizer.encode(text);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) wrong += tokenizer.encode(text) != expected;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(TokenizerTest, BadFilesAreRefusedByName) {
  json file = fixture_.file;
  file["normalizer"] = {{"type", "Precompiled"}};
  EXPECT_THAT(load_error(file), HasSubstr("Precompiled"));
  file = fixture_.file;
  file["model"]["type"] = "WordPiece";
  EXPECT_THAT(load_error(file), HasSubstr("WordPiece"));
  file = fixture_.file;
  file["model"]["merges"].push_back("a zzz");
  EXPECT_THAT(load_error(file), HasSubstr("zzz"));
  EXPECT_THAT(load_error(json::array()), HasSubstr("tokenizer.json"));
  for (const auto& [member, value] :
       std::map<std::string, json>{{"dropout", 0.1},
                                   {"continuing_subword_prefix", 1},
                                   {"end_of_word_suffix", json::array()},
                                   {"vocab", 3},
                                   {"merges", "a b"},
                                   {"byte_fallback", "yes"}}) {
    file = fixture_.file;
    file["model"][member] = value;
    EXPECT_THAT(load_error(file), AllOf(HasSubstr(member), HasSubstr("tokenizer.json")));
  }
  for (const json& merge : {json("a"), json("a b c"), json{"a"}, json{1, 2}, json()}) {
    file = fixture_.file;
    file["model"]["merges"].push_back(merge);
    EXPECT_THAT(load_error(file), HasSubstr("is not a pair"));
  }
  file = fixture_.file;
  file["model"]["end_of_word_suffix"] = "</w>";
  EXPECT_THAT(load_error(file), HasSubstr("byte_fallback with a prefix or suffix"));
  EXPECT_THROW(Tokenizer::load(directory_ / "missing.json"), IoError);
}

}  // namespace
}  // namespace gladius::text
