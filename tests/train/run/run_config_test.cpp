#include "gladius/train/run/run_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gladius/tensor/base/quoted.h"
#include "gladius/train/run/run_changes.h"
#include "gladius/train/run/run_keys.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius::train {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;
using testing::TemporaryDirectory;
using testing::write_file;

const char* const kMinimal = R"({"student": {"config": "c.json"}, "data": {"train": "d.jsonl"}})";

std::string error_of(const char* json) {
  return message_of<ConfigError>(
      [&] { RunConfig::parse(ordered_json::parse(json), "/a/run.json"); });
}

TEST(RunConfig, LeftOutKeysHaveTheCardsValues) {
  const RunConfig run = RunConfig::parse(ordered_json::parse(kMinimal), "/a/run.json");
  EXPECT_EQ(run.student.config, "/a/c.json");
  EXPECT_THAT(run.data.train, ElementsAre("/a/d.jsonl"));
  EXPECT_TRUE(run.data.eval.empty());
  EXPECT_FALSE(run.data.packing);
  EXPECT_EQ(run.data.on_bad_line, OnBadLine::fail);
  EXPECT_FALSE(run.student.init || run.student.tokenizer);
  EXPECT_EQ(run.data.max_seq_len, 512);
  EXPECT_EQ(run.loss.temperature, 2);
  EXPECT_EQ(run.loss.alpha, 0.5);
  EXPECT_EQ(run.optimizer.lr, 1e-4);
  EXPECT_EQ(run.optimizer.weight_decay, 0.01);
  EXPECT_EQ(run.optimizer.max_grad_norm, 1);
  EXPECT_EQ(run.batch_size, 1);
  EXPECT_EQ(run.gradient_accumulation, 8);
  EXPECT_EQ(run.steps, 1000);
}

TEST(RunConfig, ResolvedIsARunFileOfItsOwn) {
  const auto json = ordered_json::parse(
      R"({"student": {"config": "../c.json", "tokenizer": "t", "seed": 3},
          "experts": [{"model": "q/m", "steps": 7, "vocabulary": "truncate"}],
          "data": {"train": "/d.txt", "shuffle": true, "loss_on": "assistant", "max_seq_len": 9},
          "teacher_cache": {"max_gb": 0.5, "top_k": 64, "path": "cache"},
          "loss": {"temperature": 3, "alpha": 1, "reduction": "batchmean"},
          "optimizer": {"lr": 0.5, "betas": [0.1, 0.2], "schedule": "cosine", "warmup_steps": 4},
          "batch_size": 2, "keep_checkpoints": 5, "seed": 11})");
  const ordered_json resolved = RunConfig::parse(json, "/a/b/run.json").resolved();
  EXPECT_EQ(RunConfig::parse(resolved, "/elsewhere/run.json").resolved(), resolved);
  EXPECT_EQ(resolved.at("student").at("config"), "/a/c.json");
  EXPECT_EQ(resolved.at("experts").at(0).at("name"), "m");
  EXPECT_EQ(resolved.at("teacher_cache").at("path"), "/a/b/cache");
  EXPECT_EQ(resolved.at("optimizer").at("betas"), ordered_json({0.1, 0.2}));
  EXPECT_FALSE(resolved.contains("steps"));
}

TEST(RunConfig, AnUnknownKeyNamesTheFileThePathAndTheNearest) {
  EXPECT_THAT(error_of(R"({"loss": {"temprature": 1}, "student": {"config": "c"},
                           "data": {"train": "d"}})"),
              AllOf(HasSubstr("/a/run.json"), HasSubstr("\"loss.temprature\""),
                    HasSubstr("\"loss.temperature\"")));
  EXPECT_THAT(error_of(R"({"expert": []})"), HasSubstr("nearest known key is \"experts\""));
  EXPECT_THAT(error_of(R"({"student": {"config": "c"}, "data": {"train": "d"},
                           "experts": [{"model": "m"}, {"path": "m"}]})"),
              HasSubstr("unknown key \"experts.1.path\""));
}

