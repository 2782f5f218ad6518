#include "gladius/train/loop/gradient_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "gladius/optim/clip_grad.h"
#include "support/random.h"
#include "train/tiny_runs.h"

namespace gladius::train {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Json;
using testing::TinyRun;

TEST(GradientParts, AreTheLayersAndWhatIsOutsideOfThem) {
  const Variable none;
  const GradientParts parts({{"model.embed_tokens.weight", none},
                             {"model.layers.0.mlp.up_proj.weight", none},
                             {"model.layers.10.self_attn.q_proj.bias", none},
                             {"model.layers.0.input_layernorm.weight", none},
                             {"model.norm.weight", none},
                             {"lm_head.weight", none},
                             {"alone", none}});
  std::vector<std::string> names;
  std::vector<double> norms;
  for (const auto& [name, norm] : parts.norms({1, 4, 9, 5, 16, 0, 25})) {
    names.push_back(name);
    norms.push_back(norm);
  }
  EXPECT_THAT(names,
              ElementsAre("embed_tokens", "layers.0", "layers.10", "norm", "lm_head", "alone"));
  EXPECT_THAT(norms, ElementsAre(1, 3, 3, 4, 0, 5));
}

// Random lengths of groups, and random numbers of steps between those that are logged.
TEST(GradientParts, ARunRecordsThemOfTheUpdatesThatHaveALoggedStep) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  testing::Rng rng(seed);
  for (int round = 0; round < 6; ++round) {
    const TinyRun run;
    Json file = run.distillation_file();
    const std::int64_t every = testing::random_int(rng, 1, 7);
    const std::int64_t group = testing::random_int(rng, 1, 5);
    file["log_every"] = every;
    file["gradient_accumulation"] = group;
    const RunConfig config = run.config(file);
    testing::execute(config, run.directory / "out");
    const TrainingPlan plan(config);
    for (const StepRecord& record : read_metrics(run.directory / "out/metrics.jsonl")) {
      SCOPED_TRACE(record.step);
      bool logged = false;
      for (std::int64_t step = plan.group_begin(record.step); step <= record.step; ++step) {
        logged = logged || step % every == 0;
      }
      logged = logged && plan.ends_group(record.step);
      EXPECT_EQ(!record.grad_norms.empty(), logged);
      EXPECT_EQ(record.memory_mib.has_value(), record.step % every == 0);
      EXPECT_GE(record.memory_mib.value_or(1), 1);
      if (!logged) continue;
      double squares = 0;
      std::vector<std::string> names;
      for (const auto& [name, norm] : record.grad_norms) {
        names.push_back(name);
        squares += norm * norm;
      }
      EXPECT_THAT(names, ElementsAre("embed_tokens", "layers.0", "layers.1", "norm", "lm_head"));
      EXPECT_NEAR(std::sqrt(squares), *record.grad_norm, 1e-12 * *record.grad_norm);
    }
  }
}

// Each part against the sum over its parameters' elements.
TEST(GradientParts, NormsAreThoseOfTheElements) {
  testing::Rng rng(5);
  const auto model = testing::tiny_model(testing::tiny_config(30), 3);
  model->set_requires_grad(true);
  std::map<std::string, long double> expected;
  for (auto [name, parameter] : model->named_parameters()) {
    const Tensor gradient = testing::random_tensor(rng, parameter.shape(), -2, 2, Dtype::F32);
    parameter.set_grad(gradient);
    std::string part = name.starts_with("model.") ? name.substr(6) : name;
    part = part.starts_with("layers.") ? part.substr(0, 8) : part.substr(0, part.rfind('.'));
    for (const double g : gradient.to_vector<double>()) expected[part] += g * g;
  }
  const auto norms =
      GradientParts(model->named_parameters()).norms(gradient_squares(model->parameters()));
  ASSERT_EQ(norms.size(), expected.size());
  for (const auto& [part, norm] : norms) {
    EXPECT_NEAR(norm, static_cast<double>(std::sqrt(expected.at(part))), 1e-6 * norm) << part;
  }
}

}  // namespace
}  // namespace gladius::train
