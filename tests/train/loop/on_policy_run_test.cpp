// Runs in which the student writes some of the answers: experts.N.on_policy.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "support/message_of.h"
#include "train/loop/chat_run.h"
#include "train/run/resume_fixture.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::ChatRun;
using ::testing::Contains;
using testing::execute;
using testing::expect_resumes_as;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::one_of;
using testing::random_int;
using testing::Rng;

// Settings that go together.
Json random_settings(Rng& rng) {
  Json expert{{"name", "one"}, {"steps", 7}, {"on_policy", one_of<double>(rng, {0.3, 0.7, 1})}};
  Json loss{{"tokens", one_of<std::string>(rng, {"all", "labelled"})},
            {"normalization", one_of<std::string>(rng, {"tokens", "micro_batch"})}};
  Json cache = Json::object();
  const bool aligns = random_int(rng, 0, 1) == 0;
  expert["model"] = aligns ? "other" : "expert";
  if (aligns) loss["cross"] = one_of<std::string>(rng, {"project", "alm", "uld"});
  const bool has_own = aligns && loss["cross"] != "project";
  if (!has_own) loss["divergence"] = one_of<std::string>(rng, {"forward_kl", "reverse_kl", "jsd"});
  const auto kept = random_int(rng, 0, 3);
  if (kept == 1) cache["max_gb"] = 1;
  if (kept == 2 && loss.value("cross", "") != "alm") cache["top_k"] = random_int(rng, 5, 60);
  if (kept == 3 && !has_own && loss["divergence"] == "forward_kl") {
    cache["samples"] = random_int(rng, 1, 20);
  }
  Json two = expert;
  two["name"] = "two", two["steps"] = 6, two["on_policy"] = one_of<double>(rng, {0, 0.5});
  return {{"experts", {expert, two}},
          {"loss", loss},
          {"teacher_cache", cache},
          {"data",
           {{"packing", random_int(rng, 0, 1) == 0},
            {"shuffle", random_int(rng, 0, 1) == 0},
            {"max_seq_len", random_int(rng, 50, 120)},
            {"loss_on", one_of<std::string>(rng, {"all", "assistant"})}}},
          {"batch_size", random_int(rng, 1, 2)},
          {"gradient_accumulation", random_int(rng, 1, 4)},
          {"seed", random_int(rng, 0, 99)}};
}

TEST(OnPolicyRun, ResumesToTheBit) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const ChatRun run(rng);
  const Json settings = random_settings(rng);
  SCOPED_TRACE(settings.dump());
  const RunConfig config = run.config(settings);
  const fs::path whole = run.directory / "whole", out = run.directory / "out";
  execute(config, whole);
  double share = 0;
  for (const StepRecord& record : read_metrics(whole / "metrics.jsonl")) {
    if (record.step < 7) {
      ASSERT_TRUE(record.on_policy);
      share += record.on_policy->share / 7;
    }
  }
  const double least = settings["experts"][0]["on_policy"] == 1 ? 0.4 : 0;
  EXPECT_GE(share, least);
  for (int trial = 0; trial < 2; ++trial) {
    const std::int64_t stop = random_int(rng, 1, 12);
    SCOPED_TRACE(stop);
    fs::remove_all(out);
    execute(config, out, false, stop);
    expect_resumes_as(config, out, whole);
  }
}

TEST(OnPolicyRun, WhatTheStudentWritesIsNotCached) {
  Rng rng(4);
  const ChatRun run(rng, /*chats_alone=*/true);
  const auto records = [&](double share) {
    const fs::path cache = run.directory / fmt::format("cache{}", share);
    execute(run.config({{"experts", {{{"model", "expert"}, {"on_policy", share}, {"steps", 3}}}},
                        {"teacher_cache", {{"max_gb", 1}, {"path", cache.string()}}}}),
            run.directory / fmt::format("out{}", share));
    return fs::file_size(cache / "expert-0" / "records");
  };
  EXPECT_GT(records(0), 1000u);
  EXPECT_LT(records(1), 100u);
}