TEST(RunConfig, TypesAndRangesAreChecked) {
  struct Case {
    const char* override_;
    const char* says;
  };
  const Case cases[] = {
      {"batch_size=0", "\"batch_size\" is 0; expected a value in [1, "},
      {"batch_size=1.5", "\"batch_size\" is 1.5; expected a whole number"},
      {"batch_size=18446744073709551615", "expected a value in [1, "},
      {"batch_size=9007199254740992", "expected a value in [1, 1048576]"},
      {"gradient_accumulation=9007199254740992", "expected a value in [1, 1048576]"},
      {"data.max_seq_len=9007199254740992", "expected a value in [1, 4194304]"},
      {"steps=9007199254740992", "expected a value in [1, 1000000000000]"},
      {"optimizer.warmup_steps=9007199254740992", "expected a value in [0, 1000000000000]"},
      {"loss.alpha=1.01", "\"loss.alpha\" is 1.01; expected a value in [0, 1]"},
      {"loss.temperature=0", "expected a value in (0, "},
      {"loss.reduction=sum", "expected one of mean, batchmean"},
      {"loss.divergence=kl", "expected one of forward_kl, reverse_kl, jsd, skew_kl"},
      {"loss.beta=0", "\"loss.beta\" is 0; expected a value in (0, 1)"},
      {"loss.beta=1", "\"loss.beta\" is 1; expected a value in (0, 1)"},
      {"loss.tokens=some", "expected one of all, labelled"},
      {"loss.normalization=mean", "expected one of micro_batch, tokens"},
      {"optimizer.betas=[0.9,1]", "\"optimizer.betas\" is 1; expected a value in [0, 1)"},
      {"optimizer.betas=[0.9]", "expected a list of two numbers"},
      {"optimizer.schedule=step", "expected one of constant, linear, cosine"},
      {"data.shuffle=\"yes\"", "\"data.shuffle\" is \"yes\"; expected true or false"},
      {"data.train=7", "\"data.train\" is 7; expected a path in quotes or a list of them"},
      {"data.train=null", "\"data.train\" is missing"},
      {"data.train=[]", "\"data.train\" is []; expected a path in quotes or a list of them"},
      {"data.train=[\"a.txt\",3]", "expected a path in quotes or a list of them"},
      {"data.eval=[\"\"]", "\"data.eval\" is empty"},
      {"data.packing=1", "\"data.packing\" is 1; expected true or false"},
      {"data.on_bad_line=ignore", "expected one of fail, skip"},
      {"student.config=null", "\"student.config\" is missing"},
      {"experts={}", "\"experts\" is {}; expected a list"},
      {"experts=[1]", "\"experts.0\" is number; expected an object"},
      {"experts=[{}]", "\"experts.0.model\" is missing"},
      {"loss=3", "\"loss\" is number; expected an object"},
      {"teacher_cache.max_gb=-1", "expected a value in [0, "},
      {"teacher_cache.top_k=0", "\"teacher_cache.top_k\" is 0; expected a value in [1, "},
      {"teacher_cache.path=c", "give teacher_cache.max_gb as well"},
      {"seed=-1", "\"seed\" is -1"},
      {"eval_every=-1", "\"eval_every\" is -1; expected a value in [0, "},
      {"eval_every=2.5", "\"eval_every\" is 2.5; expected a whole number"},
      {"sample_every=-1", "\"sample_every\" is -1; expected a value in [0, "},
      {"sample_every=x", "\"sample_every\" is \"x\"; expected a whole number"},
      {"sample_prompts=[\"Hi\"]", "\"sample_prompts\" says what the student is asked for samples"},
      {"sample_prompts=Hi", "\"sample_prompts\" is \"Hi\"; expected a list of texts in quotes"},
      {"sample_prompts=[]", "\"sample_prompts\" is []; expected a list of texts in quotes"},
      {"sample_prompts=[\"\"]", "expected a list of texts in quotes, none of them empty"},
      {"sample_prompts=[\"a\", 1]", "expected a list of texts in quotes"},
      {"sample_prompts=[\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\","
       "\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\","
       "\"a\","
       "\"a\",\"a\",\"a\",\"a\",\"a\"]",
       "\"sample_prompts\" has 33 texts; expected at most 32"},
      {"keep_best=1", "\"keep_best\" is 1; expected true or false"},
  };
  const TemporaryDirectory directory;
  write_file(directory / "run.json", kMinimal);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.override_);
    EXPECT_THAT(
        message_of<ConfigError>([&] { RunConfig::load(directory / "run.json", {c.override_}); }),
        HasSubstr(c.says));
  }
}

