#include "gladius/train/teacher/aligned_teacher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "support/message_of.h"
#include "train/teacher/certain_teacher.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::weights;
using testing::write_file;

// A run whose expert has a tokenizer of its own: letters in another order.
class AlignedRun : public ::testing::Test {
 protected:
  AlignedRun() {
    testing::write_tiny_tokenizer(directory_ / "tokenizer");
    save_model(directory_ / "expert", *testing::tiny_model(testing::tiny_config(265, 24), 7));
    testing::write_tiny_tokenizer(directory_ / "expert");
    Json other = Json::parse(read_file(directory_ / "expert/tokenizer.json"));
    std::swap(other["model"]["vocab"]["a"], other["model"]["vocab"]["c"]);
    write_file(directory_ / "expert/tokenizer.json", other.dump());
    write_file(directory_ / "student.json", testing::tiny_config(265).dump());
    std::string lines;
    for (const char* text : {"abc de", "cab bed", "dead bee \u00e9", "a", "ace bad cab"}) {
      lines += Json{{"text", text}}.dump() + "\n";
    }
    write_file(directory_ / "data.jsonl", lines);
  }

  RunConfig config(const Json& changes = Json::object()) const {
    Json run{{"student", {{"config", "student.json"}, {"tokenizer", "tokenizer"}}},
             {"experts", {{{"name", "e"}, {"model", "expert"}, {"steps", 8}}}},
             {"data", {{"train", "data.jsonl"}, {"packing", true}, {"max_seq_len", 40}}},
             {"gradient_accumulation", 2},
             {"checkpoint_every", 3}};
    run.merge_patch(changes);
    return RunConfig::parse(run, (directory_ / "run.json").string());
  }
  Json recorded(const char* out) const {
    return Json::parse(read_file(directory_ / out / "run.json")).at("experts").at(0);
  }

  TemporaryDirectory directory_;
};

TEST_F(AlignedRun, AutoAlignsAnotherTokenizerAndResumesToTheBit) {
  execute(config(), directory_ / "whole");
  EXPECT_EQ(recorded("whole").at("vocabulary"), "align");
  execute(config(), directory_ / "parts", false, 5);
  execute(config(), directory_ / "parts", true);
  EXPECT_TRUE(weights(directory_ / "parts") == weights(directory_ / "whole"));
  const RunConfig cached = config({{"teacher_cache", {{"max_gb", 1}, {"path", "cache"}}}});
  execute(cached, directory_ / "filling");
  execute(cached, directory_ / "cached");
  EXPECT_TRUE(weights(directory_ / "cached") == weights(directory_ / "filling"));
}

TEST_F(AlignedRun, WithTheOtherLossesResumesToTheBit) {
  execute(config(), directory_ / "project");
  for (const char* cross : {"alm", "uld"}) {
    SCOPED_TRACE(cross);
    const Json loss{{"loss", {{"cross", cross}}}};
    const fs::path whole = directory_ / (std::string("whole-") + cross);
    const fs::path parts = directory_ / (std::string("parts-") + cross);
    execute(config(loss), whole);
    execute(config(loss), parts, false, 5);
    execute(config(loss), parts, true);
    EXPECT_TRUE(weights(parts) == weights(whole));
    EXPECT_FALSE(weights(whole) == weights(directory_ / "project"));
    execute(config({{"loss", {{"cross", cross}}}, {"teacher_cache", {{"max_gb", 1}}}}),
            directory_ / (std::string("cached-") + cross));
  }
}

TEST_F(AlignedRun, WithOtherDivergencesAndByTokensResumesToTheBit) {
  const Json losses[] = {{{"divergence", "reverse_kl"}, {"tokens", "labelled"}},
                         {{"divergence", "jsd"}, {"beta", 0.1}},
                         {{"divergence", "skew_kl"}},
                         {{"cross", "alm"}, {"tokens", "labelled"}},
                         {{"cross", "uld"}}};
  int number = 0;
  for (Json loss : losses) {
    SCOPED_TRACE(loss.dump());
    loss["normalization"] = "tokens";
    const Json changes{
        {"loss", loss}, {"gradient_accumulation", 3}, {"data", {{"packing", false}}}};
    const fs::path whole = directory_ / ("whole-" + std::to_string(++number));
    const fs::path parts = directory_ / ("parts-" + std::to_string(number));
    execute(config(changes), whole);
    execute(config(changes), parts, false, 5);
    execute(config(changes), parts, true);
    EXPECT_TRUE(weights(parts) == weights(whole));
  }
}

TEST_F(AlignedRun, ADivergenceThatAnotherLossTakesThePlaceOfIsRefused) {
  EXPECT_THAT(
      message_of<ConfigError>([&] {
        execute(config({{"loss", {{"cross", "alm"}, {"divergence", "jsd"}}}}), directory_ / "out");
      }),
      AllOf(HasSubstr("loss.divergence is \"jsd\""), HasSubstr("loss.cross \"alm\"")));
}

