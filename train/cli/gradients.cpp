// gladius gradients: one forward and backward pass.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "commands.h"
#include "gladius/autograd/gradient_statistics.h"
#include "gladius/autograd/ops/losses.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/models/model_directory.h"
#include "gladius/train/loop/nonfinite.h"
#include "gladius/train/run/overwrite.h"
#include "gladius/train/run/pass_memory.h"
#include "gladius/train/run/run_config.h"
#include "output.h"
#include "support.h"
#include "text_input.h"

namespace gladius::cli {
namespace {

constexpr std::int64_t kIgnored = -100;

struct GradientsArguments {
  std::string model, labels, teacher_logits, out;
  TextInput text;
  LossReduction reduction = LossReduction::mean;
  double temperature = 2, alpha = 0.5;
  Divergence divergence = Divergence::forward_kl;
  double beta = 0.5;
  train::LossTokens tokens = train::LossTokens::all;
};

struct Example {
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> labels;
};

// At each position the token that follows, which the last has none of.
std::vector<std::int64_t> next_tokens(const std::vector<std::int32_t>& ids) {
  std::vector<std::int64_t> labels(ids.begin() + 1, ids.end());
  labels.push_back(kIgnored);
  return labels;
}

Example parse_example(const GradientsArguments& options,
                      const std::optional<text::Tokenizer>& tokenizer, std::int64_t vocab_size) {
  Example example{read_tokens(options.text, tokenizer, vocab_size), {}};
  example.labels =
      options.labels.empty() ? next_tokens(example.ids) : parse_ids("--labels", options.labels);
  std::vector<std::int64_t> targets = example.labels;
  std::erase(targets, kIgnored);
  checked_ids("--labels", targets, vocab_size);
  if (example.ids.size() != example.labels.size()) {
    throw ConfigError(fmt::format(
        "--labels has {} tokens and {} has {}; each id needs the label to predict "
        "there, or -100",
        example.labels.size(), options.text.has_ids() ? "--ids" : "--prompt", example.ids.size()));
  }
  const bool compares = !options.teacher_logits.empty() && options.alpha > 0 &&
                        options.tokens == train::LossTokens::all;
  if (targets.empty() && !compares) {
    throw ConfigError("--labels: every label is -100, so there is no loss to differentiate");
  }
  return example;
}

Tensor read_teacher_logits(const std::string& path, std::int64_t T) {
  const Tensor logits = SafetensorsFile::open(path).tensor("logits");
  if (logits.dim() != 2 || logits.size(0) != T || logits.size(1) < 1 ||
      !is_floating_point(logits.dtype())) {
    throw FormatError(fmt::format("{}: logits are {}; floating-point [{}, vocabulary] is expected",
                                  path, logits.describe(), T));
  }
  return logits.to(Dtype::F32);
}

struct Loss {
  Variable loss;
  nlohmann::ordered_json parts;
};

// logits [T, V].
Loss loss_of(const GradientsArguments& options, const Variable& logits, const Tensor& labels) {
  if (options.teacher_logits.empty()) {
    const Variable loss = cross_entropy(logits, labels);
    return {loss, {{"loss", loss.item()}, {"ce", loss.item()}}};
  }
  const Tensor teacher = read_teacher_logits(options.teacher_logits, logits.size(0));
  const DistillationLoss result =
      distillation_loss(logits, teacher, labels,
                        {.temperature = options.temperature,
                         .alpha = options.alpha,
                         .divergence = options.divergence,
                         .beta = options.beta,
                         .labelled_only = options.tokens == train::LossTokens::labelled,
                         .reduction = options.reduction,
                         .vocabulary = std::min(logits.size(1), teacher.size(1))});
  return {result.loss, {{"loss", result.loss.item()}, {"kl", result.kl}, {"ce", result.ce}}};
}

void print_statistics(const nlohmann::ordered_json& losses,
                      const NamedGradientStatistics& statistics) {
  for (const auto& [name, value] : losses.items())
    print("{:<5} {:.6f}\n", name, value.get<double>());
  print("\n{}", format_table(statistics));
}

void print_statistics_as_json(nlohmann::ordered_json document,
                              const NamedGradientStatistics& statistics,
                              const NamedTensors& gradients) {
  nlohmann::ordered_json table;
  for (std::size_t i = 0; i < statistics.size(); ++i) {
    const GradientStatistics& s = statistics[i].second;
    table.push_back({{"name", statistics[i].first},
                     {"shape", gradients[i].second.shape()},
                     {"norm", s.norm},
                     {"mean", s.mean},
                     {"largest", s.largest},
                     {"zeros", s.zeros},
                     {"nan", s.nans}});
  }
  document["gradients"] = std::move(table);
  print_json(document);
}

// The gradients and `loss` [1] as a safetensors file.
void write_results(const std::string& out, NamedTensors results, const Variable& loss) {
  results.emplace_back("loss", loss.value().reshape({1}));
  write_safetensors(out, results);
}

void require_not_an_input(const GradientsArguments& options, const ModelPaths& model) {
  if (options.out.empty()) return;
  auto inputs = train::files_of_model(model);
  if (!options.teacher_logits.empty()) inputs.emplace_back(options.teacher_logits);
  train::require_not_among("--out", options.out, inputs);
}

void gradients(const GradientsArguments& options, const Common& common) {
  const ModelPaths paths = locate_model(options.model, common);
  const auto outline = make_language_model(ModelConfig::load(paths.config));
  const ModelConfig& config = outline->config();
  require_not_an_input(options, paths);
  std::optional<text::Tokenizer> tokenizer;
  if (options.text.has_prompt()) tokenizer = load_tokenizer(common, paths.tokenizer);
  const Example example = parse_example(options, tokenizer, config.vocab_size);
  const std::int64_t T = std::ssize(example.ids), V = config.vocab_size;
  warn_of_length(common, config, T);
  train::require_memory_for_pass(*outline, train::Pass::gradients, T, "the text");
  const auto model = load_model(paths, {.trainable = true, .warn = warner(common)});
  const Variable logits = reshape(model->forward(Tensor::from(example.ids, {1, T})), {T, V});
  const Loss loss = loss_of(options, logits, Tensor::from(example.labels, {T}));
  loss.loss.backward();
  if (!std::isfinite(loss.loss.item())) {
    warn(common,
         fmt::format("the loss is {}: {}", loss.loss.item(), train::explain_nonfinite(*model)));
  }

  NamedTensors results;
  NamedGradientStatistics statistics;
  for (const auto& [name, parameter] : model->named_parameters()) {
    const Tensor gradient = parameter.grad();
    results.emplace_back(name, gradient.defined() ? gradient : Tensor::zeros(parameter.shape()));
    statistics.emplace_back(name, gradient_statistics(results.back().second));
  }
  if (!options.out.empty()) write_results(options.out, results, loss.loss);
  common.json ? print_statistics_as_json(loss.parts, statistics, results)
              : print_statistics(loss.parts, statistics);
}

}  // namespace

void add_gradients(CLI::App& program, const Common& common) {
  auto options = std::make_shared<GradientsArguments>();
  CLI::App* command =
      add_command(program, "gradients", "The loss and gradients of one forward and backward pass",
                  "gladius gradients --model student --ids 1,15043,29871 --labels 15043,29871,-100 "
                  "--out gradients.safetensors");
  add_model_option(*command, options->model);
  add_text_input(*command, options->text, "Text of one sequence",
                 "Token ids of one sequence: 1,2,3", /*required=*/true);
  command->add_option("--labels", options->labels,
                      "The token to predict at each position: 2,3,-100; -100 is ignored (default: "
                      "the one that follows)");
  command
      ->add_option("--teacher-logits", options->teacher_logits,
                   "safetensors file with `logits` [tokens, vocabulary]; adds the divergence. "
                   "Of vocabularies of two sizes, the first entries that both have count")
      ->type_name("FILE");
  command->add_option("--temperature", options->temperature, "Temperature of the distillation")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--alpha", options->alpha, "Weight of the divergence; cross-entropy: 1 - it")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  add_choice(*command, "--divergence", options->divergence,
             "What the student differs from the teacher by, as a run file's loss.divergence")
      ->default_str(name_of(options->divergence));
  command->add_option("--beta", options->beta, "The teacher's share in the mixture of jsd, skew_kl")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  add_choice(*command, "--tokens", options->tokens,
             "The tokens that the divergence counts: all, or those with a label")
      ->default_str(name_of(options->tokens));
  add_choice(*command, "--reduction", options->reduction,
             "Of the divergence: mean over the tokens, or batchmean, their sum")
      ->default_str(name_of(options->reduction));
  command
      ->add_option("--out", options->out,
                   "safetensors file to write: `loss` [1], and gradients by parameter")
      ->type_name("FILE");
  command->callback([options, &common] { gradients(*options, common); });
}

}  // namespace gladius::cli