// What a file or a command line says is shown as one short line that a terminal can print.
TEST(RunConfig, OutsideTextInMessagesIsQuoted) {
  const TemporaryDirectory directory;
  write_file(directory / "run.json", kMinimal);
  const std::string long_text(10'000, 'x'), control = "a\n\x1b[31mb\u202e", broken = "caf\xe9";
  for (const std::string& text : {long_text, control, broken}) {
    for (const std::string& override_ :
         {text, text + "=1", "loss." + text + "=1", "loss.reduction=" + text, "batch_size=" + text,
          "data.train=" + text + std::string(1, '\0'), "student=" + text,
          "experts=[{\"model\": \"m\", \"name\": \"" + long_text + "\"}]", "experts.0=" + text,
          "data.loss_on=" + text, "student.config." + text + "=1"}) {
      const std::string message =
          message_of<ConfigError>([&] { RunConfig::load(directory / "run.json", {override_}); });
      EXPECT_LT(message.size(), 500u + directory.path().native().size()) << message;
      EXPECT_EQ(printable(message), message);
    }
  }
  EXPECT_THAT(message_of<ConfigError>(
                  [&] { RunConfig::load(directory / "run.json", {"data.train=" + broken}); }),
              AllOf(HasSubstr("run.json: \"data.train\" is \"caf\\xe9\""), HasSubstr("not UTF-8")));
  EXPECT_THAT(message_of<ConfigError>([&] {
                RunConfig::load(directory / "run.json", {"student.config=" + long_text});
              }),
              HasSubstr("longer than the path of a file can be"));
  EXPECT_THAT(error_of(R"({"student": {"config": "c"}, "data": {"train": "d"},
                           "experts": [{"model": "m", "name": "a\nb"}]})"),
              HasSubstr(R"("experts.0.name" is "a\nb"; expected)"));
}

TEST(RunConfig, OverridesAreJsonOrText) {
  const TemporaryDirectory directory;
  write_file(directory / "run.json",
             R"({"student": {"config": "c.json"}, "data": {"train": "d.jsonl"},
                 "experts": [{"model": "a"}, {"model": "b"}]})");
  const RunConfig run = RunConfig::load(
      directory / "run.json", {"loss.alpha=0.25", "experts.1.steps=3", "data.train=other.txt",
                               "optimizer.betas=[0.5, 0.75]", "data.eval=null"});
  EXPECT_EQ(run.loss.alpha, 0.25);
  EXPECT_EQ(run.experts[0].steps, 1000);
  EXPECT_EQ(run.experts[1].steps, 3);
  EXPECT_THAT(run.data.train, ElementsAre(directory / "other.txt"));
  EXPECT_EQ(run.optimizer.betas.second, 0.75);
  const auto error = [&](const char* override_) {
    return message_of<ConfigError>([&] { RunConfig::load(directory / "run.json", {override_}); });
  };
  EXPECT_THAT(error("loss.alpha"), HasSubstr("expected path.to.key=value"));
  EXPECT_THAT(error("experts.2.steps=1"), HasSubstr("\"2\" is not an element of a list of 2"));
  EXPECT_THAT(error("data.train.x=1"), HasSubstr("there is no place for \"x\""));
  EXPECT_THAT(error("steps=1"), HasSubstr("\"steps\" is for runs without experts"));
}

