#include "gladius/tensor/io/safetensors_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "support/message_of.h"

namespace gladius {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using ::testing::Pair;
using ::testing::StartsWith;
using namespace std::string_literals;

StoredDtype stored(std::string_view name) { return stored_dtypes()[stored_dtype_rank(name)]; }

std::string with_length(std::uint64_t length, const std::string& rest) {
  return std::string(reinterpret_cast<const char*>(&length), 8) + rest;
}

std::string file_of(const std::string& header, std::size_t data_bytes = 0) {
  return with_length(header.size(), header) + std::string(data_bytes, 'x');
}

SafetensorsHeader parse(const std::string& file) {
  return parse_safetensors_header(std::as_bytes(std::span(file)), file.size());
}

std::string info(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

// Two bytes, [0, 2).
const std::string kInfo = info("U8", "[2]", "[0,2]");

std::string with_unknown(const std::string& value) {
  return R"({"a":{"dtype":"U8","shape":[2],"unknown":)" + value + R"(,"data_offsets":[0,2]}})";
}

std::string repeat(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

struct Malformed {
  std::string what;
  std::string file;
  std::string error;  // how the message begins
};

std::vector<Malformed> malformed_files() {
  const std::string json = "InvalidHeaderDeserialization: ";
  const std::string a = R"({"a":)";
  return {
      {"empty file", "", "HeaderTooSmall: the file has 0 bytes"},
      {"seven bytes", "1234567", "HeaderTooSmall: the file has 7 bytes"},
      {"length past 64 bits with 8", with_length(~0ull, "{}"), "HeaderTooLarge: "},
      {"length past the limit", with_length(100'000'001, "{}"),
       "HeaderTooLarge: a header of 100000001 bytes"},
      {"length at the limit", with_length(100'000'000, "{}"),
       "InvalidHeaderLength: a header of 100000000 bytes, but 2 follow"},
      {"length past the file", with_length(3, "{}"), "InvalidHeaderLength: "},
      {"a byte that is not UTF-8", file_of("{\"\xff\":1}"), "InvalidHeader: "},
      {"overlong UTF-8", file_of("{\"\xc0\x80\":" + kInfo + "}", 2), "InvalidHeader: "},
      {"a surrogate in UTF-8", file_of("{\"\xed\xa0\x80\":" + kInfo + "}", 2), "InvalidHeader: "},
      {"past U+10FFFF", file_of("{\"\xf4\x90\x80\x80\":" + kInfo + "}", 2), "InvalidHeader: "},
      {"no header", with_length(0, ""), json + "no JSON"},
      {"an array", file_of("[{}]"), json + "the header is an array, expected an object"},
      {"null", file_of("null"), json + "the header is null"},
      {"a number", file_of("1"), json + "the header is a number"},
      {"byte order mark", file_of("\xEF\xBB\xBF{}"), json + "a byte order mark"},
      {"padded with NUL", file_of("{}\0\0"s), json + "no JSON at byte 3"},
      {"trailing text", file_of("{}x"), json + "no JSON at byte 3"},
      {"trailing comma", file_of(a + kInfo + ",}", 2), json + "no JSON"},
      {"unfinished", file_of(a + kInfo, 2), json + "no JSON"},
      {"comment", file_of("{/**/}"), json + "no JSON"},
      {"control character", file_of("{\"\x01\":" + kInfo + "}", 2), json + "no JSON"},
      {"lone surrogate", file_of(R"({"\ud800":)" + kInfo + "}", 2), json + "no JSON"},
      {"lone low surrogate", file_of(R"({"\udc00":)" + kInfo + "}", 2), json + "no JSON"},
      {"number out of range", file_of(with_unknown("1e999"), 2), json + "no JSON"},
      {"NaN", file_of(with_unknown("NaN"), 2), json + "no JSON"},
      {"nested too deep", file_of(with_unknown(repeat("[", 126) + repeat("]", 126)), 2),
       json + "nested more than 127 deep"},
      {"nested to break a stack", file_of(with_unknown(repeat("[", 1'000'000))),
       json + "nested more than 127 deep"},
      {"tensor twice", file_of(a + kInfo + R"(,"\u0061":)" + kInfo + "}", 2),
       json + R"("a" occurs twice)"},
      {"metadata twice", file_of(R"({"__metadata__":{},"__metadata__":{}})"),
       json + R"("__metadata__" occurs twice)"},
      {"metadata key twice", file_of(R"({"__metadata__":{"k":"v","k":"w"}})"),
       json + R"(metadata "k" occurs twice)"},
      {"metadata array", file_of(R"({"__metadata__":[]})"), json + R"("__metadata__" is an array)"},
      {"metadata number", file_of(R"({"__metadata__":{"k":1}})"),
       json + R"(metadata "k" is a number, expected a string)"},
      {"metadata null", file_of(R"({"__metadata__":{"k":null}})"),
       json + R"(metadata "k" is null, expected a string)"},
      {"metadata object", file_of(R"({"__metadata__":{"k":{}}})"),
       json + R"(metadata "k" is an object, expected a string)"},
      {"tensor number", file_of(R"({"a":1})"), json + R"("a" is a number, expected an object)"},
      {"tensor null", file_of(R"({"a":null})"), json + R"("a" is null, expected an object)"},
      {"tensor array", file_of(R"({"a":["U8",[2],[0,2]]})", 2), json + R"("a" is an array)"},
      {"no dtype", file_of(R"({"a":{"shape":[2],"data_offsets":[0,2]}})", 2),
       json + R"(tensor "a" has no dtype)"},
      {"no shape", file_of(R"({"a":{"dtype":"U8","data_offsets":[0,2]}})", 2),
       json + R"(tensor "a" has no shape)"},
      {"no offsets", file_of(R"({"a":{"dtype":"U8","shape":[2]}})", 2),
       json + R"(tensor "a" has no data_offsets)"},
      {"dtype twice", file_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[2]}})", 2),
       json + R"(tensor "a": dtype occurs twice)"},
      {"unknown dtype", file_of(a + info("u8", "[2]", "[0,2]") + "}", 2),
       json + R"(tensor "a": unknown dtype "u8")"},
      {"dtype number", file_of(R"({"a":{"dtype":1,"shape":[2],"data_offsets":[0,2]}})", 2),
       json + R"(tensor "a": dtype is a number, expected a string)"},
      {"negative size", file_of(a + info("U8", "[-2]", "[0,2]") + "}", 2),
       json + R"(tensor "a": a negative number in shape)"},
      {"minus zero", file_of(a + info("U8", "[-0]", "[0,0]") + "}"),
       json + R"(tensor "a": a negative number in shape)"},
      {"fractional size", file_of(a + info("U8", "[2.0]", "[0,2]") + "}", 2),
       json + R"(tensor "a": a floating-point number in shape)"},
      {"nested shape", file_of(a + info("U8", "[[2]]", "[0,2]") + "}", 2),
       json + R"(tensor "a": an array in shape)"},
      {"shape null", file_of(a + info("U8", "null", "[0,2]") + "}", 2),
       json + R"(tensor "a": shape is null, expected an array)"},
      {"one offset", file_of(a + info("U8", "[2]", "[0]") + "}", 2),
       json + R"(tensor "a": data_offsets of 1 numbers instead of 2)"},
      {"three offsets", file_of(a + info("U8", "[2]", "[0,2,3]") + "}", 2),
       json + R"(tensor "a": data_offsets of 3 numbers instead of 2)"},
      {"offset past 64 bits", file_of(a + info("U8", "[2]", "[0,18446744073709551616]") + "}", 2),
       json + R"(tensor "a": a floating-point number in data_offsets)"},
      {"offsets reversed", file_of(a + info("U8", "[2]", "[2,0]") + "}", 2),
       R"(InvalidOffset("a"): data_offsets [2, 0] where the data before it ends at 0)"},
      {"hole at the start", file_of(a + info("U8", "[2]", "[1,3]") + "}", 3),
       R"(InvalidOffset("a"))"},
      {"hole", file_of(a + kInfo + R"(,"b":)" + info("U8", "[2]", "[3,5]") + "}", 5),
       R"(InvalidOffset("b"): data_offsets [3, 5] where the data before it ends at 2)"},
      {"overlap", file_of(a + kInfo + R"(,"b":)" + info("U8", "[2]", "[1,3]") + "}", 3),
       R"(InvalidOffset("b"))"},
      {"shared bytes", file_of(a + kInfo + R"(,"b":)" + kInfo + "}", 2), R"(InvalidOffset("b"))"},
      {"shape and offsets differ", file_of(a + info("U8", "[3]", "[0,2]") + "}", 2),
       R"(TensorInvalidInfo("a"): U8 [3] takes 3 bytes, but data_offsets [0, 2] hold 2)"},
      {"dtype and offsets differ", file_of(a + info("F32", "[2]", "[0,2]") + "}", 2),
       R"(TensorInvalidInfo("a"): F32 [2] takes 8 bytes)"},
      {"product overflows", file_of(a + info("U8", "[9223372036854775807,4]", "[0,2]") + "}", 2),
       R"(ValidationOverflow("a"))"},
      {"product overflows to 0", file_of(a + info("U8", "[4294967296,4294967296]", "[0,0]") + "}"),
       R"(ValidationOverflow("a"))"},
      {"bits overflow", file_of(a + info("F64", "[4611686018427387904]", "[0,2]") + "}", 2),
       R"(ValidationOverflow("a"))"},
      {"bits overflow to 0", file_of(a + info("U8", "[2305843009213693952]", "[0,0]") + "}"),
       R"(ValidationOverflow("a"))"},
      {"strides overflow", file_of(a + info("U8", "[0,9223372036854775807,4]", "[0,0]") + "}"),
       R"(ValidationOverflow("a"))"},
      {"size past 63 bits", file_of(a + info("U8", "[9223372036854775808]", "[0,0]") + "}"),
       R"(ValidationOverflow("a"))"},
      {"half a byte", file_of(a + info("F4", "[3]", "[0,2]") + "}", 2),
       R"(MisalignedSlice("a"): F4 [3] takes 12 bits)"},
      {"six bits", file_of(a + info("F6_E3M2", "[3]", "[0,3]") + "}", 3),
       R"(MisalignedSlice("a"))"},
      {"a byte too many", file_of(a + kInfo + "}", 3),
       "MetadataIncompleteBuffer: the tensors take 2 bytes, but 3 follow"},
      {"a byte too few", file_of(a + kInfo + "}", 1),
       "MetadataIncompleteBuffer: the tensors take 2 bytes, but 1 follow"},
      {"the second tensor cut off",
       file_of(a + kInfo + R"(,"b":)" + info("U8", "[2]", "[2,4]") + R"(,"c":)" +
                   info("U8", "[2]", "[4,6]") + "}",
               3),
       "MetadataIncompleteBuffer: the tensors take 6 bytes, but 3 follow the header (is the file "
       R"(truncated? "b" ends at 4))"},
      {"syntax error in a tensor", file_of(a + R"({"dtype":"U8","shape":[02]}})", 2),
       json + R"(no JSON at byte 30 of the header, in tensor "a")"},
      {"far past the file",
       file_of(a + info("U8", "[2305843009213693951]", "[0,2305843009213693951]") + "}"),
       "MetadataIncompleteBuffer: "},
  };
}

