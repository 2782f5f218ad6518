#include "gladius/models/json_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

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
  EXPECT_THAT(message_of<IoError>([&] { Tokenizer::load(directory.path()); }),
              AllOf(HasSubstr("/tokenizer.json"), HasSubstr("not a regular file")));
}

}  // namespace
}  // namespace gladius
