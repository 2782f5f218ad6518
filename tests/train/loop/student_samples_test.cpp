// Runs with sample_every.
#include "gladius/train/loop/student_samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "gladius/models/generation/generate.h"
#include "support/message_of.h"
#include "train/loop/chat_run.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using testing::ChatRun;
using ::testing::ElementsAre;
using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::random_int;
using testing::read_file;

std::vector<Json> sample_lines(const fs::path& out) {
  std::vector<Json> lines;
  std::ifstream in(out / "samples.jsonl");
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

// Of two experts, whose vocabulary is the student's and another; the student writes some answers.
Json sampled_file(testing::Rng& rng, const fs::path& directory) {
  testing::write_file(directory / "eval.jsonl", read_file(directory / "data.jsonl"));
  return {{"experts",
           {{{"name", "one"}, {"model", "expert"}, {"steps", 7}, {"on_policy", 0.5}},
            {{"name", "two"}, {"model", "other"}, {"steps", 6}}}},
          {"data", {{"eval", "eval.jsonl"}}},
          {"gradient_accumulation", random_int(rng, 1, 4)},
          {"eval_every", random_int(rng, 1, 6)},
          {"sample_every", random_int(rng, 1, 6)}};
}

TEST(StudentSamples, ARunIsTheSameToTheBitWithAndWithout) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng rng(seed);
  const ChatRun run(rng);
  Json file = sampled_file(rng, run.directory.path());
  SCOPED_TRACE(file.dump());
  const fs::path with = run.directory / "with", without = run.directory / "without";
  execute(run.config(file), with);
  const std::int64_t every = file["sample_every"];
  file.erase("sample_every");
  execute(run.config(file), without);
  EXPECT_EQ(testing::weights(with), testing::weights(without));
  EXPECT_EQ(testing::timeless_metrics(with), testing::timeless_metrics(without));
  EXPECT_FALSE(fs::exists(without / "samples.jsonl"));
  std::vector<std::int64_t> expected, steps;
  for (std::int64_t step = 0; step < 13; ++step) {
    if ((step + 1) % every == 0 || step == 12) expected.push_back(step);
  }
  for (const Json& line : sample_lines(with)) steps.push_back(line["step"]);
  EXPECT_EQ(steps, expected);
}

TEST(StudentSamples, AStopAtAnyTimeAndAKillChangeNothing) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng rng(seed);
  const ChatRun run(rng);
  const Json file = sampled_file(rng, run.directory.path());
  SCOPED_TRACE(file.dump());
  const RunConfig config = run.config(file);
  const fs::path whole = run.directory / "whole", out = run.directory / "out";
  execute(config, whole);
  bool complete = false;
  for (int stops = 0; !complete; ++stops) {
    ASSERT_LT(stops, 200);
    int left = static_cast<int>(random_int(rng, 3, 20));
    complete =
        distill(config, out, stops > 0, {.stop_requested = [&] { return --left == 0; }}).complete;
    if (complete || random_int(rng, 0, 1) == 0) continue;
    // As if the process had been killed later: there are samples beyond its last checkpoint.
    std::ofstream(out / "samples.jsonl", std::ios::app) << R"({"step": 12, "samples": []})"
                                                        << "\n"
                                                        << R"({"step": 13, "sam)";
  }
  EXPECT_EQ(testing::weights(out), testing::weights(whole));
  EXPECT_EQ(testing::timeless_metrics(out), testing::timeless_metrics(whole));
  EXPECT_EQ(read_file(out / "samples.jsonl"), read_file(whole / "samples.jsonl"));
}

TEST(StudentSamples, AreWhatTheStudentSaysGreedily) {
  testing::Rng rng(3);
  const ChatRun run(rng);
  const fs::path out = run.directory / "out";
  execute(run.config({{"steps", 5}, {"sample_every", 3}, {"sample_prompts", {"ab", "c <de>"}}}),
          out);
  const std::vector<Json> lines = sample_lines(out);
  ASSERT_EQ(lines.size(), 2u);
  const auto model = load_model(out / "model");
  const auto tokenizer = text::Tokenizer::load(out / "model");
  const char* prompts[] = {"ab", "c <de>"};
  ASSERT_EQ(lines[1]["samples"].size(), 2u);
  for (int i = 0; i < 2; ++i) {
    const Json& sample = lines[1]["samples"][static_cast<std::size_t>(i)];
    EXPECT_EQ(sample["messages"], Json::array({{{"role", "user"}, {"content", prompts[i]}}}));
    const std::string prompt = std::string("<s>user:") + prompts[i] + "</s><s>assistant:";
    std::vector<std::int32_t> ids =
        generate(*model, tokenizer.encode(prompt, /*add_special_tokens=*/false),
                 {.sampling = {.greedy = true}, .max_new_tokens = 64, .eos_token_ids = {2}});
    const bool ended = ids.back() == 2;
    if (ended) ids.pop_back();
    EXPECT_EQ(sample["answer"], tokenizer.decode(ids));
    EXPECT_EQ(sample["cut"], !ended);
  }
  const std::string report = read_file(out / "report.md");
  EXPECT_THAT(report, HasSubstr("after step 4"));
  EXPECT_THAT(report, HasSubstr("| c \\<de\\> |"));
}