TEST(SafetensorsHeader, NamesWhatIsWrongWithMalformedFiles) {
  for (const Malformed& malformed : malformed_files()) {
    SCOPED_TRACE(malformed.what);
    EXPECT_THAT(message_of<FormatError>([&] { parse(malformed.file); }),
                StartsWith(malformed.error));
  }
}

TEST(SafetensorsHeader, TakesWhatTheReferenceTakes) {
  EXPECT_TRUE(parse(file_of("{}")).entries.empty());
  EXPECT_TRUE(parse(file_of(" {}\n\t\r ")).entries.empty());
  EXPECT_TRUE(parse(file_of(R"({"__metadata__":null})")).metadata.empty());
  EXPECT_EQ(
      parse(file_of(with_unknown(R"({"dtype":[1,-1,1.5,true,null,"x",{}]})"), 2)).entries[0].end,
      2u);
  EXPECT_EQ(parse(file_of(with_unknown(repeat("[", 125) + repeat("]", 125)), 2)).entries.size(),
            1u);
  EXPECT_EQ(parse(file_of(R"({"":)" + kInfo + "}", 2)).entries[0].name, "");
  EXPECT_EQ(parse(file_of(R"({"\u0000":)" + kInfo + "}", 2)).entries[0].name, "\0"s);
  EXPECT_EQ(parse(file_of(R"({"\ud83d\ude00":)" + kInfo + "}", 2)).entries[0].name, "\U0001F600");
  EXPECT_EQ(parse(file_of(R"({"a":)" + info("F6_E2M3", "[4]", "[0,3]") + "}", 3)).entries[0].dtype,
            stored("F6_E2M3"));
}

