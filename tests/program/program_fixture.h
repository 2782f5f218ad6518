// A small model, and the program run on it. For the tests of this folder.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/models/model_directory.h"
#include "program/run_program.h"
#include "support/random_models.h"
#include "support/temporary_directory.h"

namespace gladius::testing {

/// A model of random weights.
inline void save_small_model(const std::filesystem::path& directory, std::int64_t vocab_size,
                             std::uint64_t seed) {
  Rng rng(seed);
  const nlohmann::ordered_json json{{"architectures", {"LlamaForCausalLM"}},
                                    {"vocab_size", vocab_size},
                                    {"hidden_size", 16},
                                    {"intermediate_size", 20},
                                    {"num_hidden_layers", 2},
                                    {"num_attention_heads", 4},
                                    {"num_key_value_heads", 2},
                                    {"eos_token_id", 2}};
  save_model(directory, *random_model(rng, json));
}

/// One with the default student's tokenizer and chat template.
inline void save_small_chat_model(const std::filesystem::path& directory) {
  save_small_model(directory, 4096, 2);
  const std::filesystem::path tokenizer =
      std::string(GLADIUS_SOURCE_DIR) + "/configs/default/tokenizer";
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}) {
    std::filesystem::copy_file(tokenizer / name, directory / name);
  }
}

class Program : public ::testing::Test {
 protected:
  Program() { save_small_model(directory_ / "model", 40, 1); }

  std::string path(const char* name) const { return (directory_ / name).string(); }
  std::string model() const { return path("model"); }

  ProgramResult run(const std::vector<std::string>& arguments,
                    const std::string& input = "") const {
    return run_program(directory_.path(), arguments, input);
  }
  // One line, which is returned, nothing on standard output.
  std::string expect_failure(const std::vector<std::string>& arguments,
                             const std::string& what) const {
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.code, 1) << what;
    EXPECT_EQ(result.out, "") << what;
    EXPECT_THAT(result.err, ::testing::AllOf(::testing::StartsWith("gladius: error: "),
                                             ::testing::HasSubstr(what)));
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    return result.err;
  }

  TemporaryDirectory directory_;
};

}  // namespace gladius::testing
