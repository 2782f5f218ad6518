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
#include "gladius/tensor/base/error.h"

namespace gladius::text {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Strings = std::vector<std::string>;

std::string normalized(const char* component, const std::string& text) {
  return make_normalizer(json::parse(component))(AlignedText::from_source(text, false)).bytes();
}

Strings words(const char* component, const std::string& text, bool at_start = true) {
  const std::string source = at_start ? text : "x" + text;
  const AlignedText part =
      AlignedText::from_source(source, true).slice(source.size() - text.size(), source.size());
  const Words words =
      make_pre_tokenizer(json::parse(component))({part, {{0, text.size()}}, at_start});
  Strings out;
  for (const auto& [begin, end] : words.ranges) {
    out.push_back(words.text.bytes().substr(begin, end - begin));
  }
  return out;
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

TEST(Normalizers, ChangeCharactersOneByOne) {
  const char* lowercase = R"({"type":"Lowercase"})";
  EXPECT_EQ(normalized(lowercase, "İßΣΑΣÄ"), "i\u0307ßσασä");
  EXPECT_EQ(normalized(lowercase, "\uA7DA\U00010D50\uA7DC"), "\uA7DB\U00010D70\u019B");
  const char* accents =
      R"({"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"}]})";
  EXPECT_EQ(normalized(accents, "é\u0323Å한"), "eA\u1112\u1161\u11AB");
  // Marks newer than the reference's tables stay.
  EXPECT_EQ(normalized(R"({"type":"StripAccents"})", "a\u0301\u1AC1"), "a\u1AC1");
  EXPECT_EQ(normalized(R"({"type":"NFKC"})", "ﬁ①e\u0301\u32FF"), "fi1é\u32FF");
  EXPECT_EQ(normalized(R"({"type":"NFKD"})", "ﬁé"), "fie\u0301");
  EXPECT_EQ(normalized(R"({"type":"Nmt"})", "a\u0001\tb\uFEFFc\u0085"), "a b c\u0085");
  EXPECT_EQ(normalized(R"({"type":"ByteLevel"})", "é a"), "Ã©Ġa");
  const char* strip = R"({"type":"Strip","strip_left":true,"strip_right":false})";
  EXPECT_EQ(normalized(strip, " \u3000a "), "a ");
  EXPECT_EQ(normalized(strip, "  "), "");
}

TEST(Normalizers, SpansAreThoseOfTheSource) {
  const auto normalizer = make_normalizer(json::parse(
      R"({"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"},
          {"type":"Lowercase"},{"type":"Strip","strip_left":true,"strip_right":true}]})"));
  const AlignedText text = normalizer(AlignedText::from_source(" Éx ", true));
  EXPECT_EQ(text.bytes(), "ex");
  EXPECT_EQ(text.span(0, 1), (ByteSpan{1, 3}));
  EXPECT_EQ(text.span(1, 2), (ByteSpan{3, 4}));
}

TEST(PreTokenizers, CutAtKindsOfCharacters) {
  EXPECT_THAT(words(R"({"type":"Whitespace"})", "don't  go\u00B2"),
              ElementsAre("don", "'", "t", "go", "\u00B2"));
  EXPECT_THAT(words(R"({"type":"WhitespaceSplit"})", " a.b\u3000c"), ElementsAre("a.b", "c"));
  EXPECT_THAT(words(R"({"type":"BertPreTokenizer"})", "a, b$\u3002"),
              ElementsAre("a", ",", "b", "$", "\u3002"));
  EXPECT_THAT(words(R"({"type":"Punctuation"})", "a--b"), ElementsAre("a", "-", "-", "b"));
  EXPECT_THAT(words(R"({"type":"Punctuation","behavior":"Contiguous"})", "a--b"),
              ElementsAre("a", "--", "b"));
  // Punctuation newer than the reference's tables is none.
  EXPECT_THAT(words(R"({"type":"Punctuation"})", "a\u2E43b"), ElementsAre("a\u2E43b"));
  EXPECT_THAT(words(R"({"type":"Digits","individual_digits":true})", "a12½"),
              ElementsAre("a", "1", "2", "½"));
  EXPECT_THAT(words(R"({"type":"Digits","individual_digits":false})", "a12Ⅷb"),
              ElementsAre("a", "12Ⅷ", "b"));
  EXPECT_THAT(words(R"({"type":"CharDelimiterSplit","delimiter":"é"})", "aéébé"),
              ElementsAre("a", "b"));
  EXPECT_THAT(words(R"({"type":"FixedLength","length":2})", "aébcd"), ElementsAre("aé", "bc", "d"));
  // Both stem from the source's first byte.
  EXPECT_THAT(words(R"({"type":"Sequence","pretokenizers":[
                        {"type":"Metaspace","replacement":"_","split":false},
                        {"type":"Split","pattern":{"String":"_"},"behavior":"Isolated"},
                        {"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}]})",
                    "a"),
              ElementsAre("▁_", "▁a"));
  // Metaspace's "first" is the source's start, not the first word that is left.
  EXPECT_THAT(words(R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},
                        {"type":"Metaspace","replacement":"_","prepend_scheme":"first"}]})",
                    " a b"),
              ElementsAre("a", "b"));
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

TEST(PostProcessors, BertsTokensAreAroundTheText) {
  const auto process = make_post_processor(
      json::parse(R"({"type":"BertProcessing","sep":["[SEP]",8],"cls":["[CLS]",7]})"));
  Encoding encoding{{1, 2}, {{0, 1}, {1, 2}}};
  process({encoding, true, "ab", [](std::size_t) { return std::string_view("a"); }});
  EXPECT_THAT(encoding.ids, ElementsAre(7, 1, 2, 8));
  EXPECT_EQ(encoding.spans.back(), ByteSpan{});
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
  for (const std::string type : {"BertNormalizer", "Precompiled", "Strip", "Later"}) {
    EXPECT_THAT(error_of(make_normalizer, json{{"type", type}}.dump().c_str()), HasSubstr(type));
  }
  for (const std::string type : {"UnicodeScripts", "Digits", "CharDelimiterSplit", "Later"}) {
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
  EXPECT_THAT(error_of(make_decoder, R"({"type":"BPEDecoder","suffix":""})"),
              HasSubstr("empty \"suffix\""));
  EXPECT_THAT(error_of(make_pre_tokenizer, R"({"type":"FixedLength","length":0})"),
              HasSubstr("\"length\" is 0"));
  EXPECT_THAT(
      error_of(make_post_processor, R"({"type":"BertProcessing","sep":["a"],"cls":["b",1]})"),
      HasSubstr("BertProcessing"));
  EXPECT_THAT(error_of(make_post_processor, R"({"type":"TemplateProcessing","single":[]})"),
              HasSubstr("0 times"));
}

}  // namespace
}  // namespace gladius::text