TEST(RunConfig, DataMayBeSeveralFiles) {
  const TemporaryDirectory directory;
  write_file(directory / "run.json", kMinimal);
  const RunConfig run = RunConfig::load(
      directory / "run.json",
      {R"(data.train=["a/*.jsonl", "b.txt"])", "data.packing=true", "data.on_bad_line=skip"});
  EXPECT_THAT(run.data.train, ElementsAre(directory / "a/*.jsonl", directory / "b.txt"));
  EXPECT_TRUE(run.data.packing);
  EXPECT_EQ(run.data.on_bad_line, OnBadLine::skip);
  const RunConfig again = RunConfig::parse(run.resolved(), (directory / "run.json").string());
  EXPECT_EQ(again.resolved(), run.resolved());
}

TEST(RunConfig, EvaluationNeedsDataAndTheBestNeedsEvaluations) {
  const TemporaryDirectory directory;
  write_file(directory / "run.json", kMinimal);
  const auto load = [&](const std::vector<std::string>& overrides) {
    return RunConfig::load(directory / "run.json", overrides);
  };
  EXPECT_THAT(
      message_of<ConfigError>([&] { load({"eval_every=5"}); }),
      AllOf(HasSubstr("run.json"), HasSubstr("\"eval_every\""), HasSubstr("\"data.eval\"")));
  EXPECT_THAT(message_of<ConfigError>([&] {
                load({"keep_best=true", "data.eval=e.jsonl"});
              }),
              AllOf(HasSubstr("\"keep_best\""), HasSubstr("\"eval_every\"")));
  const RunConfig run = load({"eval_every=5", "keep_best=true", "data.eval=e.jsonl"});
  EXPECT_EQ(run.eval_every, 5);
  EXPECT_TRUE(run.keep_best);
  EXPECT_EQ(RunConfig::parse(run.resolved(), "/x/run.json").resolved(), run.resolved());
  for (const char* none : {"eval_every=0", "eval_every=null"}) {
    EXPECT_EQ(load({none}).eval_every, 0);
    EXPECT_TRUE(load({none}).resolved().at("eval_every").is_null());
  }
}

// A run file in which any other key may be given, and the keys that it gives are no defaults.
const char* const kEveryKey = R"({
    "student": {"config": "c.json"}, "experts": [{"model": "m"}],
    "data": {"train": "d.jsonl", "eval": "e.jsonl"}, "teacher_cache": {"max_gb": 1},
    "loss": {"normalization": "micro_batch"}, "eval_every": 3, "sample_every": 4})";

// A value that the key takes and does not have there.
ordered_json other_value(const RunKeyDescription& key, const ordered_json& value) {
  const auto expects = [&](const char* what) { return key.expects.starts_with(what); };
  if (expects("true or false")) return !value.get<bool>();
  if (expects("a whole number")) return value.is_null() ? 7 : value.get<std::int64_t>() + 1;
  if (expects("a number")) return value.get<double>() * 0.5 + 0.125;
  if (expects("a list of whole numbers")) return {3, 1};
  if (expects("a list of two numbers")) return {0.25, value.at(1)};
  if (expects("a list of up to")) return {"one", "\u00e9"};
  if (expects("a path") || expects("text")) return "/another";
  // "mean or batchmean"
  const std::string now = value.get<std::string>();
  const std::size_t space = key.expects.find(' ');
  const std::string first = key.expects.substr(0, space);
  return first == now ? key.expects.substr(key.expects.rfind(' ') + 1) : first;
}

TEST(RunKeys, EachIsReadIntoAMemberOfItsOwnAndWrittenFromThere) {
  std::size_t tried = 0;
  for (const RunKeyDescription& key : describe_run_keys()) {
    if (key.path == "experts" || key.path == "student.init_from") continue;
    if (key.path == "steps") continue;  // with experts refused
    SCOPED_TRACE(key.path);
    ordered_json base = ordered_json::parse(kEveryKey);
    if (key.path.starts_with("student.init_from")) base["student"]["init_from"] = {{"model", "i"}};
    const ordered_json before = RunConfig::parse(base, "/a/run.json").resolved();
    std::string place = "/" + key.path;
    std::ranges::replace(place, '.', '/');
    if (const std::size_t n = place.find("/N/"); n != std::string::npos) place[n + 1] = '0';
    const ordered_json::json_pointer pointer(place);
    ASSERT_TRUE(before.contains(pointer));
    ordered_json changed = base;
    changed[pointer] = other_value(key, before.at(pointer));
    const ordered_json after = RunConfig::parse(changed, "/a/run.json").resolved();
    EXPECT_EQ(after.at(pointer), changed.at(pointer));
    ordered_json without = after;  // and nothing else is another
    without[pointer] = before.at(pointer);
    if (key.path == "experts.N.model") without["experts"][0]["name"] = "m";
    EXPECT_EQ(without, before);
    ++tried;
  }
  EXPECT_GT(tried, 30u);
  const ordered_json alone = ordered_json::parse(
      R"({"student": {"config": "c.json"}, "data": {"train": "d"}, "steps": 5})");
  EXPECT_EQ(RunConfig::parse(alone, "/a/run.json").resolved().at("steps"), 5);
}

TEST(RunKeys, DefaultsAreThoseOfARunFileThatLeavesThemOut) {
  const ordered_json resolved =
      RunConfig::parse(ordered_json::parse(kMinimal), "/a/run.json").resolved();
  for (const RunKeyDescription& key : describe_run_keys()) {
    if (key.path.starts_with("experts.") || key.path == "student.config") continue;
    if (key.path.starts_with("student.init_from.")) continue;
    SCOPED_TRACE(key.path);
    std::string place = "/" + key.path;
    std::ranges::replace(place, '.', '/');
    const ordered_json value = resolved.at(ordered_json::json_pointer(place));
    if (key.path == "data.train") {
      EXPECT_EQ(key.default_value, "required");
    } else if (value.is_string()) {
      EXPECT_EQ(key.default_value, value.get<std::string>());
    } else {
      EXPECT_EQ(ordered_json::parse(key.default_value), value);
    }
  }
}

TEST(RunKeys, WhatMayChangeOnResume) {
  for (const char* key : {"data.eval", "data.eval.3", "log_every", "teacher_cache.path"}) {
    EXPECT_EQ(on_resume(key), OnResume::allowed) << key;
  }
  for (const char* key : {"steps", "experts.0.steps", "experts.12.steps"}) {
    EXPECT_EQ(on_resume(key), OnResume::length) << key;
  }
  for (const char* key : {"data.train", "data.train.1", "experts", "experts.1.model",
                          "optimizer.betas.0", "teacher_cache.top_k", "seed", "unheard_of"}) {
    EXPECT_EQ(on_resume(key), OnResume::refused) << key;
  }
}

TEST(RunKeys, TheTableOfTheDocumentationIsTheProgramsDescription) {
  const std::filesystem::path page = std::filesystem::path(GLADIUS_SOURCE_DIR) / "docs/run-file.md";
  const std::string text = testing::read_file(page), begin = "<!-- keys -->\n",
                    end = "<!-- end of keys -->";
  ASSERT_THAT(text, AllOf(HasSubstr(begin), HasSubstr(end)));
  const std::size_t from = text.find(begin) + begin.size();
  EXPECT_TRUE(text.substr(from, text.find(end) - from) == run_keys_markdown())
      << page << ": between the two comments belongs\n"
      << run_keys_markdown();
}

TEST(RunConfig, UnreadableAndMalformedFilesAreNamed) {
  const TemporaryDirectory directory;
  write_file(directory / "bad.json", "{\"student\": ");
  EXPECT_THAT(message_of<FormatError>([&] { RunConfig::load(directory / "bad.json"); }),
              AllOf(HasSubstr("bad.json"), HasSubstr("line 1")));
  EXPECT_THAT(message_of<IoError>([&] { RunConfig::load(directory / "none.json"); }),
              HasSubstr("none.json"));
}

RunConfig minimal(const std::function<void(ordered_json&)>& change) {
  ordered_json json = ordered_json::parse(kMinimal);
  change(json);
  return RunConfig::parse(json, "/a/run.json");
}

TEST(RunConfig, ResumingRefusesWhatMakesAnotherRun) {
  const RunConfig before = minimal([](ordered_json&) {});
  EXPECT_THAT(check_resumable(before, before, {5}).lines, IsEmpty());
  const RunConfig harmless = minimal([](ordered_json& json) {
    json["log_every"] = 1;
    json["data"]["eval"] = "/e.jsonl";
    json["data"]["on_bad_line"] = "skip";
    json["teacher_cache"] = {{"max_gb", 3}, {"path", "/cache"}};
  });
  EXPECT_THAT(check_resumable(before, harmless, {5}).lines,
              AllOf(Contains("data.eval null -> \"/e.jsonl\""), Contains("log_every 10 -> 1")));
  const RunConfig other = minimal([](ordered_json& json) {
    json["log_every"] = 1;
    json["optimizer"]["lr"] = 0.5;
    json["teacher_cache"]["top_k"] = 9;
    json["experts"].push_back({{"model", "m"}});
  });
  EXPECT_THAT(
      message_of<ConfigError>([&] { check_resumable(before, other, {5}); }),
      AllOf(HasSubstr("optimizer.lr 0.0001 -> 0.5"), HasSubstr("teacher_cache.top_k null -> 9"),
            HasSubstr("experts.0.model null -> \"/a/m\""), HasSubstr("student.init"),
            Not(HasSubstr("log_every"))));
}

// Steps that a run has in common with one of another length.
std::int64_t common(const ordered_json& before, const ordered_json& after, std::int64_t limit) {
  const auto with = [](const ordered_json& keys) {
    return minimal([&](ordered_json& json) { json.update(keys); });
  };
  return common_steps(with(before), with(after), limit).steps;
}

TEST(RunConfig, ALongerRunBeginsAsAShorterOneWhereNothingDependsOnTheLength) {
  const auto experts = [](std::int64_t first, std::int64_t second) {
    return ordered_json{
        {"experts", {{{"model", "m"}, {"steps", first}}, {{"model", "m"}, {"steps", second}}}}};
  };
  const auto scheduled = [](std::int64_t steps, const char* schedule, std::int64_t warmup) {
    return ordered_json{{"steps", steps},
                        {"optimizer", {{"schedule", schedule}, {"warmup_steps", warmup}}}};
  };
  // Groups of 8 steps; the last is full, or is not.
  EXPECT_EQ(common({{"steps", 16}}, {{"steps", 99}}, 16), 16);
  EXPECT_EQ(common({{"steps", 20}}, {{"steps", 99}}, 20), 16);
  EXPECT_EQ(common({{"steps", 20}}, {{"steps", 18}}, 20), 16);
  EXPECT_EQ(common({{"steps", 20}}, {{"steps", 8}}, 20), 8);
  EXPECT_EQ(common({{"steps", 99}}, {{"steps", 20}}, 10), 10);
  EXPECT_EQ(common(experts(10, 8), experts(10, 16), 18), 18);
  EXPECT_EQ(common(experts(10, 8), experts(16, 8), 18), 8);
  EXPECT_EQ(common(experts(8, 8), experts(16, 8), 16), 8);
  EXPECT_EQ(common(scheduled(16, "constant", 99), scheduled(99, "constant", 99), 16), 16);
  for (const char* schedule : {"linear", "cosine"}) {
    // The first update's rate is the same; of warm-up as many as there are, and one more.
    EXPECT_EQ(common(scheduled(64, schedule, 0), scheduled(99, schedule, 0), 64), 8);
    EXPECT_EQ(common(scheduled(64, schedule, 3), scheduled(99, schedule, 3), 64), 32);
  }
}

}  // namespace
}  // namespace gladius::train
