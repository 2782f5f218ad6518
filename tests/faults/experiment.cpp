#include "faults/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "gladius/tensor/base/sha256.h"
#include "gladius/train/run/checkpoint.h"
#include "gladius/train/run/metrics.h"
#include "gladius/train/run/run_directory.h"
#include "train/run/run_events.h"

namespace gladius::faults {

namespace fs = std::filesystem;
using testing::Json;
using testing::read_file;
using testing::write_file;

Experiment::Experiment(std::int64_t steps, std::int64_t checkpoint_every) {
  Json run = inputs_.distillation_file();
  for (Json& expert : run["experts"]) expert["steps"] = steps;
  run["checkpoint_every"] = checkpoint_every;
  run["data"]["eval"] = "eval.jsonl";
  run["eval_every"] = 3;
  run["keep_best"] = true;
  run["teacher_cache"]["max_gb"] = 1;
  write_file(input("eval.jsonl"), read_file(input("data.jsonl")));
  write_file(input("run.json"), run.dump());

  const fs::path out = fresh(), log = input("calls");
  const auto start = std::chrono::steady_clock::now();
  const Ending ending = this->run(out, preload({{"LOG", log.string()}}));
  duration_ = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);
  if (ending.code != 0) throw std::runtime_error("the undisturbed run failed: " + ending.err);
  for (const Same same : {Same::weights, Same::metrics, Same::everything}) {
    expected_[same] = result(out, same);
  }
  const std::string lines = read_file(log);
  calls_ = std::ranges::count(lines, '\n');
  fs::remove_all(out);
}

std::vector<std::string> Experiment::command(const fs::path& out) const {
  std::vector<std::string> words{
      "distill", input("run.json").string(), "--out", out.string(), "--threads", "1", "--log-level",
      "warning"};
  if (fs::exists(train::RunPaths{out}.run_json())) words.push_back("--resume");
  return words;
}

Ending Experiment::run(const fs::path& out, const Environment& environment) const {
  return Process(command(out), err(), environment).wait();
}

fs::path Experiment::fresh() const {
  static int count = 0;
  return inputs_.directory / fmt::format("out{}", count++);
}

std::string Experiment::recover(const fs::path& out, Same same) const {
  const Ending ending = run(out);
  if (ending.code != 0) return fmt::format("does not go on: {}", ending.err);
  if (result(out, same) != expected_.at(same)) return "other results than undisturbed";
  if (train::list_checkpoints(train::RunPaths{out}.checkpoints()).size() > 2)
    return "leaves checkpoints";
  for (const auto& entry : fs::recursive_directory_iterator(out)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".staged") || name.find(".tmp-") != std::string::npos) {
      return fmt::format("leaves {}", entry.path().string());
    }
  }
  fs::remove_all(out);
  return "";
}

std::string Experiment::result(const fs::path& out, Same same) const {
  const train::RunPaths paths{out};
  std::string text = sha256_file(paths.model() / "model.safetensors");
  if (same == Same::weights) return text;
  double elapsed = 0;
  for (const train::StepRecord& record : train::read_metrics(paths.metrics())) {
    Json json = record.to_json();
    json.erase("tokens_per_s");
    json.erase("elapsed_s");
    json.erase("memory_mib");
    text += '\n';
    text += json.dump();
    if (record.elapsed_s < elapsed) text += " (time goes back)";
    elapsed = record.elapsed_s;
  }
  text += testing::events_differ(paths);
  for (const fs::path& file : {paths.evaluation(), paths.expert_evaluations()}) {
    text += read_file(file);
  }
  if (same == Same::metrics) return text;
  return text + read_file(paths.best() / "evaluation.json") +
         sha256_file(paths.best() / "model.safetensors");
}

Environment preload(const Environment& settings) {
  Environment environment{{"LD_PRELOAD", GLADIUS_FAILING_CALLS}};
  for (const auto& [name, value] : settings)
    environment[fmt::format("GLADIUS_FAULT_{}", name)] = value;
  return environment;
}

}  // namespace gladius::faults
