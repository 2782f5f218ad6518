#include "gladius/tensor/base/json_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <vector>

#include "gladius/models/config.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using ::testing::StartsWith;
using testing::TemporaryDirectory;

std::string nested(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += i % 2 ? "[" : "{\"k\":";
  text += "0";
  for (int i = depth; i-- > 0;) text += i % 2 ? "]" : "}";
  return text;
}

TEST(JsonFile, DeepNestingIsRefused) {
  EXPECT_EQ(parse_json(nested(200)).dump(), nested(200));
  EXPECT_THAT(message_of<FormatError>([&] { parse_json(nested(201)); }),
              StartsWith("nested more than 200 deep at byte "));
  EXPECT_THAT(message_of<FormatError>([&] { parse_json(std::string(1'000'000, '[')); }),
              StartsWith("nested more than 200 deep at byte 201"));
}

TEST(JsonFile, BracketsInStringsAndSideBySideDoNotNest) {
  const std::string brackets(1000, '[');
  EXPECT_EQ(parse_json("\"\\\"" + brackets + "\"").get<std::string>(), "\"" + brackets);
  EXPECT_EQ(parse_json("[\"\\\\\",\"" + brackets + "\"]").size(), 2u);
  std::string row = "[[]";
  for (int i = 0; i < 1000; ++i) row += ",{}";
  EXPECT_EQ(parse_json(row + "]").size(), 1001u);
}

TEST(JsonFile, NumbersBeyondJsonAreTakenAsPythonsJsonTakesThem) {
  const auto json = parse_json(
      R"({"a": NaN, "b": [Infinity, -Infinity, 1e999, -1E+999, 1.5e3, -0.5], "NaN": "NaN, 1e999 \" Infinity"})");
  EXPECT_TRUE(std::isnan(json["a"].get<double>()));
  EXPECT_EQ(json["b"].get<std::vector<double>>(),
            (std::vector<double>{INFINITY, -INFINITY, INFINITY, -INFINITY, 1500, -0.5}));
  EXPECT_EQ(json["NaN"], "NaN, 1e999 \" Infinity");
  for (const char* wrong : {"nan", "NaN1", "-NaN", "+Infinity", "[NaN", "{NaN: 1}", "0x1p99999",
                            "1e999x", "Inf", "[1 NaN]"}) {
    EXPECT_THROW(parse_json(wrong), FormatError) << wrong;
  }
}

TEST(JsonFile, NotFiniteNumbersAreRefusedWhereANumberIsNeeded) {
  const std::string sizes =
      R"("architectures": ["LlamaForCausalLM"], "vocab_size": 8, "hidden_size": 4,
         "intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1)";
  const auto config = [&](const std::string& more) {
    return ModelConfig::parse(parse_json("{" + sizes + ", " + more + "}"), "config.json");
  };
  EXPECT_EQ(config(R"("nobody": NaN, "reads": [1e999])").hidden_size, 4);
  EXPECT_EQ(config(R"("max_position_embeddings": 64.0)").max_position_embeddings, 64);
  for (const char* type : {"\"auto\"", "\"torch.float16\"", "null"}) {
    EXPECT_NO_THROW(config(std::string("\"torch_dtype\": ") + type)) << type;
  }
  for (const char* more :
       {R"("rms_norm_eps": NaN)", R"("rope_theta": 1e999)", R"("max_position_embeddings": NaN)",
        R"("bos_token_id": Infinity)", R"("eos_token_id": [NaN])", R"("bos_token_id": 2147483648)",
        R"("eos_token_id": [1, 4294967296])", R"("max_position_embeddings": 64.5)",
        R"("initializer_range": -Infinity)"}) {
    EXPECT_THROW(config(more), ConfigError) << more;
  }
  EXPECT_THAT(message_of<ConfigError>([&] { config(R"("rms_norm_eps": NaN)"); }),
              HasSubstr("\"rms_norm_eps\" is nan"));
}

TEST(JsonFile, MessagesCarryNoNameOfTheParserAndNoLongText) {
  const std::string message =
      message_of<FormatError>([&] { parse_json("{\"" + std::string(5000, 'x') + "\n"); });
  EXPECT_THAT(message,
              AllOf(StartsWith("not valid JSON: "), ::testing::Not(HasSubstr("json.exception"))));
  EXPECT_LE(message.size(), 230u);
}

TEST(JsonFile, ErrorsNameTheFile) {
  const TemporaryDirectory directory;
  const auto error = [&](const std::string& text) {
    testing::write_file(directory / "file", text);
    return message_of<FormatError>([&] { read_json_file(directory / "file"); });
  };
  EXPECT_THAT(error("{\"a\": "), StartsWith((directory / "file").string() + ": not valid JSON: "));
  EXPECT_THAT(error("\"\xff\""), HasSubstr("not valid JSON"));
  EXPECT_THAT(error(nested(201)), StartsWith((directory / "file").string() + ": nested more"));
}

// Opening a pipe would wait for a writer.
TEST(JsonFile, PipesInAModelDirectoryAreRefused) {
  const TemporaryDirectory directory;
  for (const char* name : {"config.json", "tokenizer.json"}) {
    ASSERT_EQ(::mkfifo((directory / name).c_str(), 0600), 0);
  }
  EXPECT_THAT(message_of<IoError>([&] { ModelConfig::load(directory.path()); }),
              AllOf(HasSubstr("/config.json"), HasSubstr("not a regular file")));
  EXPECT_THAT(message_of<IoError>([&] { text::Tokenizer::load(directory.path()); }),
              AllOf(HasSubstr("/tokenizer.json"), HasSubstr("not a regular file")));
}

}  // namespace
}  // namespace gladius
