#include "gladius/train/data/batch_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "gladius/train/data/batch_logits.h"
#include "support/message_of.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

// Example i is `lengths[i]` tokens i.
Dataset examples_of(const std::vector<std::int64_t>& lengths) {
  std::vector<Example> examples;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto length = static_cast<std::size_t>(lengths[i]);
    examples.push_back(next_token_example(
        std::vector<std::int32_t>(length, static_cast<std::int32_t>(i)), lengths[i]));
  }
  return examples;
}

std::vector<std::int64_t> ids_of(const Batch& batch) { return batch.ids.to_vector<std::int64_t>(); }

TEST(BatchStream, TakesExamplesInOrder) {
  BatchStream stream(examples_of({1, 2, 3}), {.batch_size = 2});
  EXPECT_THAT(ids_of(stream.next()), ElementsAre(0, 1, 1));
  EXPECT_EQ(stream.position(), 2);
  EXPECT_THAT(ids_of(stream.next()), ElementsAre(2, 2, 2, 0));
  EXPECT_EQ(stream.position(), 4);
}

TEST(BatchStream, PacksWhatFits) {
  BatchStream stream(examples_of({2, 2, 3, 5, 1, 1}), {.packing = true, .max_seq_len = 5});
  const Batch first = stream.next();
  EXPECT_THAT(ids_of(first), ElementsAre(0, 0, 1, 1));
  EXPECT_EQ(first.sequences, 2);
  EXPECT_EQ(stream.position(), 2);
  EXPECT_THAT(first.context.positions.to_vector<std::int64_t>(), ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(first.labels.to_vector<std::int64_t>(), ElementsAre(0, -100, 1, -100));
  EXPECT_THAT(ids_of(stream.next()), ElementsAre(2, 2, 2));
  EXPECT_THAT(ids_of(stream.next()), ElementsAre(3, 3, 3, 3, 3));
  EXPECT_THAT(ids_of(stream.next()), ElementsAre(4, 5));  // the epoch ends
  EXPECT_THAT(ids_of(stream.next()), ElementsAre(0, 0, 1, 1));
}

// Batches that were looked at are given as if they had not been, and count when they are given.
TEST(BatchStream, LooksAhead) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::Rng rng(seed);
  const std::vector<std::int64_t> lengths{2, 2, 3, 5, 1, 1};
  const BatchOptions options{
      .batch_size = 2, .packing = true, .max_seq_len = 5, .shuffle = true, .seed = seed};
  BatchStream plain(examples_of(lengths), options), looking(examples_of(lengths), options);
  for (int i = 0; i < 30; ++i) {
    const std::int64_t count = testing::random_int(rng, 0, 4);
    const auto place = looking.place();
    const auto ahead = looking.look_ahead(count);
    ASSERT_EQ(std::ssize(ahead), count);
    EXPECT_EQ(looking.position(), place.position);
    if (testing::random_int(rng, 0, 4) == 0) looking.seek(place);
    const auto expected = ids_of(plain.next());
    EXPECT_EQ(ids_of(*looking.look_ahead(1)[0]), expected);
    EXPECT_EQ(ids_of(looking.next()), expected);
    EXPECT_EQ(looking.position(), plain.position());
    EXPECT_EQ(looking.place().read, plain.place().read);
  }
}

// A model's logits of a packed batch are those of each example alone.
TEST(BatchStream, NoTokenSeesAnotherExample) {
  testing::Rng rng(5);
  const auto examples = testing::learnable_examples(rng, 4, 2, 6, 50);
  const auto model = testing::tiny_model(testing::tiny_config(50), 3);
  BatchStream stream(examples, {.packing = true, .max_seq_len = 100});
  const Batch batch = stream.next();
  ASSERT_EQ(batch.sequences, 4);
  const auto packed = batch_logits(*model, batch).value().to_vector<float>();
  std::size_t at = 0;
  for (const Example& example : examples) {
    const std::vector<std::int64_t> ids(example.ids.begin(), example.ids.end());
    const auto alone =
        model->forward(Tensor::from(ids, {1, std::ssize(ids)})).value().to_vector<float>();
    for (const float logit : alone) ASSERT_NEAR(packed[at++], logit, 1e-5f);
  }
  EXPECT_EQ(at, packed.size());
}

