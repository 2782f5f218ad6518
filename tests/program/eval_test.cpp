// What is measured of data files, and what is not finite.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "program/program_fixture.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ProgramResult;
using testing::read_file;
using testing::save_small_chat_model;
using testing::write_file;

class EvalProgram : public testing::Program {};

TEST_F(EvalProgram, EvaluatesDataFiles) {
  write_file(path("a-1.jsonl"), "{\"input_ids\": [1, 2, 3]}\n{\"input_ids\": [4, 5]}\n");
  write_file(path("a-2.jsonl"), "{\"input_ids\": [1, 7], \"labels\": [-100, 9]}\n");
  const std::vector<std::string> arguments{"eval", "--model", model(), "--data", path("a-*.jsonl")};
  auto with_json = arguments;
  with_json.push_back("--json");
  const ProgramResult result = run(with_json);
  ASSERT_EQ(result.code, 0) << result.err;
  const auto report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report["examples"], 3);
  EXPECT_EQ(report["truncated"], 0);
  EXPECT_EQ(report["tokens"], 4);
  // Each token by itself, from the logits.
  const auto language_model = load_model(model());
  double expected = 0;
  const auto add = [&](const std::vector<std::int64_t>& ids, std::int64_t label) {
    const auto logits =
        language_model->forward(Tensor::from(ids, {1, std::ssize(ids)})).value().to_vector<float>();
    double sum = 0;
    for (const float logit : std::span(logits).last(40)) sum += std::exp(double{logit});
    expected +=
        (std::log(sum) - double{std::span(logits).last(40)[static_cast<std::size_t>(label)]}) / 4;
  };
  add({1}, 2);
  add({1, 2}, 3);
  add({4}, 5);
  add({1, 7}, 9);
  EXPECT_NEAR(report["cross_entropy"].get<double>(), expected, 1e-5);
  EXPECT_NEAR(report["perplexity"].get<double>(), std::exp(expected), 1e-4 * std::exp(expected));
  EXPECT_TRUE(report["bytes"].is_null() && report["bits_per_byte"].is_null());  // no tokenizer
  EXPECT_THAT(run(arguments).out, AllOf(HasSubstr("examples       3\n"), HasSubstr("perplexity"),
                                        ::testing::Not(HasSubstr("bits per byte"))));

  write_file(path("a-2.jsonl"), "{\"input_ids\": [1, 40]}\n");
  expect_failure(arguments, path("a-2.jsonl") + ":1: token 40 is outside");
  with_json.push_back("--skip-bad-lines");
  const ProgramResult skipped = run(with_json);
  EXPECT_EQ(nlohmann::json::parse(skipped.out)["skipped_lines"], 1);
  EXPECT_THAT(skipped.err, HasSubstr("a-2.jsonl:1: token 40"));
  expect_failure({"eval", "--model", model(), "--data", path("b-?.jsonl")}, "no file matches");
}

TEST_F(EvalProgram, EvalSaysHowItReadTheDataAndWhatWasCut) {
  write_file(path("data.jsonl"),
             "{\"input_ids\": [1, 2, 3, 4]}\n"
             "{\"input_ids\": [1, 2, 3, 4], \"labels\": [-100, -100, 4, 5]}\n");
  const auto eval = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"eval", "--model", model(), "--data", path("data.jsonl")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const ProgramResult cut = eval({"--max-seq-len", "2", "--json"});
  ASSERT_EQ(cut.code, 0) << cut.err;
  const auto report = nlohmann::json::parse(cut.out);
  EXPECT_EQ(report["examples"], 2);
  EXPECT_EQ(report["truncated"], 2);
  EXPECT_EQ(report["tokens"], 2);
  EXPECT_EQ(report["lost_labels"], 3);
  EXPECT_EQ(report["unlabelled"], 1);
  EXPECT_EQ(report["max_seq_len"], 2);
  EXPECT_EQ(report["settings_from"], "options, defaults");
  EXPECT_THAT(cut.err, HasSubstr("gladius: warning: 2 examples, 4 tokens, 2 of them with a label; "
                                 "2 examples were cut to 2 tokens, which lost 3 labels"));
  const ProgramResult text = eval({});
  EXPECT_THAT(text.out, AllOf(HasSubstr("settings       max_seq_len 512, loss_on all (defaults)\n"),
                              HasSubstr("truncated      0\n")));
  EXPECT_EQ(text.err, "");
  EXPECT_EQ(eval({"--max-seq-len", "9007199254740993"}).code, 2);
}

TEST_F(EvalProgram, PaddingIsNotEvaluated) {
  write_file(path("plain.jsonl"),
             "{\"input_ids\": [1, 2, 3]}\n{\"input_ids\": [4, 5], \"labels\": [6, 7]}\n");
  write_file(path("padded.jsonl"),
             "{\"input_ids\": [1, 2, 3, 0, 0], \"attention_mask\": [1, 1, 1, 0, 0]}\n"
             "{\"input_ids\": [0, 4, 5], \"labels\": [9, 6, 7], \"attention_mask\": [0, 1, 1]}\n");
  const auto eval = [&](const char* file) {
    return run({"eval", "--model", model(), "--data", path(file), "--json"}).out;
  };
  EXPECT_EQ(eval("padded.jsonl"), eval("plain.jsonl"));
  EXPECT_EQ(nlohmann::json::parse(eval("padded.jsonl"))["tokens"], 4);
}