TEST(OnPolicyRun, WithoutConversationsOrATemplateItIsRefused) {
  Rng rng(5);
  const ChatRun run(rng);
  const auto refusal = [&](const Json& changes) {
    Json all{{"experts", {{{"name", "e"}, {"model", "expert"}, {"on_policy", 0.3}}}}};
    all.merge_patch(changes);
    return message_of<ConfigError>([&] { execute(run.config(all), run.directory / "refused"); });
  };
  testing::write_file(run.directory / "texts.jsonl", "{\"text\": \"abc\"}\n{\"text\": \"de\"}\n");
  testing::write_file(run.directory / "ids.jsonl", "{\"input_ids\": [1, 2, 3]}\n");
  for (const char* file : {"texts.jsonl", "ids.jsonl"}) {
    EXPECT_THAT(refusal({{"data", {{"train", file}}}}),
                AllOf(HasSubstr("expert e: on_policy 0.3"), HasSubstr("none of the")));
  }
  EXPECT_THAT(refusal({{"data", {{"max_seq_len", 4}}}}), HasSubstr("leaves room for an answer"));
  const RunConfig without =
      run.config({{"experts", {{{"name", "e"}, {"model", "expert"}, {"on_policy", 0.3}}}},
                  {"student", {{"tokenizer", nullptr}}},
                  {"data", {{"train", "ids.jsonl"}}}});
  EXPECT_THAT(message_of<ConfigError>([&] { execute(without, run.directory / "refused"); }),
              HasSubstr("student.tokenizer is null"));
  EXPECT_THAT(refusal({{"loss", {{"alpha", 0}}}}),
              AllOf(HasSubstr("\"experts.0.on_policy\""), HasSubstr("loss.alpha")));
  EXPECT_THAT(refusal({{"experts", {{{"model", "expert"}, {"on_policy", 1.5}}}}}),
              HasSubstr("\"experts.0.on_policy\" is 1.5"));
  fs::remove(run.directory / "tokenizer" / "chat_template.jinja");
  EXPECT_THAT(refusal({{"data", {{"train", "texts.jsonl"}}}}), HasSubstr("has no chat template"));
  EXPECT_FALSE(fs::exists(run.directory / "refused"));
}

TEST(OnPolicyRun, AnswersOfACheckpointMustBePossible) {
  Rng rng(6);
  const ChatRun run(rng, /*chats_alone=*/true);
  const RunConfig config =
      run.config({{"experts", {{{"model", "expert"}, {"on_policy", 1}, {"steps", 9}}}},
                  {"gradient_accumulation", 3},
                  {"checkpoint_every", 2}});
  const fs::path whole = run.directory / "whole";
  execute(config, whole);
  const auto answer = [](Json step, Json ids) {
    return Json::array({{{"step", step}, {"sequence", 0}, {"ids", ids}}});
  };
  for (const Json& wrong :
       {Json(), Json(3), answer(2, {5}), answer(6, {5}), answer(5, Json::array()), answer(5, {-5}),
        answer(-1, {5}), Json::array({{{"step", 5}}})}) {
    SCOPED_TRACE(wrong.dump());
    const fs::path out = run.directory / "out";
    fs::remove_all(out);
    execute(config, out, false, 5);
    const fs::path checkpoint = out / "checkpoints" / testing::checkpoint_name(5);
    patch_json(checkpoint / "state.json", [&](Json& json) {
      ASSERT_TRUE(json["state"].contains("own_answers"));
      json["state"]["own_answers"] = wrong;
      if (wrong.is_null()) json["state"].erase("own_answers");
    });
    sign(checkpoint);
    std::vector<std::string> warnings;
    EXPECT_TRUE(execute(config, out, true, -1, &warnings).complete);
    EXPECT_THAT(warnings,
                Contains(AllOf(HasSubstr("step-00000005 is damaged"), HasSubstr("own_answers"))));
    EXPECT_EQ(testing::weights(out), testing::weights(whole));
  }
}

}  // namespace
}  // namespace gladius::train
