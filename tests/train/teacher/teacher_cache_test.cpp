#include "gladius/train/teacher/teacher_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "gladius/tensor/parallel.h"
#include "gladius/train/run/run_fields.h"
#include "support/message_of.h"
#include "support/sanitizers.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::execute;
using testing::expect_resumes_as;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Json;
using testing::message_of;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::timeless_metrics;
using testing::TinyRun;
using testing::weights;
using testing::write_file;

using Ids = std::vector<std::int64_t>;

class CacheTest : public ::testing::Test {
 protected:
  TeacherCache open(std::uint64_t max_bytes = 1 << 20) {
    return {directory_ / "cache", Json{{"format", 1}}, max_bytes,
            [this](const std::string& text) { warnings_.push_back(text); }};
  }
  static Tensor numbers(double first) {
    return Tensor::from(std::vector<float>{static_cast<float>(first), 2, 3}, {3});
  }
  static bool has(TeacherCache& cache, const Ids& ids, double first) {
    Tensor output = Tensor::zeros({3});
    return cache.read(ids, output) && output.to_vector<double>()[0] == first;
  }

  TemporaryDirectory directory_;
  std::vector<std::string> warnings_;
};

TEST_F(CacheTest, KnowsExamplesByTheirTokens) {
  {
    TeacherCache cache = open();
    cache.write({1, 2}, numbers(7));
    cache.write({1, 2, 3}, numbers(8));
  }
  TeacherCache cache = open();
  EXPECT_TRUE(has(cache, {1, 2}, 7));
  EXPECT_TRUE(has(cache, {1, 2, 3}, 8));
  EXPECT_FALSE(has(cache, {2, 1}, 7));
  EXPECT_THAT(warnings_, IsEmpty());
}

// Threads decide the last bits.
TEST_F(CacheTest, OtherThreadsHaveOutputsOfTheirOwn) {
  const int before = num_threads();
  open().write({1}, numbers(7));
  set_num_threads(before + 1);
  {
    TeacherCache other = open();
    EXPECT_FALSE(has(other, {1}, 7));
    other.write({1}, numbers(8));
    EXPECT_TRUE(has(other, {1}, 8));
  }
  set_num_threads(before);
  TeacherCache again = open();
  EXPECT_TRUE(has(again, {1}, 7));
}

TEST_F(CacheTest, StaysBelowItsLimit) {
  const std::uint64_t limit = 3 * RecordFile::record_bytes(3 * sizeof(float)) + 1;
  TeacherCache cache = open(limit);
  for (std::int64_t i = 0; i < 6; ++i) cache.write({i}, numbers(static_cast<double>(i)));
  for (std::int64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(has(cache, {i}, static_cast<double>(i)), i < 3);
  }
  EXPECT_LE(fs::file_size(directory_ / "cache" / "records"), limit);
  EXPECT_THAT(warnings_, ElementsAre(AllOf(HasSubstr("is full"), HasSubstr("max_gb"))));
}

TEST_F(CacheTest, WhatCannotBeMadeIsGivenUp) {
  write_file(directory_ / "cache", "a file");
  TeacherCache cache = open();
  cache.write({1}, numbers(7));
  EXPECT_FALSE(has(cache, {1}, 7));
  EXPECT_THAT(warnings_, ElementsAre(AllOf(HasSubstr("the teacher cache is given up"),
                                           HasSubstr((directory_ / "cache").string()))));
}

TEST_F(CacheTest, ASecondReads) {
  TeacherCache first = open();
  first.write({1}, numbers(7));
  TeacherCache second = open();
  EXPECT_TRUE(has(second, {1}, 7));
  second.write({2}, numbers(8));
  EXPECT_FALSE(has(second, {2}, 8));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("another process writes")));
}

TEST_F(CacheTest, AManifestThatIsDamagedOrGoneIsRefused) {
  open().write({1}, numbers(7));
  const fs::path manifest = directory_ / "cache" / "manifest.json";
  write_file(manifest, "{");
  EXPECT_THAT(message_of<ConfigError>([&] { open(); }), HasSubstr("no JSON object"));
  fs::remove(manifest);
  EXPECT_THAT(message_of<ConfigError>([&] { open(); }), HasSubstr("has no manifest.json"));
}

// Runs with a cache -----------------------------------------------------------------------------

Json with_cache(Json file, const Json& cache = {{"max_gb", 1}}) {
  file["teacher_cache"] = cache;
  return file;
}

// Long enough for several epochs of the ten examples on each expert.
Json long_file(const TinyRun& run) {
  Json file = run.distillation_file();
  for (Json& expert : file["experts"]) expert["steps"] = 25;
  file["checkpoint_every"] = 100;
  return file;
}