TEST(SafetensorsHeader, EntriesComeInTheOrderOfTheirBytes) {
  const SafetensorsHeader header = parse(
      file_of(R"({"z":)" + info("U8", "[2]", "[2,4]") + R"(,"empty":)" +
                  info("F32", "[0,3]", "[0,0]") + R"(,"__metadata__":{"k":"v"},"m":)" + kInfo + "}",
              4));
  ASSERT_EQ(header.entries.size(), 3u);
  EXPECT_EQ(header.entries[0].name, "empty");
  EXPECT_THAT(header.entries[0].shape, ElementsAre(0, 3));
  EXPECT_EQ(header.entries[1].name, "m");
  EXPECT_EQ(header.entries[2].name, "z");
  EXPECT_EQ(header.entries[2].begin, 2u);
  EXPECT_THAT(header.metadata, ElementsAre(Pair("k", "v")));
}

TEST(SafetensorsHeader, MessagesStayShortWhateverTheName) {
  const std::string name(1'000'000, 'n');
  EXPECT_LT(message_of<FormatError>([&] { parse(file_of(R"({")" + name + R"(":1})")); }).size(),
            400u);
}

// Any change of one byte is either refused with a FormatError or leaves a header that holds
// together.
TEST(SafetensorsHeader, DamagedHeadersAreRefusedOrConsistent) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 gen(seed);
  const std::string good =
      file_of(R"({"__metadata__":{"format":"pt"},"b":)" + info("F32", "[2,3]", "[0,24]") +
                  R"(,"a":)" + info("U8", "[2]", "[24,26]") + "}",
              26);
  ASSERT_EQ(parse(good).entries.size(), 2u);
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = good;
    for (unsigned i = 0; i <= gen() % 2; ++i) {
      damaged[gen() % (good.size() - 26)] = static_cast<char>(gen() % 3 ? 32 + gen() % 95 : gen());
    }
    try {
      for (const SafetensorsEntry& entry : parse(damaged).entries) {
        EXPECT_LE(entry.end, 26u);
        EXPECT_EQ((entry.end - entry.begin) * 8,
                  static_cast<std::uint64_t>(numel(entry.shape)) * entry.dtype.bits);
      }
    } catch (const FormatError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1'000);
}

