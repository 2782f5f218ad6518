// Llama 2's and Qwen3's tokenizers side by side.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/sanitizers.h"
#include "train/teacher/certain_teacher.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using testing::Json;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

constexpr const char* kText =
    "Line 17: na\u00efve caf\u00e9, \u4f60\u597d \U0001F600\U0001F44D and 12345 numbers.\n"
    "  def f(x):\n\treturn x**2  # done\n\n\nIt's the end, isn't it? e\u0301 (combining)";

// The tokenizers of models that people have, the student's with a template of its own.
class RealTokenizers : public ::testing::Test {
 protected:
  void SetUp() override {
    const fs::path tokenizers = fs::path(GLADIUS_SOURCE_DIR) / ".." / "shared/data/tokenizers";
    if (!exists(tokenizers)) GTEST_SKIP() << tokenizers << " is not here: NOT TESTED";
    for (const char* name : {"llama2", "qwen3"}) {
      fs::create_directories(directory_ / name);
      for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
        write_file(directory_ / name / file, read_file(tokenizers / name / file));
      }
      write_file(directory_ / name / "config.json", "{}");
    }
    Json config = Json::parse(read_file(directory_ / "llama2/tokenizer_config.json"));
    config["chat_template"] =
        "{{ bos_token }}{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + "
        "eos_token + '\n' }}{% endfor %}";
    write_file(directory_ / "llama2/tokenizer_config.json", config.dump());
  }

  std::vector<Seen> see(const std::string& name, const std::string& teacher,
                        const std::vector<Json>& lines) const {
    return see_certain(directory_ / name, directory_ / teacher, lines);
  }

  TemporaryDirectory directory_;
};

// How many of the positions have a target that is the student's next token.
double share_right(const std::vector<double>& probabilities) {
  return static_cast<double>(
             std::ranges::count_if(probabilities, [](double p) { return p > 0.999; })) /
         static_cast<double>(probabilities.size());
}

// Of a conversation the contents and their ends are compared.
TEST_F(RealTokenizers, ATeacherThatIsCertainGivesTheStudentsNextTokens) {
  const Json chat{{"messages",
                   {{{"role", "system"}, {"content", "You are a helpful assistant."}},
                    {{"role", "user"}, {"content", "What is na\u00efve? \U0001F600"}},
                    {{"role", "assistant"}, {"content", "It means simple, unaffected."}},
                    {{"role", "user"}, {"content", "Thanks"}},
                    {{"role", "assistant"}, {"content", "You are welcome!"}}}}};
  const auto seen = see("llama2", "qwen3", {Json{{"text", kText}}, chat});
  EXPECT_GT(seen[0].aligned, seen[0].positions * 9 / 10);
  EXPECT_GT(share_right(seen[0].probabilities), 0.9);
  EXPECT_GT(seen[1].aligned, 25);
  EXPECT_GT(share_right(seen[1].probabilities), 0.9);
}

TEST_F(RealTokenizers, OfTheSameTokenizerEveryTokenOfATextIsAligned) {
  if (testing::kSanitized) GTEST_SKIP() << "the test before does the same with two";
  const auto seen = see("llama2", "llama2", {Json{{"text", kText}}});
  EXPECT_EQ(seen[0].aligned, seen[0].positions);
  EXPECT_EQ(share_right(seen[0].probabilities), 1);
}

TEST_F(RealTokenizers, EntriesAreComparedByTheirBytes) {
  if (testing::kSanitized) GTEST_SKIP() << "the first test makes the same pieces";
  const text::TokenPieces pieces(text::TokenBytes(directory_ / "qwen3"),
                                 text::TokenBytes(directory_ / "llama2"), directory_ / "llama2");
  EXPECT_EQ(pieces.twins().size(), 125U);  // "<0x41>" beside "A"
  std::int64_t single = 0;
  for (std::int32_t t = 0; t < pieces.teacher_size(); ++t) {
    single += pieces.pieces(t).size() == 1 ? 1 : 0;
  }
  EXPECT_GT(single, 28000);
  const auto [first, last] = pieces.beginning_with({});
  EXPECT_EQ(last - first, pieces.order().size());
}

}  // namespace
}  // namespace gladius::train
