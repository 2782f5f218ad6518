// experts.N.on_policy: sequences that the student finishes itself.
#include "gladius/train/loop/on_policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "gladius/autograd/grad_mode.h"
#include "gladius/train/data/batch_stream.h"
#include "gladius/train/loop/run_inputs.h"
#include "gladius/train/loop/student.h"
#include "gladius/train/loop/trainer.h"
#include "train/loop/chat_run.h"

namespace gladius::train {
namespace {

using testing::ChatRun;
using testing::Json;
using testing::one_of;
using testing::random_int;
using testing::Rng;

void hush(const std::string&) {}

TEST(OnPolicy, APromptIsWhatComesBeforeTheLastAnswer) {
  const auto roles = [](const char* text) {
    const auto prompt = prompt_of({.messages = Json::parse(text), .tools = nullptr});
    std::string list;
    for (const Json& message : prompt ? prompt->messages : Json::array()) {
      list += message["role"].get<std::string>().front();
    }
    return list;
  };
  EXPECT_EQ(roles(R"([{"role": "user"}, {"role": "assistant"}])"), "u");
  EXPECT_EQ(roles(R"([{"role": "system"}, {"role": "user"}, {"role": "assistant"},
                      {"role": "user"}, {"role": "assistant"}])"),
            "suau");
  EXPECT_EQ(roles(R"([{"role": "user"}, {"role": "assistant"}, {"role": "tool"}])"), "u");
  EXPECT_EQ(roles(R"([{"role": "user"}])"), "u");
  EXPECT_EQ(roles(R"([{"role": "assistant"}])"), "");
}

// Writes and puts answers for some steps of random data.
TEST(OnPolicy, AnswersTakeThePlaceOfTheData) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const ChatRun run(rng);
  for (int round = 0; round < 4; ++round) {
    const bool packing = random_int(rng, 0, 1) == 0;
    const std::int64_t length = random_int(rng, 60, 150), count = random_int(rng, 1, 4);
    const RunConfig config = run.config(
        {{"data", {{"packing", packing}, {"max_seq_len", length}}},
         {"batch_size", random_int(rng, 1, 3)},
         {"seed", random_int(rng, 0, 99)},
         {"experts", {{{"model", "expert"}, {"on_policy", one_of<double>(rng, {0.5, 1})}}}}});
    SCOPED_TRACE(config.resolved().dump());
    const auto encoder = std::make_shared<const TextEncoder>(*config.student.tokenizer);
    BatchStream stream(
        Dataset::open(
            config.data.train, encoder,
            {.max_seq_len = length, .vocab_size = ChatRun::kEntries, .keep_conversations = true}),
        batch_options(config));
    const auto student = make_student(config.student);
    const std::int64_t vocabulary = random_int(rng, 0, 1) ? ChatRun::kEntries : 200;
    OnPolicy writer(config, config.experts[0], *encoder, vocabulary, hush);
    const auto batches = stream.look_ahead(count);
    std::vector<Batch> before;
    for (const Batch* batch : batches) before.push_back(*batch);
    const std::int64_t first = random_int(rng, 0, 1000);
    const auto answers = writer.write(*student, batches, first);
    const auto again = writer.write(*student, batches, first);
    ASSERT_EQ(answers.size(), again.size());
    writer.put(answers, batches, first);
    ChatPrompts chat(*config.student.tokenizer, encoder->tokenizer(), hush);
    std::size_t next = 0;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const std::vector<Example> old = before[i].examples(), now = batches[i]->examples();
      ASSERT_EQ(old.size(), now.size());
      EXPECT_LE(batches[i]->tokens(), config.batch_size * length);
      const auto compared = batches[i]->compared(/*labelled_only=*/true);
      std::size_t at = 0;
      for (std::size_t j = 0; j < now.size(); ++j) {
        const auto rows = std::vector<bool>(
            compared.begin() + static_cast<std::ptrdiff_t>(at),
            compared.begin() + static_cast<std::ptrdiff_t>(at + now[j].ids.size()));
        at += now[j].ids.size();
        if (now[j].prompt == 0) {
          EXPECT_EQ(now[j].ids, old[j].ids);
          EXPECT_EQ(now[j].labels, old[j].labels);
          EXPECT_EQ(std::ranges::count(rows, true), count_labels(old[j].labels));
          continue;
        }
        const OwnAnswer& answer = answers.at(next);
        EXPECT_EQ(answer.ids, again.at(next++).ids);
        EXPECT_EQ(answer.step, first + static_cast<std::int64_t>(i));
        EXPECT_EQ(answer.sequence, static_cast<std::int64_t>(j));
        std::vector<std::int32_t> ids = chat.encode(*prompt_of(*old[j].conversation));
        EXPECT_EQ(now[j].prompt, std::ssize(ids));
        ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
        EXPECT_EQ(now[j].ids, ids);
        EXPECT_LE(std::ssize(ids), length);
        EXPECT_LE(std::ssize(answer.ids), kOwnTokens);
        EXPECT_LT(std::ranges::max(answer.ids), vocabulary);
        EXPECT_EQ(count_labels(now[j].labels), 0);
        EXPECT_EQ(std::ranges::count(rows, true), std::ssize(answer.ids));
        EXPECT_TRUE(rows.at(static_cast<std::size_t>(now[j].prompt - 1)));
        EXPECT_FALSE(rows.back());
      }
    }
    EXPECT_EQ(next, answers.size());
  }
}