TEST(SafetensorsLayout, IsByteForByteTheReferences) {
  // What safetensors 0.8.0 serializes for these names and {"b\n": "c\t"}, plus the format.
  const SafetensorsLayout layout = plan_safetensors(
      {{"\0\1\b\t\n\v\f\r\x1b\x1f \"\\/\x7f\u0080\u00e9\u2028\U0001F600\uffff"s, stored("U8"), {}}},
      {{"b\n", "c\t"}});
  const std::string json = R"({"__metadata__":{"b\n":"c\t","format":"pt"},)"
                           R"("\u0000\u0001\b\t\n\u000b\f\r\u001b\u001f \"\\/)"
                           "\x7f\u0080\u00e9\u2028\U0001F600\uffff"
                           R"(":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})";
  const std::string padded = json + std::string((8 - json.size() % 8) % 8, ' ');
  EXPECT_EQ(layout.header, with_length(padded.size(), padded));
  EXPECT_EQ(layout.file_size, 8 + padded.size() + 1);
}

TEST(SafetensorsLayout, OrdersByDtypeThenNameAndPadsToEight) {
  const SafetensorsLayout layout = plan_safetensors({{"b", stored("U8"), {3}},
                                                     {"model.layers.2.", stored("F32"), {1, 2}},
                                                     {"z", stored("BOOL"), {1}},
                                                     {"model.layers.10.", stored("F32"), {0}},
                                                     {"four", stored("F4"), {2, 5}},
                                                     {"last", stored("U64"), {}}});
  EXPECT_THAT(
      layout.header.substr(8),
      StartsWith(
          R"({"__metadata__":{"format":"pt"},"last":{"dtype":"U64","shape":[],"data_offsets":[0,8]},)"
          R"("model.layers.10.":{"dtype":"F32","shape":[0],"data_offsets":[8,8]},)"
          R"("model.layers.2.":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},)"
          R"("b":{"dtype":"U8","shape":[3],"data_offsets":[16,19]},)"
          R"("four":{"dtype":"F4",)"));
  EXPECT_THAT(layout.order, ElementsAre(5, 3, 1, 0, 4, 2));
  EXPECT_EQ(layout.header.size() % 8, 0u);
  EXPECT_EQ(layout.file_size, layout.header.size() + 8 + 8 + 3 + 5 + 1);
  // The order of safetensors 0.8.0, found by letting it write one tensor of each.
  std::string names;
  for (const StoredDtype& dtype : stored_dtypes()) names += std::string(dtype.name) + " ";
  EXPECT_EQ(names,
            "BOOL F4 F6_E2M3 F6_E3M2 U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 U16 "
            "F16 BF16 I32 U32 F32 C64 F64 I64 U64 ");
}

