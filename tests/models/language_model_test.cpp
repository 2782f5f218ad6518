#include "gladius/models/language_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "gladius/autograd/ops/losses.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/models/generation/generate.h"
#include "support/message_of.h"
#include "support/random_models.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::random_ids;
using testing::random_int;
using testing::random_model;
using testing::Rng;

using Ids = std::vector<std::int32_t>;

float largest_of(const std::vector<float>& values) {
  float largest = 1e-3F;
  for (const float x : values) largest = std::max(largest, std::abs(x));
  return largest;
}

// To the rounding of numbers that are computed from others as large as `largest`.
void expect_near(const std::vector<float>& a, const std::vector<float>& b, float largest,
                 const char* what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], 1e-4 * largest) << what << ", element " << i;
}
void expect_near(const std::vector<float>& a, const std::vector<float>& b, const char* what) {
  expect_near(a, b, largest_of(b), what);
}

std::vector<float> logits_of(const LanguageModel& model, const Ids& ids) {
  return model.forward(Tensor::from(ids, {1, std::ssize(ids)})).value().to_vector<float>();
}

// Gradients of the sum (not the mean) of the cross-entropies, so that sequences add up.
std::vector<std::vector<float>> gradients(LanguageModel& model, const std::vector<Ids>& sequences,
                                          bool packed) {
  model.zero_grad();
  const std::int64_t V = model.config().vocab_size;
  const auto backward = [&](const Ids& ids, const TokenContext& context) {
    const std::int64_t T = std::ssize(ids);
    const Variable hidden = model.hidden_states(Tensor::from(ids, {1, T}), context);
    const Variable loss =
        cross_entropy(reshape(model.head(hidden), {T, V}), Tensor::from(ids, {T}));
    loss.backward(Variable(Tensor::scalar(static_cast<double>(T))));
  };
  Ids all;
  std::vector<std::int64_t> lengths;
  for (const Ids& ids : sequences) {
    all.insert(all.end(), ids.begin(), ids.end());
    lengths.push_back(std::ssize(ids));
    if (!packed) backward(ids, sequential_context(1, std::ssize(ids)));
  }
  if (packed) backward(all, packed_context(lengths));
  std::vector<std::vector<float>> result;
  for (const Variable& parameter : model.parameters())
    result.push_back(parameter.grad().to_vector<float>());
  return result;
}

class RandomModels : public ::testing::TestWithParam<int> {
 protected:
  const std::uint64_t seed_ = std::random_device{}();
  ::testing::ScopedTrace trace_{__FILE__, __LINE__, "seed " + std::to_string(seed_)};
  Rng rng_{seed_};

  // With windows of 3 in every second one.
  std::unique_ptr<LanguageModel> model() {
    auto json = testing::random_config_json(rng_);
    if (json["model_type"] != "llama" && random_int(rng_, 0, 1) == 1) {
      json["use_sliding_window"] = true;
      json["sliding_window"] = 3;
      json["max_window_layers"] = random_int(rng_, 0, 2);
    }
    return random_model(rng_, json);
  }
  Ids ids(const LanguageModel& model, std::int64_t count) {
    return random_ids(rng_, model.config().vocab_size, count);
  }
};

TEST_P(RandomModels, TheCacheContinuesASequence) {
  const auto model = this->model();
  const std::int64_t T = random_int(rng_, 2, 20);
  const Ids all = ids(*model, T);
  KvCache cache = model->make_cache(1, 1);
  std::vector<float> pieces;
  for (std::int64_t start = 0; start < T;) {
    const std::int64_t n = random_int(rng_, 1, T - start);
    cache.reserve(start + n);
    const Ids part(all.begin() + start, all.begin() + start + n);
    const auto logits = model
                            ->head(model->hidden_states(Tensor::from(part, {1, n}),
                                                        sequential_context(1, n, start), &cache))
                            .value()
                            .to_vector<float>();
    pieces.insert(pieces.end(), logits.begin(), logits.end());
    start += n;
    EXPECT_EQ(cache.length(), start);
  }
  expect_near(pieces, logits_of(*model, all), "logits");
}

TEST_P(RandomModels, PackedSequencesDoNotSeeEachOther) {
  const auto model = this->model();
  std::vector<Ids> sequences;
  Ids all;
  std::vector<float> expected;
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = random_int(rng_, 1, 4); i > 0; --i) {
    const Ids next = ids(*model, random_int(rng_, 1, 9));
    const auto logits = logits_of(*model, next);
    expected.insert(expected.end(), logits.begin(), logits.end());
    all.insert(all.end(), next.begin(), next.end());
    lengths.push_back(std::ssize(next));
    sequences.push_back(next);
  }
  const Variable hidden =
      model->hidden_states(Tensor::from(all, {1, std::ssize(all)}), packed_context(lengths));
  expect_near(model->head(hidden).value().to_vector<float>(), expected, "logits");

  model->set_requires_grad(true);
  const auto together = gradients(*model, sequences, true);
  const auto apart = gradients(*model, sequences, false);
  // Those of queries and keys are small differences of what the other gradients are made of.
  float largest = 0;
  for (const auto& gradient : apart) largest = std::max(largest, largest_of(gradient));
  const NamedVariables parameters = model->named_parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i)
    expect_near(together[i], apart[i], largest, parameters[i].first.c_str());
}