TEST_F(AlignedRun, ALossForOtherVocabulariesNeedsAnExpertThatHasOne) {
  testing::write_tiny_tokenizer(directory_ / "expert");
  EXPECT_THAT(message_of<ConfigError>([&] {
                execute(config({{"loss", {{"cross", "uld"}}}}), directory_ / "same");
              }),
              AllOf(HasSubstr("loss.cross is \"uld\""), HasSubstr("this run has none")));
  EXPECT_FALSE(exists(directory_ / "same"));
}

// The expert's tokens are the student's with two ids exchanged, so every token is a chunk and every
// border is shared.
TEST_F(AlignedRun, OtherLossesSeeWhatTheTeacherSaysOfEachToken) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng rng(seed);
  const auto encoder = std::make_shared<const TextEncoder>(directory_ / "tokenizer");
  const ExampleParser parser(encoder, 100, LossOn::all, 265, /*keep_conversations=*/true);
  std::vector<std::int64_t> read;  // by the teacher
  Tensor logits;
  const double T = 1.5;
  const AlignedTeacher teacher(
      {.name = "t", .model = directory_ / "expert"}, encoder, directory_ / "tokenizer", T,
      [&](const Batch& batch) {
        read = batch.ids.to_vector<std::int64_t>();
        logits = testing::random_tensor(rng, {batch.tokens(), 265}, -3, 3, Dtype::F32);
        return rows_of(logits, batch.tokens());
      });
  const Example first = parser.parse(R"({"text": "cab \u00e9 bed"})");
  const Example second = parser.parse(R"({"text": "dead bee"})");
  const Batch batch = pack({&first, &second});
  const auto ids = batch.ids.to_vector<std::int64_t>();
  const auto one = static_cast<std::size_t>(first.ids.size());

  const AlmTargets targets = teacher.likelihoods(batch);
  const auto tokens = targets.tokens.to_vector<std::int64_t>();
  ASSERT_EQ(targets.chunks.size(), ids.size() - 2);
  for (const AlmChunk& chunk : targets.chunks) {
    const auto row = static_cast<std::size_t>(chunk.begin);
    EXPECT_EQ(chunk.end, chunk.begin + 1);
    EXPECT_EQ(tokens[row], ids[row + 1]);
    const auto z = logits.select(0, chunk.begin).to_vector<double>();
    double sum = 0;
    for (const double x : z) sum += std::exp(x / T);
    EXPECT_NEAR(chunk.teacher, z[static_cast<std::size_t>(read[row + 1])] / T - std::log(sum),
                1e-5);
    EXPECT_NE(row, one - 1);  // which ends the first text
  }

  EXPECT_EQ(teacher.compared(batch, CrossLoss::alm), std::ssize(targets.chunks));
  EXPECT_EQ(teacher.compared(batch, CrossLoss::project), teacher.targets(batch).aligned);
  EXPECT_EQ(teacher.compared(batch, CrossLoss::uld), std::ssize(ids));

  const SharedBorders borders = teacher.shared_borders(batch);
  std::vector<std::int64_t> all(ids.size());
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(borders.rows, all);
}

TEST_F(AlignedRun, OnlyLabelledTokensCountIfTheLossSaysSo) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng rng(seed);
  const auto encoder = std::make_shared<const TextEncoder>(directory_ / "tokenizer");
  const ExampleParser parser(encoder, 100, LossOn::all, 265, /*keep_conversations=*/true);
  const AlignedTeacher teacher(
      {.name = "t", .model = directory_ / "expert"}, encoder, directory_ / "tokenizer", 2,
      [&](const Batch& batch) {
        return rows_of(testing::random_tensor(rng, {batch.tokens(), 265}, -3, 3, Dtype::F32),
                       batch.tokens());
      },
      LossTokens::labelled);
  Example first = parser.parse(R"({"text": "cab \u00e9 bed"})");
  Example second = parser.parse(R"({"text": "dead bee"})");
  std::vector<std::int64_t> labelled;
  for (Example* example : {&first, &second}) {
    const auto offset = example == &first ? 0 : std::ssize(first.labels);
    for (std::size_t i = 0; i < example->labels.size(); ++i) {
      if (testing::random_int(rng, 0, 1) == 0) example->labels[i] = kNoLabel;
      if (example->labels[i] != kNoLabel) {
        labelled.push_back(offset + static_cast<std::int64_t>(i));
      }
    }
  }
  const Batch batch = pack({&first, &second});
  std::vector<std::int64_t> of_chunks, of_borders;
  for (const AlmChunk& chunk : teacher.likelihoods(batch).chunks) of_chunks.push_back(chunk.begin);
  const SharedBorders borders = teacher.shared_borders(batch);
  for (std::size_t i = 0; i < borders.rows.size(); ++i) {
    if (borders.rows[i] >= 0) of_borders.push_back(static_cast<std::int64_t>(i));
  }
  EXPECT_EQ(of_chunks, labelled);
  EXPECT_EQ(of_borders, labelled);
  EXPECT_EQ(teacher.targets(batch).aligned, std::ssize(labelled));
  for (const CrossLoss cross : {CrossLoss::project, CrossLoss::alm, CrossLoss::uld}) {
    EXPECT_EQ(teacher.compared(batch, cross), std::ssize(labelled));
  }
}