TEST(OnPolicy, AnswersItsShareByTheSeedAlone) {
  Rng rng(3);
  const ChatRun run(rng);
  const auto chosen = [&](double share, std::int64_t seed) {
    const RunConfig config = run.config({{"experts", {{{"model", "expert"}, {"on_policy", share}}}},
                                         {"batch_size", 8},
                                         {"seed", seed}});
    const auto encoder = std::make_shared<const TextEncoder>(*config.student.tokenizer);
    OnPolicy writer(config, config.experts[0], *encoder, ChatRun::kEntries, hush);
    const auto example = std::make_shared<const Example>(run.short_chat(*encoder));
    Batch batch = pack(std::vector<const Example*>(8, example.get()));
    const auto student = make_student(config.student);
    std::vector<bool> picks(48);
    for (std::int64_t step = 0; step < 6; ++step) {
      for (const OwnAnswer& answer : writer.write(*student, {&batch}, step)) {
        picks[static_cast<std::size_t>(8 * step + answer.sequence)] = true;
      }
    }
    return picks;
  };
  const auto some = chosen(0.4, 1);
  EXPECT_EQ(some, chosen(0.4, 1));
  EXPECT_NE(some, chosen(0.4, 2));
  EXPECT_GT(std::ranges::count(some, true), 8);
  EXPECT_LT(std::ranges::count(some, true), 32);
  EXPECT_EQ(std::ranges::count(chosen(1, 1), true), 48);
}

// log softmax of a row at a temperature.
std::vector<double> log_probabilities(const Tensor& logits, std::int64_t row, double T) {
  const auto values = logits.select(0, row).to(Dtype::F64).to_vector<double>();
  const double largest = std::ranges::max(values);
  double sum = 0;
  for (const double z : values) sum += std::exp((z - largest) / T);
  std::vector<double> log_p;
  for (const double z : values) log_p.push_back((z - largest) / T - std::log(sum));
  return log_p;
}

Tensor logits_of(const LanguageModel& model, const std::vector<std::int32_t>& ids) {
  const NoGrad no_grad;
  const auto T = std::ssize(ids);
  return model.forward(Tensor::from(ids, {1, T})).value().reshape({T, ChatRun::kEntries});
}

// Of each sequence alone, by the definition.
TEST(OnPolicy, TheLossOfAnOwnAnswerIsTheDivergenceOfItsTokens) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const ChatRun run(rng);
  for (const char* tokens : {"all", "labelled"}) {
    const RunConfig config =
        run.config({{"experts", {{{"model", "expert"}, {"on_policy", 0.6}, {"steps", 4}}}},
                    {"loss", {{"tokens", tokens}}},
                    {"batch_size", 4},
                    {"gradient_accumulation", 2}});
    const auto encoder = std::make_shared<const TextEncoder>(*config.student.tokenizer);
    const auto student = make_student(config.student), before = make_student(config.student);
    const auto expert = load_model(run.directory / "expert");
    Trainer trainer(config, student,
                    Dataset::open(config.data.train, encoder,
                                  {.max_seq_len = config.data.max_seq_len,
                                   .loss_on = config.data.loss_on,
                                   .vocab_size = ChatRun::kEntries,
                                   .keep_conversations = true}),
                    hush);
    for (int step = 0; step < 2; ++step) {
      const StepRecord record = trainer.step();
      double kl = 0, ce = 0, counted = 0, labelled = 0, own = 0;
      for (const Example& example : trainer.last_batch().examples()) {
        const Tensor q = logits_of(*before, example.ids), p = logits_of(*expert, example.ids);
        own += example.prompt > 0;
        for (std::int64_t row = 0; row < std::ssize(example.ids); ++row) {
          const std::int32_t label = example.labels[static_cast<std::size_t>(row)];
          const bool counts = example.prompt > 0
                                  ? row >= example.prompt - 1 && row + 1 < std::ssize(example.ids)
                                  : tokens == std::string("all") || label != kNoLabel;
          if (label != kNoLabel) {
            ce -= log_probabilities(q, row, 1)[static_cast<std::size_t>(label)], ++labelled;
          }
          if (!counts) continue;
          ++counted;
          const auto log_p = log_probabilities(p, row, 2), log_q = log_probabilities(q, row, 2);
          for (std::size_t v = 0; v < log_p.size(); ++v) {
            kl += 4 * std::exp(log_p[v]) * (log_p[v] - log_q[v]);
          }
        }
      }
      EXPECT_NEAR(*record.kl, kl / std::max(1.0, counted), 1e-4 * (1 + *record.kl));
      EXPECT_NEAR(record.ce, ce / std::max(1.0, labelled), 1e-4 * (1 + record.ce));
      ASSERT_TRUE(record.on_policy);
      EXPECT_DOUBLE_EQ(record.on_policy->share, own / 4);
    }
  }
}