// Other prompts come first where there is data.eval, and each only once.
TEST(StudentSamples, PromptsAreTheFirstQuestionsOfTheData) {
  testing::Rng rng(3);
  const ChatRun run(rng);
  const auto chat = [](const std::string& question, const char* answer) {
    return Json{{"messages",
                 {{{"role", "user"}, {"content", question}},
                  {{"role", "assistant"}, {"content", answer}}}}}
               .dump() +
           "\n";
  };
  testing::write_file(run.directory / "eval.jsonl",
                      "{\"text\": \"abc\"}\nno\n" + chat("a", "b") + chat("a", "c") +
                          chat(std::string(500, 'e'), "b") + chat("b", "b") + chat("c", "b") +
                          chat("d", "b") + chat("e", "b"));
  const auto questions = [&](const Json& changes) {
    Json file{{"steps", 1}, {"sample_every", 5}};
    file.merge_patch(changes);
    fs::remove_all(run.directory / "out");
    execute(run.config(file), run.directory / "out");
    std::vector<std::string> asked;
    const Json line = sample_lines(run.directory / "out").at(0);
    for (const Json& sample : line["samples"]) {
      asked.push_back(sample["messages"].back()["content"]);
    }
    return asked;
  };
  EXPECT_THAT(questions({{"data", {{"eval", "eval.jsonl"}, {"on_bad_line", "skip"}}}}),
              ElementsAre("a", "b", "c", "d"));
  EXPECT_LE(questions(Json::object()).size(), 4u);
  testing::write_file(run.directory / "texts.jsonl", "{\"text\": \"abc\"}\n{\"text\": \"de\"}\n");
  EXPECT_GE(questions({{"data", {{"eval", "texts.jsonl"}}}}).size(), 1u) << "of data.train";
}

TEST(StudentSamples, WhatIsWrongShowsBeforeTheRun) {
  testing::Rng rng(3);
  const ChatRun run(rng);
  const fs::path out = run.directory / "refused";
  const auto refusal = [&](const Json& changes) {
    Json file{{"steps", 1}, {"sample_every", 5}};
    file.merge_patch(changes);
    const std::string message = message_of<ConfigError>([&] { execute(run.config(file), out); });
    EXPECT_FALSE(fs::exists(out));
    return message;
  };
  testing::write_file(run.directory / "texts.jsonl", "{\"text\": \"abc\"}\n{\"text\": \"de\"}\n");
  testing::write_file(run.directory / "ids.jsonl", "{\"input_ids\": [1, 2, 3]}\n");
  EXPECT_THAT(refusal({{"data", {{"train", "texts.jsonl"}}}}),
              HasSubstr("sample_every: the first 1,000 lines of the data's files have no chat"));
  EXPECT_THAT(refusal({{"sample_prompts", {"a", std::string(100, 'b')}}}),
              HasSubstr("sample_prompts.1: it has 118 tokens, and data.max_seq_len is 90"));
  const RunConfig without = run.config({{"steps", 1},
                                        {"sample_every", 5},
                                        {"student", {{"tokenizer", nullptr}}},
                                        {"data", {{"train", "ids.jsonl"}}}});
  EXPECT_THAT(message_of<ConfigError>([&] { execute(without, out); }),
              HasSubstr("sample_every: messages are given to the student by the chat template of "
                        "student.tokenizer, which is null"));
  fs::remove(run.directory / "tokenizer" / "chat_template.jinja");
  EXPECT_THAT(refusal({{"data", {{"train", "texts.jsonl"}}}, {"sample_prompts", {"a"}}}),
              HasSubstr("sample_every: " + (run.directory / "tokenizer").string() +
                        " has no chat template"));
}

}  // namespace
}  // namespace gladius::train