// A student with other ids reads the same texts, and so does the teacher.
TEST_F(AlignedRun, OneCacheServesStudentsOfAnyVocabulary) {
  const Json cache{{"teacher_cache", {{"max_gb", 1}, {"path", "cache"}, {"samples", 12}}}};
  execute(config(cache), directory_ / "first");
  const fs::path records = directory_ / "cache/expert-0/records";
  const std::string known = read_file(records);
  Json other = Json::parse(read_file(directory_ / "tokenizer/tokenizer.json"));
  std::swap(other["model"]["vocab"]["b"], other["model"]["vocab"]["e"]);
  write_file(directory_ / "tokenizer/tokenizer.json", other.dump());
  execute(config(cache), directory_ / "second");
  EXPECT_EQ(read_file(records), known);
  EXPECT_FALSE(weights(directory_ / "second") == weights(directory_ / "first"));
}

TEST_F(AlignedRun, DrawsResumeToTheBit) {
  for (const char* cross : {"project", "alm"}) {
    SCOPED_TRACE(cross);
    const Json drawn{{"loss", {{"cross", cross}}}, {"teacher_cache", {{"samples", 5}}}};
    const fs::path whole = directory_ / (std::string("whole-") + cross);
    const fs::path parts = directory_ / (std::string("parts-") + cross);
    execute(config(drawn), whole);
    execute(config(drawn), parts, false, 5);
    execute(config(drawn), parts, true);
    EXPECT_TRUE(weights(parts) == weights(whole));
  }
}

TEST_F(AlignedRun, ALossThatNeedsWhatIsLeftOutIsRefused) {
  const auto refusal = [this](const char* cross, const Json& cache) {
    return message_of<ConfigError>([&] {
      config({{"loss", {{"cross", cross}}}, {"teacher_cache", cache}});
    });
  };
  EXPECT_THAT(refusal("alm", {{"top_k", 5}}),
              AllOf(HasSubstr("loss.cross"), HasSubstr("teacher_cache.samples, which keeps it")));
  EXPECT_THAT(refusal("uld", {{"samples", 5}}), HasSubstr("teacher_cache.top_k, or neither"));
  EXPECT_THAT(refusal("project", {{"samples", 5}, {"top_k", 5}}),
              HasSubstr("\"teacher_cache.samples\" is another way"));
}

TEST_F(AlignedRun, TheSameTokenizerIsNotAligned) {
  testing::write_tiny_tokenizer(directory_ / "expert");
  execute(config(), directory_ / "same");
  EXPECT_EQ(recorded("same").at("vocabulary"), "same");
}

TEST_F(AlignedRun, ATemplateThatHasChangedMakesAnotherRun) {
  execute(config(), directory_ / "out", false, 5);
  const Json changed{{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"chat_template", "{{ 1 }}"}};
  write_file(directory_ / "expert/tokenizer_config.json", changed.dump());
  EXPECT_THAT(message_of<ConfigError>([&] { execute(config(), directory_ / "out", true); }),
              HasSubstr("experts.0.tokenizer"));
}

TEST_F(AlignedRun, DataGivenAsIdsHasNoText) {
  write_file(directory_ / "data.jsonl", "{\"input_ids\": [1, 260, 261]}\n");
  EXPECT_THAT(message_of<ConfigError>([&] { execute(config(), directory_ / "ids"); }),
              HasSubstr("expert e: data given as ids has no text"));
}

