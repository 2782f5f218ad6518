#include "gladius/train/following_run.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "gladius/tensor/base/staged_directory.h"
#include "gladius/train/loop/run_inputs.h"
#include "gladius/train/loop/trainer.h"
#include "gladius/train/run/fingerprint.h"
#include "gladius/train/run/run_directory.h"
#include "gladius/train/teacher/teacher_cache.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

Json names_of(const NamedTensors& tensors) {
  Json names = Json::array();
  for (const auto& [name, tensor] : tensors) {
    names.push_back(
        {{"name", name}, {"shape", tensor.shape()}, {"dtype", dtype_name(tensor.dtype())}});
  }
  return names;
}

NamedTensors with_names(const Json& names) {
  NamedTensors tensors;
  for (const Json& one : names) {
    const Dtype dtype = dtype_from_name(one.at("dtype").get<std::string>());
    tensors.emplace_back(one.at("name").get<std::string>(),
                         Tensor::empty(one.at("shape").get<Shape>(), dtype));
  }
  return tensors;
}

// The same tensors as rank 0 sends them: in memory that may be written, and dense.
void broadcast(Ranks& ranks, const NamedTensors& tensors) {
  std::vector<Tensor> list;
  for (const auto& [name, tensor] : tensors) {
    list.push_back(ranks.leads() ? tensor.contiguous() : tensor);
  }
  ranks.broadcast(list);
}

// What only rank 0 does, and what a start brings.
RunConfig for_follower(RunConfig config, int rank) {
  config.data.eval.clear();
  config.eval_every = 0;
  config.eval_suite.reset();
  config.sample_every = 0;
  config.keep_best = false;
  config.student.init_from.reset();
  config.precision = PrecisionChoice::f32;  // until a start says
  if (config.teacher_cache.path) *config.teacher_cache.path /= fmt::format("rank-{}", rank);
  return config;
}

// Nothing if there is nothing to compute.
std::optional<Checkpoint> receive_start(Ranks& ranks, RunConfig& config) {
  const Json start = Json::parse(cluster::broadcast_text(ranks.communicator(), ""));
  if (start.is_null()) return {};
  config.loss.normalization =
      value_named<LossNormalization>(start.at("normalization").get<std::string>()).value();
  config.precision = value_named<PrecisionChoice>(start.at("precision").get<std::string>()).value();
  Checkpoint checkpoint{.state = TrainerState::from_json(start.at("state")),
                        .weights = with_names(start.at("weights")),
                        .optimizer = with_names(start.at("optimizer")),
                        .gradients = {}};
  broadcast(ranks, checkpoint.weights);
  broadcast(ranks, checkpoint.optimizer);
  return checkpoint;
}

}  // namespace

void send_start(Ranks& ranks, const Checkpoint& checkpoint, const RunConfig& config) {
  const Json start{{"state", checkpoint.state.to_json()},
                   {"normalization", name_of(config.loss.normalization)},
                   {"precision", name_of(config.precision)},
                   {"weights", names_of(checkpoint.weights)},
                   {"optimizer", names_of(checkpoint.optimizer)}};
  cluster::broadcast_text(ranks.communicator(), start.dump());
  broadcast(ranks, checkpoint.weights);
  broadcast(ranks, checkpoint.optimizer);
}

void send_no_start(Ranks& ranks) { cluster::broadcast_text(ranks.communicator(), "null"); }

void follow(const RunConfig& given, const fs::path& out, Ranks& ranks, const RunEvents& events) {
  RunConfig config = for_follower(given, ranks.rank());
  RunInputs inputs = read_inputs(config, events);
  const std::int64_t vocab_size = ModelConfig::load(config.student.config).vocab_size;
  const fs::path own_cache = RunPaths{out}.teacher_cache() / fmt::format("rank-{}", ranks.rank());
  const TeacherCaches caches(config, describe_inputs(config), vocab_size, own_cache);
  const auto start = receive_start(ranks, config);
  if (!start) return;
  const auto open_cache = [&](std::size_t expert) { return caches.open(expert, events.warn); };
  Trainer trainer(config, std::move(inputs.student), std::move(inputs.examples), events.warn,
                  open_cache, &ranks);
  trainer.restore(*start);
  events.begin(trainer.plan(), trainer.state());
  for (Ranks::Next next; (next = ranks.hear()) != Ranks::Next::end;) {
    if (next == Ranks::Next::checkpoint) {
      trainer.checkpoint();
      continue;
    }
    trainer.step();
    while (!trainer.begins_group()) trainer.step();
  }
  std::error_code ignored;  // what is left of it costs nothing but room
  if (trainer.done()) fs::remove_all(own_cache, ignored);
}

}  // namespace gladius::train