TEST(SafetensorsLayout, StudentTakesTheModelCardsBytes) {
  std::vector<SafetensorsSpec> specs;
  const auto add = [&](const std::string& name, const Shape& shape) {
    specs.push_back({name, stored("F32"), shape});
  };
  add("lm_head.weight", {32'000, 768});
  add("model.embed_tokens.weight", {32'000, 768});
  add("model.norm.weight", {768});
  for (int i = 0; i < 12; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    add(layer + "input_layernorm.weight", {768});
    add(layer + "post_attention_layernorm.weight", {768});
    for (const std::string name : {"q", "o"})
      add(layer + "self_attn." + name + "_proj.weight", {768, 768});
    for (const std::string name : {"k", "v"})
      add(layer + "self_attn." + name + "_proj.weight", {256, 768});
    for (const std::string name : {"gate", "up"})
      add(layer + "mlp." + name + "_proj.weight", {2048, 768});
    add(layer + "mlp.down_proj.weight", {768, 2048});
  }
  EXPECT_EQ(specs.size(), 111u);
  EXPECT_EQ(plan_safetensors(specs).file_size, 498'687'008u);
  EXPECT_EQ(plan_safetensors(specs).header.size(), 12'320u);
}

TEST(SafetensorsLayout, KeepsAGivenFormat) {
  EXPECT_THAT(plan_safetensors({}, {{"format", "np"}}).header, HasSubstr(R"({"format":"np"})"));
}

TEST(SafetensorsLayout, RefusesWhatCouldNotBeReadBack) {
  const auto failure = [](const std::vector<SafetensorsSpec>& specs) {
    return message_of<FormatError>([&] { plan_safetensors(specs); });
  };
  const SafetensorsSpec a{"a", stored("F32"), {1}};
  EXPECT_THAT(failure({a, {"a", stored("U8"), {}}}), HasSubstr(R"("a": the name is taken)"));
  EXPECT_THAT(failure({{"__metadata__", stored("U8"), {}}}), HasSubstr("the name is taken"));
  EXPECT_THAT(failure({{"\xff", stored("U8"), {}}}), StartsWith("InvalidHeader: "));
  EXPECT_THAT(failure({{"a", stored("F4"), {3}}}), StartsWith(R"(MisalignedSlice("a"))"));
  EXPECT_THAT(failure({{"a", stored("U8"), {-1}}}), StartsWith(R"(TensorInvalidInfo("a"))"));
  EXPECT_THAT(failure({{"a", stored("F64"), {1LL << 62}}}),
              StartsWith(R"(ValidationOverflow("a"))"));
  std::vector<SafetensorsSpec> large;
  for (const char* name : {"b", "c", "d", "e"}) large.push_back({name, stored("U8"), {1LL << 60}});
  EXPECT_EQ(plan_safetensors(large).entries.back().end, std::uint64_t{1} << 62);
  large.push_back({"f", stored("U8"), {1}});
  EXPECT_THAT(failure(large), StartsWith(R"(ValidationOverflow("f"): the tensors up to this one)"));
  EXPECT_THAT(failure({{std::string(100'000'000, 'a'), stored("U8"), {}}}),
              StartsWith("HeaderTooLarge: "));
}

}  // namespace
}  // namespace gladius
