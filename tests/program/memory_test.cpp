// The model card's figures of memory, read from runs of the program on a student of true size.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "program/run_program.h"
#include "support/sanitizers.h"

namespace gladius {
namespace {

using testing::ProgramResult;

class StudentMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
    const ProgramResult made = testing::run_program(
        directory_.path(), {"init", "--config", GLADIUS_SOURCE_DIR "/configs/gladius-125m.json",
                            "--out", directory_ / "student"});
    ASSERT_EQ(made.code, 0) << made.err;
  }

  // Of `gladius logits` over tokens from all of the vocabulary.
  std::uint64_t peak_of_logits(std::int64_t tokens) {
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < tokens; ++i) ids.push_back(i * 7919 % 32'000);
    const ProgramResult result =
        testing::run_program(directory_.path(), {"logits", "--model", directory_ / "student",
                                                 "--ids", fmt::format("{}", fmt::join(ids, ",")),
                                                 "--out", directory_ / "logits"});
    EXPECT_EQ(result.code, 0) << result.err;
    return result.peak_bytes;
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(StudentMemory, InferenceStaysWithinTheCardsFigures) {
  EXPECT_LE(peak_of_logits(512), 600'000'000);
  EXPECT_LE(peak_of_logits(2048), 1'200'000'000);
}

// Weights are used where the file is mapped; a token touches all of them but the embeddings.
TEST_F(StudentMemory, LoadingHoldsTheFileOnce) {
  const auto file = std::filesystem::file_size(directory_ / "student" / "model.safetensors");
  EXPECT_LE(static_cast<double>(peak_of_logits(1)), 1.05 * static_cast<double>(file));
}

}  // namespace
}  // namespace gladius