TEST(TeacherCache, ChangesNothing) {
  const TinyRun run;
  execute(run.config(long_file(run)), run.directory / "without");
  std::vector<std::string> warnings;
  execute(run.config(with_cache(long_file(run))), run.directory / "with", false, -1, &warnings);
  EXPECT_EQ(weights(run.directory / "with"), weights(run.directory / "without"));
  EXPECT_EQ(timeless_metrics(run.directory / "with"), timeless_metrics(run.directory / "without"));
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_FALSE(fs::exists(run.directory / "with" / "teacher-cache"));  // it has served
}

enum class Harm { none, removed, cut, flipped };

void harm(const fs::path& records, Harm kind, testing::Rng& rng) {
  std::string bytes = read_file(records);
  const auto place = static_cast<std::size_t>(testing::random_int(rng, 0, std::ssize(bytes) - 1));
  if (kind == Harm::removed) fs::remove_all(records.parent_path());
  if (kind == Harm::cut) fs::resize_file(records, place);
  if (kind != Harm::flipped) return;
  bytes[place] ^= 4;
  write_file(records, bytes);
}

TEST(TeacherCache, GoesOnToTheBitWhateverItHolds) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  testing::Rng rng(seed);
  const TinyRun run;
  for (int trial = 0; trial < 12; trial += testing::kSanitized ? 3 : 1) {
    Json cache{{"max_gb", 1}};
    if (trial >= 8) cache["samples"] = testing::random_int(rng, 1, 20);
    if (trial >= 4 && trial < 8) cache["top_k"] = testing::random_int(rng, 1, 60);
    Json file = with_cache(long_file(run), cache);
    file["batch_size"] = testing::random_int(rng, 1, 4);
    file["data"]["packing"] = testing::random_int(rng, 0, 1) == 1;
    file["data"]["shuffle"] = testing::random_int(rng, 0, 1) == 1;
    file["data"]["max_seq_len"] = testing::random_int(rng, 5, 20);
    const std::int64_t stop = testing::random_int(rng, 1, 49);
    SCOPED_TRACE(::testing::Message() << file << ", stopped after " << stop);
    const RunConfig config = run.config(file);
    const fs::path whole = run.directory / ("whole" + std::to_string(trial));
    const fs::path out = run.directory / ("stopped" + std::to_string(trial));
    execute(config, whole);
    execute(config, out, false, stop);
    harm(out / "teacher-cache" / (stop > 25 ? "expert-1" : "expert-0") / "records",
         static_cast<Harm>(trial % 4), rng);
    expect_resumes_as(config, out, whole);
  }
}

TEST(TeacherCache, ServesLaterRunsFromADirectoryOfTheUsers) {
  const TinyRun run;
  const fs::path shared = run.directory / "shared";
  Json file = with_cache(long_file(run), {{"max_gb", 1}, {"path", "shared"}});
  execute(run.config(file), run.directory / "first");
  const std::string records = read_file(shared / "expert-0" / "records");
  EXPECT_GT(records.size(), 10u * 200);
  file["optimizer"]["lr"] = 0.02;
  file["batch_size"] = 3;
  file["data"]["packing"] = true;
  execute(run.config(file), run.directory / "second");
  EXPECT_EQ(read_file(shared / "expert-0" / "records"), records);
  file["teacher_cache"] = {{"max_gb", 1}};
  execute(run.config(file), run.directory / "alone");
  EXPECT_EQ(weights(run.directory / "second"), weights(run.directory / "alone"));
}

TEST(TeacherCache, OfAnotherTeacherOrOtherDataOrSettingsIsRefused) {
  const TinyRun run;
  save_model(run.directory / "other",
             *testing::tiny_model(testing::tiny_config(TinyRun::kVocabulary, 24), 8));
  write_file(run.directory / "other.jsonl", read_file(run.directory / "data.jsonl") + "\n");
  const Json cache{{"max_gb", 1}, {"path", "shared"}};
  const Json file = with_cache(run.distillation_file(), cache);
  execute(run.config(file), run.directory / "first");
  struct Case {
    const char *path, *value, *says;
  };
  const Case cases[] = {
      {"experts.1.model", "other", "another teacher.model.safetensors;"},
      {"data.train", "other.jsonl", "another data.0;"},
      {"data.train", R"(["data.jsonl", "other.jsonl"])", "another data.1;"},
      {"teacher_cache.top_k", "9", "another vocabulary, top_k;"},
      {"teacher_cache.samples", "9", "another vocabulary, samples, temperature, seed;"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.says);
    Json other = file;
    set_by_path(other, c.path, c.value);
    const std::string message =
        message_of<ConfigError>([&] { execute(run.config(other), run.directory / "out"); });
    EXPECT_THAT(message, AllOf(HasSubstr(c.says), HasSubstr((run.directory / "shared").string()),
                               HasSubstr("remove it"), HasSubstr("teacher_cache.path")));
    EXPECT_EQ(std::ranges::count(message, '\n'), 0);
    EXPECT_FALSE(fs::exists(run.directory / "out"));
  }
  execute(run.config(file), run.directory / "out");
}