// Tokenizers that are odd, the teacher's or the student's: what cannot be compared is masked, and
// what is compared is right.
class OddTokenizers : public AlignedRun {
 protected:
  OddTokenizers() {
    // "auto" would refuse what it cannot read; and a teacher whose tokenizer is the student's.
    testing::write_tiny_tokenizer(directory_ / "expert");
  }
  void change(const char* which, const std::function<void(Json&)>& edit) const {
    const fs::path file = directory_ / which / "tokenizer.json";
    Json json = Json::parse(read_file(file));
    edit(json);
    write_file(file, json.dump());
  }
  Seen see(const char* text) const {
    return see_certain(directory_ / "tokenizer", directory_ / "expert", {Json{{"text", text}}})[0];
  }
  // Each compared position has the student's next token as its target; how many there are.
  std::int64_t all_right(const char* text) const {
    const Seen seen = see(text);
    for (const double p : seen.probabilities) EXPECT_GT(p, 0.999);
    return std::ssize(seen.probabilities);
  }
  std::string refusal() const {
    const std::string message = message_of<ConfigError>([&] {
      execute(
          config({{"experts",
                   {{{"name", "e"}, {"model", "expert"}, {"steps", 8}, {"vocabulary", "align"}}}}}),
          directory_ / "out");
    });
    EXPECT_EQ(std::ranges::count(message, '\n'), 0);
    EXPECT_FALSE(exists(directory_ / "out"));
    return message;
  }
};

// "cab bed" is <s> and seven tokens, and <s> predicts the first: seven positions.
TEST_F(OddTokenizers, WithoutOddityEveryPositionIsCompared) { EXPECT_EQ(all_right("cab bed"), 7); }

TEST_F(OddTokenizers, ATokenThatDecodesToNothingMasksThePositionsAroundIt) {
  const auto drop_e = [](Json& json) {
    const Json nothing{{"type", "Replace"}, {"pattern", {{"String", "e"}}}, {"content", ""}};
    json["decoder"] = {{"type", "Sequence"}, {"decoders", Json::array({json["decoder"], nothing})}};
  };
  change("expert", drop_e);
  const std::int64_t of_teacher = all_right("cab bed");
  EXPECT_GE(of_teacher, 5);  // up to "e"
  EXPECT_LT(of_teacher, 7);
  change("tokenizer", drop_e);
  EXPECT_GE(all_right("cab bed"), 5);
  testing::write_tiny_tokenizer(directory_ / "expert");
  EXPECT_GE(all_right("cab bed"), 5);
}

TEST_F(OddTokenizers, EmptyTokensAndIdsWithoutTokensAreNeverCompared) {
  change("expert", [](Json& json) {
    json["model"]["vocab"][""] = 265;
    json["model"]["vocab"]["zz"] = 270;  // 266 .. 269 are nothing
  });
  EXPECT_EQ(all_right("cab bed"), 7);
  const text::TokenPieces pieces(text::TokenBytes(directory_ / "expert"),
                                 text::TokenBytes(directory_ / "tokenizer"),
                                 directory_ / "tokenizer");
  EXPECT_EQ(pieces.teacher_size(), 271);
  for (const std::int32_t id : {-1, 265, 266, 269, 271}) EXPECT_TRUE(pieces.pieces(id).empty());
  EXPECT_EQ(pieces.pieces(270).size(), 2U);  // as bytes
  change("tokenizer", [](Json& json) { json["model"]["vocab"][""] = 265; });
  EXPECT_EQ(all_right("cab bed"), 7);
}

// What the teacher reads is not what stands there, so its "c" for "b" says nothing.
TEST_F(OddTokenizers, ATokenizerThatNormalizesMasksWhatItChanges) {
  change("expert", [](Json& json) {
    const Json changed{{"type", "Replace"}, {"pattern", {{"String", "b"}}}, {"content", "c"}};
    json["normalizer"] = {{"type", "Sequence"},
                          {"normalizers", Json::array({json["normalizer"], changed})}};
  });
  EXPECT_EQ(all_right("cab bed"), 5);  // all but the two before "b"
  EXPECT_EQ(all_right("bbb"), 0);
}

TEST_F(OddTokenizers, AKindThatIsNotSupportedEndsInOneLine) {
  change("expert", [](Json& json) { json["model"]["type"] = "Unigram"; });
  EXPECT_THAT(refusal(), AllOf(HasSubstr("expert e: it cannot read the data"),
                               HasSubstr("tokenizer.json"), HasSubstr("Unigram")));
}

TEST_F(OddTokenizers, AnExpertWithoutATemplateCannotReadConversations) {
  const Json with_template{
      {"bos_token", "<s>"},
      {"eos_token", "</s>"},
      {"chat_template", "{% for m in messages %}{{ m['content'] + eos_token }}{% endfor %}"}};
  write_file(directory_ / "tokenizer/tokenizer_config.json", with_template.dump());
  write_file(directory_ / "data.jsonl",
             Json{{"messages", {{{"role", "user"}, {"content", "cab"}}}}}.dump() + "\n");
  EXPECT_THAT(refusal(), HasSubstr("expert e: it cannot read the data"));
  write_file(directory_ / "expert/tokenizer_config.json", with_template.dump());
  execute(config(), directory_ / "out");
}

}  // namespace
}  // namespace gladius::train