TEST_P(RandomModels, ActivationCheckpointingChangesNoBit) {
  const auto model = this->model();
  model->set_requires_grad(true);
  std::vector<Ids> sequences;
  for (int i = 0; i < 3; ++i) sequences.push_back(ids(*model, random_int(rng_, 1, 12)));
  const auto plain = gradients(*model, sequences, true);
  model->set_activation_checkpointing(true);
  EXPECT_EQ(gradients(*model, sequences, true), plain);
  EXPECT_EQ(gradients(*model, sequences, true), plain);
}

TEST_P(RandomModels, LaterTokensDoNotChangeEarlierLogits) {
  const auto model = this->model();
  const std::int64_t T = random_int(rng_, 2, 12), V = model->config().vocab_size;
  Ids all = ids(*model, T);
  auto before = logits_of(*model, all);
  all.back() = (all.back() + 1) % V;
  auto after = logits_of(*model, all);
  const auto kept = static_cast<std::size_t>((T - 1) * V);
  EXPECT_NE(std::vector<float>(before.begin() + (T - 1) * V, before.end()),
            std::vector<float>(after.begin() + (T - 1) * V, after.end()));
  before.resize(kept);
  after.resize(kept);
  expect_near(after, before, "logits");
}

INSTANTIATE_TEST_SUITE_P(Rounds, RandomModels, ::testing::Range(0, 8));

TEST_P(RandomModels, ParametersHaveRoles) {
  const auto model = this->model();
  const auto role_of = [](const std::string& name) {
    if (name.ends_with(".bias")) return nn::ParameterRole::bias;
    if (name.ends_with("norm.weight")) return nn::ParameterRole::norm;
    if (name == "model.embed_tokens.weight") return nn::ParameterRole::embedding;
    return name == "lm_head.weight" ? nn::ParameterRole::head : nn::ParameterRole::matrix;
  };
  std::int64_t count = 0;
  for (const auto& [name, parameter, role] : model->parameters_with_roles()) {
    EXPECT_EQ(role, role_of(name)) << name;
    count += parameter.numel();
  }
  EXPECT_EQ(count, model->num_parameters());
}

// Const methods change nothing, so threads that share a model do not see each other.
TEST_P(RandomModels, ThreadsShareAModel) {
  const auto model = this->model();
  std::vector<Ids> prompts, expected(4), actual(4);
  for (int i = 0; i < 4; ++i) prompts.push_back(ids(*model, random_int(rng_, 1, 9)));
  const auto answer = [&](std::size_t i) {
    GenerateOptions options;
    options.max_new_tokens = 12;
    options.seed = i;
    return generate(*model, prompts[i], options);
  };
  for (std::size_t i = 0; i < 4; ++i) expected[i] = answer(i);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) threads.emplace_back([&, i] { actual[i] = answer(i); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(actual, expected);
}

TEST(LanguageModel, AWindowHidesWhatIsBeforeIt) {
  Rng rng(5);
  nlohmann::ordered_json json{{"architectures", {"Qwen2ForCausalLM"}},
                              {"vocab_size", 20},
                              {"hidden_size", 16},
                              {"intermediate_size", 20},
                              {"num_hidden_layers", 1},
                              {"num_attention_heads", 2},
                              {"use_sliding_window", true},
                              {"sliding_window", 3},
                              {"max_window_layers", 0},
                              {"initializer_range", 0.3}};
  const auto model = random_model(rng, json);
  const auto last = [&](const Ids& ids) {
    const auto logits = logits_of(*model, ids);
    return std::vector<float>(logits.end() - 20, logits.end());
  };
  expect_near(last({1, 2, 3, 4, 5}), last({9, 8, 3, 4, 5}), "the last three tokens alone count");
  EXPECT_NE(last({1, 2, 3, 4, 5}), last({1, 2, 7, 4, 5}));
}

TEST(LanguageModel, FreshWeightsFollowTheConfigAndTheSeed) {
  Rng rng(6);
  auto json = testing::random_config_json(rng);
  json["vocab_size"] = 3000;
  const auto fresh = [&](std::uint64_t seed) {
    const auto model = make_language_model(ModelConfig::parse(json, "config"));
    Generator generator(seed);
    model->init_weights(generator);
    return model->state_dict();
  };
  const NamedTensors a = fresh(1), b = fresh(1), c = fresh(2);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto& [name, tensor] = a[i];
    const auto values = tensor.to_vector<double>();
    EXPECT_EQ(values, b[i].second.to_vector<double>()) << name;
    if (tensor.dim() == 1) {
      const double constant = name.ends_with("bias") ? 0 : 1;
      EXPECT_THAT(values, ::testing::Each(constant)) << name;
    } else {
      EXPECT_NE(values, c[i].second.to_vector<double>()) << name;
    }
    if (name != "model.embed_tokens.weight") continue;
    double squares = 0;
    for (const double x : values) squares += x * x;
    EXPECT_NEAR(std::sqrt(squares / static_cast<double>(values.size())), 0.2, 0.005);
  }
}

TEST(LanguageModel, BadIdsAreRefused) {
  Rng rng(7);
  const auto model = random_model(rng);
  const auto V = static_cast<std::int32_t>(model->config().vocab_size);
  for (const std::int32_t id : {-1, V}) {
    EXPECT_THAT(message_of<ShapeError>([&] {
                  logits_of(*model, {0, id});
                }),
                HasSubstr("id " + std::to_string(id)));
  }
  EXPECT_THAT(message_of<ShapeError>([&] { logits_of(*model, {}); }), HasSubstr("no tokens"));
  EXPECT_THAT(message_of<ShapeError>([&] { model->forward(Tensor::arange(1)); }),
              HasSubstr("are not [B, T]"));
}

}  // namespace
}  // namespace gladius