// As the data's answer with the same text is.
TEST(OnPolicy, AnotherVocabularyReadsAnAnswerAsTheDatas) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Rng rng(seed);
  const ChatRun run(rng);
  const auto encoder = std::make_shared<const TextEncoder>(run.directory / "tokenizer");
  const AlignedTeacher teacher({.name = "e", .model = run.directory / "other"}, encoder,
                               run.directory / "tokenizer", 2,
                               [](const Batch&) { return TeacherAnswer(LogitRows()); });
  const ExampleParser parser(encoder, 200, LossOn::all, ChatRun::kEntries, true);
  ChatPrompts chat(run.directory / "tokenizer", encoder->tokenizer(), hush);
  std::int64_t aligned = 0;
  for (int round = 0; round < 8; ++round) {
    Json messages = Json::parse(R"([{"role": "user", "content": "ab"}])");
    std::string answer;
    for (auto left = random_int(rng, 0, 9); left > 0; --left) {
      answer += "abcde "[random_int(rng, 0, 5)];
    }
    answer = "b" + answer + "d";
    messages.push_back({{"role", "assistant"}, {"content", answer}});
    const Example of_data = parser.parse(Json{{"messages", messages}}.dump());
    const auto prompt = prompt_of(*of_data.conversation);
    Example own = of_data;
    own.prompt = std::ssize(chat.encode(*prompt));
    own.conversation = std::make_shared<const text::Conversation>(*prompt);
    SCOPED_TRACE("\"" + answer + "\"");
    const bool ends = random_int(rng, 0, 2) > 0;
    if (!ends) own.ids.pop_back(), own.labels.pop_back();
    const AlignedReading expected = teacher.read(pack({&of_data}));
    const AlignedReading ours = teacher.read(pack({&own}));
    ASSERT_EQ(ours.all.rows.size(), own.ids.size());
    for (std::int64_t row = 0; row < std::ssize(own.ids); ++row) {
      const auto& got = ours.all.rows[static_cast<std::size_t>(row)];
      const auto& wanted = expected.all.rows[static_cast<std::size_t>(row)];
      if (row < own.prompt - 1 || row + 1 >= std::ssize(own.ids)) {
        EXPECT_EQ(got.teacher_row, -1) << row;
        continue;
      }
      EXPECT_EQ(got.teacher_row, wanted.teacher_row) << row;
      if (got.teacher_row < 0) continue;
      EXPECT_EQ(got.emitted, wanted.emitted) << row;
      EXPECT_EQ(got.next, wanted.next) << row;
      EXPECT_EQ(ends ? got.teacher_end : wanted.teacher_end, wanted.teacher_end) << row;
      ++aligned;
    }
    EXPECT_LE(ours.all.teacher_ids.size(), expected.all.teacher_ids.size());
    EXPECT_TRUE(std::equal(ours.all.teacher_ids.begin(), ours.all.teacher_ids.end(),
                           expected.all.teacher_ids.begin()));
    EXPECT_EQ(teacher.compared(pack({&own}), CrossLoss::project),
              text::count_aligned(ours.all.rows));
  }
  EXPECT_GT(aligned, 0);
}

}  // namespace
}  // namespace gladius::train