class BadLines : public ::testing::Test {
 protected:
  // Of `lines` random lines, one in four bad.
  Dataset data(std::mt19937_64& rng, std::int64_t lines) {
    std::string contents = "{\"input_ids\": [1]}\n";
    for (std::int64_t i = 1; i < lines; ++i) {
      const bool bad = testing::random_int(rng, 0, 3) == 0;
      bad_ += bad;
      std::vector<std::int64_t> ids(static_cast<std::size_t>(testing::random_int(rng, 1, 6)), i);
      contents += bad ? "{}\n" : testing::Json{{"input_ids", ids}}.dump() + "\n";
    }
    return open(contents);
  }
  Dataset open(const std::string& contents) {
    testing::write_file(directory_ / "data.jsonl", contents);
    return Dataset::open({directory_ / "data.jsonl"}, nullptr,
                         {.vocab_size = 1000, .on_bad_line = OnBadLine::skip});
  }

  testing::TemporaryDirectory directory_;
  std::int64_t bad_ = 0;
};

TEST_F(BadLines, CountOnceAndLeaveTheRest) {
  std::mt19937_64 rng(1);
  BatchStream stream(data(rng, 40), {});
  std::vector<std::int64_t> first, second;
  while (stream.position() < 40) first.push_back(ids_of(stream.next())[0]);
  const std::int64_t skipped = stream.skipped();
  EXPECT_EQ(std::ssize(first), 40 - bad_ + (stream.position() > 40));
  for (std::int64_t i = 0; i < 40; ++i) stream.next();
  EXPECT_EQ(stream.skipped(), bad_);
  EXPECT_LE(skipped, bad_);
}

TEST_F(BadLines, AreNotAllThereIs) {
  BatchStream stream(open("{}\n{}\n"), {});
  EXPECT_THAT(message_of<FormatError>([&] { stream.next(); }), HasSubstr("every line is bad"));
}

// The shuffles of two epochs may put all bad lines between their good ones.
TEST_F(BadLines, OneGoodLineIsFoundInEveryOrder) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    BatchStream stream(open("{}\n{\"input_ids\": [7]}\n{}\n"), {.shuffle = true, .seed = seed});
    for (int i = 0; i < 5; ++i) ASSERT_THAT(ids_of(stream.next()), ElementsAre(7)) << seed;
  }
}

TEST_F(BadLines, PositionsAreExactWithPackingShufflingAndBadLines) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 rng(seed);
  for (int trial = 0; trial < 20; ++trial) {
    const Dataset examples = data(rng, testing::random_int(rng, 1, 30));
    const BatchOptions options{.batch_size = testing::random_int(rng, 1, 3),
                               .packing = testing::random_int(rng, 0, 1) == 1,
                               .max_seq_len = testing::random_int(rng, 6, 20),
                               .shuffle = testing::random_int(rng, 0, 1) == 1,
                               .seed = seed};
    const auto open_again = [&] {
      return Dataset::open({directory_ / "data.jsonl"}, nullptr,
                           {.vocab_size = 1000, .on_bad_line = OnBadLine::skip});
    };
    BatchStream whole(open_again(), options);
    for (int i = 0; i < 20; ++i) {
      BatchStream later(open_again(), options);
      later.seek(whole.place());
      ASSERT_EQ(ids_of(later.next()), ids_of(whole.next()));
      ASSERT_EQ(later.position(), whole.position());
      ASSERT_EQ(later.skipped(), whole.skipped());
      ASSERT_EQ(later.place().read, whole.place().read);
    }
  }
}

}  // namespace
}  // namespace gladius::train
