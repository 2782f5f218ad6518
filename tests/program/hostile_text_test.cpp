// Text from outside in messages: one line that a terminal can print, short, with the file's name,
// whatever files and command lines say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "gladius/tensor/base/quoted.h"
#include "program/program_fixture.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramResult;
using testing::read_file;
using testing::write_file;
using Json = nlohmann::ordered_json;

constexpr std::size_t kLongest = 600;

// Stands for bytes that a JSON writer would refuse.
constexpr const char* kBytes = "@@";

std::vector<std::string> hostile_texts() {
  return {std::string(10'000, 'x'),   "a\n\x1b[31mb\r\t",
          "\xe2\x80\xae\xe2\x80\xa8", "a\"b\\c",
          std::string("a\0b", 3),     kBytes};
}

std::string as_bytes(const Json& json) {
  std::string text = json.dump();
  for (std::size_t at = 0; (at = text.find(kBytes, at)) != std::string::npos;) {
    text.replace(at, std::strlen(kBytes), "\xe9\xff");
  }
  return text;
}

class HostileText : public testing::Program {
 protected:
  // What the program says, if anything: `file` is in its error.
  static void expect_short_lines(const ProgramResult& result, const std::string& file) {
    EXPECT_THAT(result.code, ::testing::AnyOf(0, 1)) << result.err;
    std::istringstream lines(result.err);
    int errors = 0;
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), kLongest) << line;
      EXPECT_EQ(printable(line), line);
      EXPECT_THAT(line, Not(HasSubstr("json.exception")));
      EXPECT_TRUE(line.starts_with("gladius: ")) << line;
      if (!line.starts_with("gladius: error: ")) continue;
      ++errors;
      EXPECT_THAT(line, HasSubstr(file));
    }
    EXPECT_EQ(errors, result.code);
  }

  // Puts each of the texts in the place of each key and each value of the file's object.
  void attack(const std::string& file, const Json& object,
              const std::vector<std::string>& arguments, const std::string& named) const {
    for (const auto& [key, value] : object.items()) {
      for (const std::string& text : hostile_texts()) {
        SCOPED_TRACE(::testing::Message() << file << " " << key << " " << text.substr(0, 20));
        Json other_value = object, other_key = object;
        other_value[key] = text;
        other_key.erase(key);
        other_key[text] = value;
        for (const Json& changed : {other_value, other_key}) {
          write_file(path(file.c_str()), as_bytes(changed) + "\n");
          expect_short_lines(run(arguments), named);
        }
      }
    }
  }
};

TEST_F(HostileText, ConfigJson) {
  const Json config = Json::parse(read_file(path("model/config.json")));
  attack("model/config.json", config, {"generate", model(), "--ids", "1", "--max-new-tokens", "1"},
         model());
}

TEST_F(HostileText, GenerationConfig) {
  attack("model/generation_config.json", {{"eos_token_id", {2}}, {"top_k", 3}, {"num_beams", 2}},
         {"generate", model(), "--ids", "1", "--max-new-tokens", "1"}, "generation_config.json");
}

TEST_F(HostileText, DataLines) {
  const std::vector<std::string> arguments{"eval", model(), "--data", path("data.jsonl")};
  attack("data.jsonl", {{"input_ids", {1, 2}}, {"labels", {2, 3}}, {"weight", 1}}, arguments,
         "data.jsonl:1: ");
  attack("data.jsonl", {{"input_ids", {1, 2}}, {"completion_mask", {0, 1}}}, arguments,
         "data.jsonl:1: ");
}

TEST_F(HostileText, RunFile) {
  write_file(path("data.jsonl"), "{\"input_ids\": [1, 2]}\n");
  const Json expert{{"name", "e"}, {"model", "model"}, {"steps", 1}, {"vocabulary", "same"}};
  const Json file{{"student", {{"config", "model/config.json"}}},
                  {"experts", {expert}},
                  {"data", {{"train", "data.jsonl"}}},
                  {"batch_size", 1},
                  {"log_every", 1}};
  const std::vector<std::string> arguments{"distill",   path("run.json"), "--out",
                                           path("out"), "--log-level",    "warning"};
  attack("run.json", file, arguments, "run.json");
  for (const char* key : {"name", "vocabulary", "steps"}) {
    for (const std::string& text : hostile_texts()) {
      Json changed = file;
      changed["experts"][0][key] = text;
      write_file(path("run.json"), as_bytes(changed));
      expect_short_lines(run(arguments), "run.json");
    }
  }
}

TEST_F(HostileText, NamesOfTensors) {
  const std::string file = read_file(path("model/model.safetensors"));
  std::uint64_t size = 0;
  std::memcpy(&size, file.data(), sizeof size);
  const Json header = Json::parse(file.substr(8, size));
  for (const std::string& text : hostile_texts()) {
    SCOPED_TRACE(text.substr(0, 20));
    for (const bool value : {false, true}) {
      Json changed = header;
      changed[value ? "model.norm.weight" : text] =
          value ? Json(text) : Json{{"dtype", text}, {"shape", {1}}, {"data_offsets", {0, 4}}};
      const std::string bytes = as_bytes(changed);
      const std::uint64_t length = bytes.size();
      std::string written(reinterpret_cast<const char*>(&length), sizeof length);
      write_file(path("model/model.safetensors"), written + bytes + file.substr(8 + size));
      expect_short_lines(run({"generate", model(), "--ids", "1"}), "model.safetensors");
      expect_short_lines(run({"inspect", path("model/model.safetensors")}), "model.safetensors");
    }
  }
}

TEST_F(HostileText, CommandLines) {
  for (const std::string& text : {std::string(10'000, 'x'), std::string("a\n\x1b[31mb"),
                                  std::string("\xe2\x80\xae"), std::string("caf\xe9")}) {
    const std::vector<std::vector<std::string>> lines{
        {"generate", text, "--ids", "1"},
        {"generate", model(), "--ids", text},
        {"inspect", text},
        {"distill", text},
        {"eval", model(), "--data", text},
        {"logits", model(), "--ids", "1", "--out", text + "/a"}};
    for (const auto& line : lines) {
      SCOPED_TRACE(line[0] + " " + text.substr(0, 20));
      const ProgramResult result = run(line);
      EXPECT_EQ(result.code, 1);
      EXPECT_LE(result.err.size(), 1'100u);
      EXPECT_EQ(printable(result.err.substr(0, result.err.size() - 1)) + "\n", result.err);
    }
  }
}

// CLI11 passes nan, empty text, and numbers that it cuts to its type.
TEST_F(HostileText, WhatIsNoNumberIsWrongUsage) {
  for (const char* option : {"--temperature=nan", "--temperature=", "--top-k=0x10",
                             "--max-new-tokens=9223372036854775808"}) {
    const ProgramResult result = run({"generate", model(), "--ids", "1,2", option});
    EXPECT_EQ(result.code, 2) << option;
    EXPECT_THAT(result.err, HasSubstr(" is not a ")) << option;
  }
  EXPECT_EQ(run({"generate", model(), "--ids", "1", "--seed", "-1"}).code, 2);
  EXPECT_EQ(run({"generate", model(), "--ids", "1", "--max-new-tokens=1", "--seed",
                 "18446744073709551615"})
                .code,
            0);
}

}  // namespace
}  // namespace gladius