// One weight of the last norm; the embeddings of token 7.
TEST_F(EvalProgram, WhatIsNotFiniteIsNamed) {
  const auto broken = load_model(model(), {.trainable = true});
  for (auto& [name, tensor] : broken->state_dict()) {
    if (name == "model.norm.weight") Tensor(tensor).narrow(0, 3, 1).fill_(NAN);
  }
  save_model(path("broken"), *broken);
  write_file(path("data.jsonl"), "{\"input_ids\": [1, 2, 3]}\n");
  for (const char* json : {"", "--json"}) {
    std::vector<std::string> arguments{"eval", "--model", path("broken"), "--data",
                                       path("data.jsonl")};
    if (*json) arguments.emplace_back(json);
    expect_failure(arguments, "the cross-entropy is nan: model.norm.weight holds 1 NaN");
  }
  for (const char* sampling : {"--greedy", "--seed=1", "--repetition-penalty=1.5"}) {
    const ProgramResult result =
        run({"generate", "--model", path("broken"), "--ids", "1", sampling});
    EXPECT_EQ(result.code, 1);
    EXPECT_THAT(result.err, HasSubstr("the logits are NaN or infinite"));
  }
  const ProgramResult logits =
      run({"logits", "--model", path("broken"), "--ids", "1,2", "--out", path("result")});
  EXPECT_EQ(logits.code, 0);
  EXPECT_EQ(logits.err,
            "gladius: warning: the logits of 2 of 2 tokens are not finite: "
            "model.norm.weight holds 1 NaN\n");
  const ProgramResult gradients = run({"gradients", "--model", path("broken"), "--ids", "1,2",
                                       "--labels", "2,3", "--out", path("result")});
  EXPECT_EQ(gradients.code, 0);
  EXPECT_EQ(gradients.err, "gladius: warning: the loss is nan: model.norm.weight holds 1 NaN\n");
}

TEST_F(EvalProgram, LossesOverNoLabelAreRefused) {
  expect_failure({"gradients", "--model", model(), "--ids", "1,2", "--labels", "-100,-100", "--out",
                  path("result")},
                 "--labels: every label is -100");
  write_file(path("data.jsonl"), "{\"input_ids\": [1, 2], \"labels\": [-100, -100]}\n");
  expect_failure({"eval", "--model", model(), "--data", path("data.jsonl")},
                 "no token of " + path("data.jsonl") + " has a label");
}

TEST_F(EvalProgram, SequencesBeyondTheModelsPositionsAreToldOf) {
  auto config = nlohmann::ordered_json::parse(read_file(path("model/config.json")));
  config["max_position_embeddings"] = 3;
  write_file(path("model/config.json"), config.dump());
  write_file(path("data.jsonl"), "{\"input_ids\": [1, 2, 3, 4]}\n");
  const std::string says =
      "gladius: warning: a sequence of 4 tokens is longer than the model is made for "
      "(max_position_embeddings 3)\n";
  EXPECT_EQ(run({"logits", "--model", model(), "--ids", "1,2,3,4", "--out", path("r")}).err, says);
  EXPECT_EQ(run({"logits", "--model", model(), "--ids", "1,2,3", "--out", path("r")}).err, "");
  EXPECT_EQ(run({"eval", "--model", model(), "--data", path("data.jsonl")}).err, says);
  EXPECT_EQ(run({"gradients", "--model", model(), "--ids", "1,2,3,4", "--labels", "1,2,3,4",
                 "--out", path("r")})
                .err,
            says);
}

TEST_F(EvalProgram, LossesByPosition) {
  save_small_chat_model(path("chat"));
  auto config = nlohmann::ordered_json::parse(read_file(path("chat/config.json")));
  config["max_position_embeddings"] = 100;
  write_file(path("chat/config.json"), config.dump());
  std::string text;
  for (int i = 0; i < 60; ++i) text += "The weather in Oslo is cold. ";
  write_file(path("data.jsonl"), nlohmann::json{{"text", text}}.dump() + "\n" +
                                     nlohmann::json{{"text", text.substr(0, 900)}}.dump() + "\n");
  const std::vector<std::string> arguments{"eval",   "--model",          path("chat"),
                                           "--data", path("data.jsonl"), "--by-position"};
  auto with_json = arguments;
  with_json.push_back("--json");
  const ProgramResult result = run(with_json);
  ASSERT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.err, "");  // that texts are longer than the model is made for is in the table
  const auto report = nlohmann::json::parse(result.out);
  EXPECT_EQ(report["max_seq_len"], 4096);
  EXPECT_EQ(report["trained_positions"], 100);
  double nats = 0;
  std::int64_t tokens = 0, bytes = 0;
  for (const auto& bucket : report["by_position"]) {
    nats += bucket["cross_entropy"].get<double>() * bucket["tokens"].get<double>();
    tokens += bucket["tokens"].get<std::int64_t>();
    bytes += bucket["bytes"].get<std::int64_t>();
    EXPECT_EQ(bucket["reach"], bucket["from"] < 100 ? "trained" : "beyond");
  }
  EXPECT_EQ(tokens, report["tokens"]);
  EXPECT_EQ(bytes, report["bytes"]);
  EXPECT_NEAR(nats / static_cast<double>(tokens), report["cross_entropy"].get<double>(), 1e-9);
  EXPECT_THAT(run(arguments).out,
              AllOf(HasSubstr("64 to 99"), HasSubstr("100 to 127"), HasSubstr("beyond"),
                    HasSubstr("trained: the model's positions below 100\n")));
  EXPECT_EQ(run({"eval", "--model", model(), "--by-position"}).code, 2);
}

}  // namespace
}  // namespace gladius