// Hidden states are the teacher's alone; of draws their temperature and seed count.
TEST(TeacherCache, DoesNotDependOnTheStudentOrItsVocabulary) {
  const TinyRun run;
  testing::write_tiny_tokenizer(run.directory / "tokenizer");
  write_file(run.directory / "wide.json", testing::tiny_config(TinyRun::kVocabulary + 1).dump());
  Json file = with_cache(long_file(run), {{"max_gb", 1}, {"path", "shared"}});
  execute(run.config(file), run.directory / "first");
  const fs::path records = run.directory / "shared" / "expert-0" / "records";
  const std::string known = read_file(records);
  file["student"]["config"] = "wide.json";
  file["student"]["tokenizer"] = "tokenizer";
  file["loss"]["temperature"] = 3;
  file["seed"] = 7;
  for (Json& expert : file["experts"]) expert["vocabulary"] = "truncate";
  execute(run.config(file), run.directory / "second");
  EXPECT_EQ(read_file(records), known);
  file["teacher_cache"] = {{"max_gb", 0}};
  execute(run.config(file), run.directory / "without");
  EXPECT_EQ(weights(run.directory / "second"), weights(run.directory / "without"));

  file["teacher_cache"] = {{"max_gb", 1}, {"path", "drawn"}, {"samples", 12}};
  execute(run.config(file), run.directory / "drawn-first");
  const auto refused = [&](const char* path, const char* value) {
    Json other = file;
    set_by_path(other, path, value);
    return message_of<ConfigError>([&] { execute(run.config(other), run.directory / "out"); });
  };
  EXPECT_THAT(refused("loss.temperature", "1"), HasSubstr("another temperature;"));
  EXPECT_THAT(refused("seed", "8"), HasSubstr("another seed;"));
  EXPECT_THAT(refused("teacher_cache.samples", "13"), HasSubstr("another samples;"));
}

TEST(TeacherCache, ItsSizeAndPlaceMayChangeOnResumeButNotK) {
  const TinyRun run;
  Json file = long_file(run);
  execute(run.config(file), run.directory / "whole");
  execute(run.config(with_cache(file)), run.directory / "out", false, 12);
  file["teacher_cache"] = {{"max_gb", 1}, {"top_k", 3}};
  EXPECT_THAT(
      message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out", true); }),
      HasSubstr("teacher_cache.top_k"));
  file["teacher_cache"] = {{"max_gb", 2}, {"path", "elsewhere"}};
  execute(run.config(file), run.directory / "out", true, 30);
  file["teacher_cache"] = {{"max_gb", 0}};
  EXPECT_TRUE(execute(run.config(file), run.directory / "out", true).complete);
  EXPECT_EQ(weights(run.directory / "out"), weights(run.directory / "whole"));
}

// However the path is spelled or linked.
TEST(TeacherCache, NeverTakesThePlaceOfAnInput) {
  const TinyRun run;
  const auto refusal = [&](const std::string& path) {
    Json file = with_cache(long_file(run), {{"max_gb", 1}, {"path", path}});
    return message_of<ConfigError>([&] { execute(run.config(file), run.directory / "out"); });
  };
  const std::string data = read_file(run.directory / "data.jsonl");
  EXPECT_THAT(refusal("data.jsonl"), HasSubstr("exists and is not a directory"));
  EXPECT_THAT(refusal("expert"), HasSubstr("is in " + (run.directory / "expert").string()));
  EXPECT_THAT(refusal("./expert/../expert/cache"), HasSubstr("choose another directory"));
  fs::create_directories(run.directory / "cache" / "expert-0");
  fs::create_hard_link(run.directory / "data.jsonl", run.directory / "cache/expert-0/records");
  EXPECT_THAT(refusal("cache"), HasSubstr("would overwrite"));
  fs::remove(run.directory / "cache/expert-0/records");
  fs::create_symlink(run.directory / "data.jsonl", run.directory / "cache/expert-0/manifest.json");
  EXPECT_THAT(refusal("cache"), HasSubstr("would overwrite"));
  EXPECT_EQ(read_file(run.directory / "data.jsonl"), data);
  EXPECT_FALSE(fs::exists(run.directory / "out"));
}

}  // namespace
}  // namespace gladius::train
