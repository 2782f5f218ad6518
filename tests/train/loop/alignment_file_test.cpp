#include "gladius/train/loop/alignment_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "train/loop/chat_run.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using testing::ChatRun;
using testing::execute;
using testing::Json;
using testing::read_file;

std::string joined(const Json& tokens) {
  std::string text;
  for (const Json& token : tokens) text += token.get<std::string>();
  return text;
}

// Without what is shown otherwise than it is: bytes that are no letters.
std::string shown(std::string text) {
  std::erase_if(text, [](char c) { return c <= ' ' || c > '~'; });
  return text;
}

// The other expert's letters are the student's with two ids exchanged, so that each letter is
// compared, and its template begins messages otherwise, which is not.
TEST(AlignmentFile, ARunSaysHowExpertsWithAnotherVocabularyRead) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng rng(seed);
  const ChatRun run(rng);
  testing::write_file(run.directory / "eval.jsonl",
                      R"({"messages": [{"role": "user", "content": "ab"},)"
                      R"({"role": "assistant", "content": "c e"}]})"
                      "\n");
  const RunConfig config = run.config({{"experts",
                                        {{{"name", "same"}, {"model", "expert"}, {"steps", 2}},
                                         {{"name", "other"}, {"model", "other"}, {"steps", 2}}}},
                                       {"data", {{"eval", "eval.jsonl"}}}});
  const fs::path whole = run.directory / "whole", out = run.directory / "out";
  execute(config, whole);
  const Json list = Json::parse(read_file(whole / "alignment.json"));
  ASSERT_EQ(list.size(), 2u);
  EXPECT_TRUE(list[0].is_null());
  EXPECT_EQ(list[1]["expert"], "other");
  EXPECT_TRUE(list[1]["step"].is_null());
  std::string compared, ours, theirs;
  for (const Json& chunk : list[1]["chunks"]) {
    ours += joined(chunk["student"]);
    theirs += joined(chunk["teacher"]);
    if (!chunk["compared"].get<bool>()) continue;
    compared += joined(chunk["student"]) + "|";
    // The end of a message is one event, whatever its token.
    EXPECT_EQ(joined(chunk["student"]), joined(chunk["teacher"]));
  }
  EXPECT_EQ(compared, "a|b|</s>|c|\u00b7|e|</s>|");
  EXPECT_EQ(ours, "<s>user:ab</s><s>assistant:c\u00b7e</s>");
  EXPECT_EQ(theirs, "[user:ab</s>[assistant:c\u00b7e</s>");

  execute(config, out, false, 3);
  fs::remove(out / "alignment.json");
  execute(config, out, true);
  EXPECT_EQ(read_file(out / "alignment.json"), read_file(whole / "alignment.json"));
}

// Of each expert what the student wrote last while it taught: also of one that begins later.
TEST(AlignmentFile, WhereThereAreSamplesTheFirstOfTheNewestIsShown) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng rng(seed);
  const ChatRun run(rng);
  const RunConfig config = run.config({{"experts",
                                        {{{"name", "first"}, {"model", "other"}, {"steps", 4}},
                                         {{"name", "same"}, {"model", "expert"}, {"steps", 2}},
                                         {{"name", "last"}, {"model", "other"}, {"steps", 3}}}},
                                       {"sample_every", 2},
                                       {"sample_prompts", {"ab", "c"}}});
  // As the file is after so many steps: the experts' samples, by the last of their steps.
  const auto expect_samples = [&](const fs::path& out, const std::vector<Json>& steps) {
    std::map<std::int64_t, std::string> answers;
    std::istringstream lines(read_file(out / "samples.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      const Json of = Json::parse(line);
      answers[of["step"].get<std::int64_t>()] = of["samples"][0]["answer"].get<std::string>();
    }
    const Json list = Json::parse(read_file(out / "alignment.json"));
    ASSERT_EQ(list.size(), steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
      SCOPED_TRACE(i);
      ASSERT_EQ(list[i].is_null(), steps[i].is_null());
      if (steps[i].is_null()) continue;
      ASSERT_EQ(list[i]["step"], steps[i]);
      std::string ours, theirs;
      for (const Json& chunk : list[i]["chunks"]) {
        ours += joined(chunk["student"]);
        theirs += joined(chunk["teacher"]);
      }
      const std::string answer = shown(answers.at(steps[i].get<std::int64_t>()));
      // What is also in the role's name is taken for it there (message_contents.h).
      if (std::string("<s>assistant:").find(answer) != std::string::npos) continue;
      // The end is not shown behind white space.
      EXPECT_THAT(shown(ours), ::testing::StartsWith("<s>user:ab</s><s>assistant:" + answer));
      EXPECT_THAT(shown(theirs), ::testing::StartsWith("[user:ab</s>[assistant:" + answer));
    }
  };
  const fs::path whole = run.directory / "whole", out = run.directory / "out";
  execute(config, whole);
  expect_samples(whole, {3, nullptr, 8});
  execute(config, out, false, 7);
  fs::remove(out / "alignment.json");
  execute(config, out, true);
  expect_samples(out, {nullptr, nullptr, 8});
}

// The last chunk may end in a token that is a label alone.
TEST(AlignmentFile, OfASequenceThatIsCutWhatIsReadIsShown) {
  testing::Rng rng(3);
  const ChatRun run(rng);
  for (int length = 8; length < 30; ++length) {
    SCOPED_TRACE(length);
    testing::write_file(run.directory / "eval.jsonl",
                        R"({"messages": [{"role": "user", "content": "abcdeabcdeabcde"},)"
                        R"({"role": "assistant", "content": "ce"}]})"
                        "\n");
    const fs::path out = run.directory / ("out" + std::to_string(length));
    execute(run.config({{"experts", {{{"model", "other"}, {"steps", 1}}}},
                        {"data", {{"eval", "eval.jsonl"}, {"max_seq_len", length}}}}),
            out);
    std::string ours;
    const Json list = Json::parse(read_file(out / "alignment.json"));
    std::size_t tokens = 0;
    for (const Json& chunk : list[0]["chunks"]) {
      ours += joined(chunk["student"]);
      tokens += chunk["student"].size();
    }
    const std::string all = "<s>user:abcdeabcdeabcde</s><s>assistant:ce</s>";
    EXPECT_EQ(ours, all.substr(0, ours.size()));
    EXPECT_LE(tokens, static_cast<std::size_t>(length));
  }
}

TEST(AlignmentFile, ARunWithOneVocabularyHasNone) {
  testing::Rng rng(3);
  const ChatRun run(rng);
  execute(run.config({{"experts", {{{"model", "expert"}, {"steps", 1}}}}}), run.directory / "out");
  EXPECT_FALSE(fs::exists(run.directory / "out" / "alignment.json"));
}

}  // namespace
}  // namespace gladius::train
