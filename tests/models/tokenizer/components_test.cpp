// Normalizers, pre-tokenizers, post-processors and decoders, each alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/models/tokenizer/decoders.h"
#include "gladius/models/tokenizer/normalizers.h"
#include "gladius/models/tokenizer/post_processors.h"
#include "gladius/models/tokenizer/pre_tokenizers.h"
#include "gladius/tensor/error.h"

namespace gladius {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Strings = std::vector<std::string>;

std::string normalized(const char* component, const std::string& text) {
  return make_normalizer(json::parse(component))(AlignedText::from_source(text, false)).bytes();
}

Strings words(const char* component, const std::string& text, bool at_start = true) {
  const Words words = make_pre_tokenizer(json::parse(component))(
      {AlignedText::from_source(text, true), {{0, text.size()}}, at_start});
  Strings out;
  for (const auto& [begin, end] : words.ranges) {
    out.push_back(words.text.bytes().substr(begin, end - begin));
  }
  return out;
}

std::string decoded(const char* component, const Strings& tokens) {
  TokenList list;
  for (const std::string& token : tokens) list.push_back(token);
  make_decoder(json::parse(component))(list);
  return list.bytes;
}

TEST(Normalizers, DoWhatTheirNamesSay) {
  EXPECT_EQ(normalized(R"({"type":"Prepend","prepend":"_"})", "a"), "_a");
  EXPECT_EQ(normalized(R"({"type":"Prepend","prepend":"_"})", ""), "");
  EXPECT_EQ(normalized(R"({"type":"Replace","pattern":{"String":"a."},"content":"-"})", "a.ab"),
            "-ab");
  EXPECT_EQ(normalized(R"({"type":"Replace","pattern":{"Regex":"a."},"content":"-"})", "a.ab"),
            "--");
  EXPECT_EQ(normalized(R"({"type":"Sequence","normalizers":[{"type":"NFC"},
                           {"type":"Replace","pattern":{"String":"é"},"content":"e"}]})",
                       "e\u0301"),
            "e");
}

TEST(PreTokenizers, SplitHasFiveBehaviours) {
  const auto split = [](const std::string& behavior, bool invert) {
    const json component{{"type", "Split"},
                         {"pattern", {{"String", "-"}}},
                         {"behavior", behavior},
                         {"invert", invert}};
    return words(component.dump().c_str(), "a-b--c");
  };
  EXPECT_THAT(split("Isolated", false), ElementsAre("a", "-", "b", "-", "-", "c"));
  EXPECT_THAT(split("Removed", false), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split("Removed", true), ElementsAre("-", "-", "-"));
  EXPECT_THAT(split("MergedWithPrevious", false), ElementsAre("a-", "b-", "-", "c"));
  EXPECT_THAT(split("MergedWithNext", false), ElementsAre("a", "-b", "-", "-c"));
  EXPECT_THAT(split("Contiguous", false), ElementsAre("a", "-", "b", "--", "c"));
}

TEST(PreTokenizers, MetaspaceAndByteLevel) {
  const char* first =
      R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true})";
  EXPECT_THAT(words(first, "a  b"), ElementsAre("▁a", "▁", "▁b"));
  EXPECT_THAT(words(first, "a b", false), ElementsAre("a", "▁b"));
  EXPECT_THAT(
      words(R"({"type":"Metaspace","replacement":"_","add_prefix_space":true,"split":false})",
            "a b"),
      ElementsAre("_a_b"));
  EXPECT_THAT(words(R"({"type":"ByteLevel","add_prefix_space":true,"use_regex":true})", "a\n 12é"),
              ElementsAre("Ġa", "Ċ", "Ġ12", "Ã©"));
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

TEST(PostProcessors, ByteLevelTrimsSpansAndTemplatesAddTokens) {
  const auto process = make_post_processor(json::parse(R"({"type":"Sequence","processors":[
      {"type":"ByteLevel","trim_offsets":true,"add_prefix_space":false},
      {"type":"TemplateProcessing",
       "single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],
       "special_tokens":{"<s>":{"ids":[7]}}}]})"));
  const Strings tokens{"Ġa", "ĠĠ", "b"};
  const std::function<std::string_view(std::size_t)> token = [&](std::size_t i) {
    return std::string_view(tokens[i]);
  };
  for (const bool add : {true, false}) {
    Encoding encoding{{1, 2, 3}, {{0, 2}, {2, 4}, {4, 5}}};
    process({encoding, add, " a  b", token});
    if (add) {
      EXPECT_THAT(encoding.ids, ElementsAre(7, 1, 2, 3));
      EXPECT_THAT(encoding.spans,
                  ElementsAre(ByteSpan{0, 0}, ByteSpan{1, 2}, ByteSpan{4, 4}, ByteSpan{4, 5}));
    } else {
      EXPECT_THAT(encoding.ids, ElementsAre(1, 2, 3));
    }
  }
}

template <class Make>
std::string error_of(Make make, const char* component) {
  try {
    make(json::parse(component));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Components, OthersAndMalformedOnesAreRefusedByName) {
  for (const std::string type : {"Lowercase", "NFKC", "BertNormalizer", "Precompiled", "Strip"}) {
    EXPECT_THAT(error_of(make_normalizer, json{{"type", type}}.dump().c_str()), HasSubstr(type));
  }
  for (const std::string type : {"Whitespace", "Digits", "BertPreTokenizer", "Punctuation"}) {
    EXPECT_THAT(error_of(make_pre_tokenizer, json{{"type", type}}.dump().c_str()), HasSubstr(type));
  }
  for (const std::string type : {"BertProcessing", "RobertaProcessing"}) {
    EXPECT_THAT(error_of(make_post_processor, json{{"type", type}}.dump().c_str()),
                HasSubstr(type));
  }
  for (const std::string type : {"WordPiece", "CTC", "BPEDecoder"}) {
    EXPECT_THAT(error_of(make_decoder, json{{"type", type}}.dump().c_str()), HasSubstr(type));
  }
  EXPECT_THAT(error_of(make_normalizer, "3"), HasSubstr("normalizer has no \"type\""));
  EXPECT_THAT(error_of(make_normalizer, R"({"type":"Prepend"})"), HasSubstr("\"prepend\""));
  EXPECT_THAT(
      error_of(make_normalizer, R"({"type":"Replace","pattern":{"String":""},"content":""})"),
      HasSubstr("empty pattern"));
  EXPECT_THAT(error_of(make_pre_tokenizer,
                       R"({"type":"Split","pattern":{"String":"a"},"behavior":"Kept"})"),
              HasSubstr("Kept"));
  EXPECT_THAT(error_of(make_pre_tokenizer,
                       R"({"type":"Split","pattern":{"Regex":"\\b"},"behavior":"Removed"})"),
              HasSubstr("\\b"));
  EXPECT_THAT(error_of(make_pre_tokenizer, R"({"type":"Metaspace","replacement":"ab"})"),
              HasSubstr("not one character"));
  EXPECT_THAT(error_of(make_decoder, R"({"type":"Strip","content":"","start":0,"stop":0})"),
              HasSubstr("not one character"));
  EXPECT_THAT(error_of(make_decoder, R"({"type":"Replace","pattern":{"Regex":"a"},"content":""})"),
              HasSubstr("Regex"));
  EXPECT_THAT(error_of(make_post_processor, R"({"type":"TemplateProcessing","single":[]})"),
              HasSubstr("0 times"));
}

}  // namespace
}  // namespace gladius
