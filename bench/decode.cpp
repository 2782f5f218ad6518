// Times generation, a token at a time, beside its bound, measured in the same run: the weights that
// a token needs, read once at the memory's rate. The rate is that of a triad and, since generation
// only reads, that of reading alone.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "gladius/models/generation/generate.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/parallel.h"
#include "gladius/tensor/random.h"
#include "support/measure.h"
#include "support/roofline.h"

namespace gladius::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::string config, model;
  std::string dtype = "f32";
  std::int64_t prompt = 16;
  std::int64_t tokens = 16;
  int repeats = 7;
  int threads = 0;
  bool json = false;
};

// A model of the configuration with random weights of the type, in memory.
std::unique_ptr<LanguageModel> random_model(const std::string& config, Dtype dtype) {
  auto model = make_language_model(ModelConfig::load(config));
  Generator generator(0);
  NamedTensors weights;
  for (const auto& [name, parameter] : model->named_parameters()) {
    Tensor value = Tensor::ones(parameter.shape());
    if (parameter.dim() > 1) fill_normal_(value, generator, 0, model->config().initializer_range);
    weights.emplace_back(name, value.to(dtype));
  }
  model->set_requires_grad(false);  // of 16 bits they cannot have gradients
  model->load_state_dict(weights);
  return model;
}

// All weights but those of the embeddings, of which a token needs one row; tied ones are the head.
double bytes_per_token(const LanguageModel& model) {
  double bytes = 0;
  for (const auto& [name, parameter] : model.named_parameters()) {
    if (name == "model.embed_tokens.weight" && !model.config().tie_word_embeddings) continue;
    bytes += static_cast<double>(dtype_bytes(parameter.dtype(), parameter.numel()));
  }
  return bytes;
}

// Seconds of each token but the first, which waits for the pass over the prompt.
std::vector<double> token_seconds(const LanguageModel& model,
                                  const std::vector<std::int32_t>& prompt, std::int64_t tokens) {
  std::vector<double> seconds;
  Clock::time_point last;
  const GenerateOptions options{
      .sampling = {.greedy = true}, .max_new_tokens = tokens + 1, .eos_token_ids = {}, .seed = 0};
  generate(model, prompt, options, [&](std::int32_t) {
    const Clock::time_point now = Clock::now();
    if (last != Clock::time_point())
      seconds.push_back(std::chrono::duration<double>(now - last).count());
    last = now;
  });
  return seconds;
}

nlohmann::ordered_json measure(const LanguageModel& model, const Settings& settings) {
  Generator generator(1);
  std::vector<std::int32_t> prompt;
  for (std::int64_t t = 0; t < settings.prompt; ++t)
    prompt.push_back(static_cast<std::int32_t>(generator.randint(0, model.config().vocab_size)));
  const double bytes = bytes_per_token(model);
  MemoryStreams streams;
  token_seconds(model, prompt, 1);  // maps the weights' pages
  std::vector<double> token, triad, read, of_triad, of_read;
  for (int i = 0; i < settings.repeats; ++i) {
    // Alternating, so that other programs on the machine disturb all alike.
    triad.push_back(streams.triad());
    read.push_back(streams.read());
    token.push_back(median(token_seconds(model, prompt, settings.tokens)));
    of_triad.push_back(bytes / token.back() / triad.back());
    of_read.push_back(bytes / token.back() / read.back());
  }
  return {{"parameters", model.num_parameters()},
          {"threads", num_threads()},
          {"prompt_tokens", settings.prompt},
          {"new_tokens", settings.tokens},
          {"weights_bytes_per_token", bytes},
          {"token_s", median(token)},
          {"token_min_s", *std::ranges::min_element(token)},
          {"token_max_s", *std::ranges::max_element(token)},
          {"tokens_per_s", 1 / median(token)},
          {"weights_bytes_per_s", bytes / median(token)},
          {"triad_bytes_per_s", median(triad)},
          {"read_bytes_per_s", median(read)},
          {"bound_s", bytes / median(triad)},
          {"of_triad", median(of_triad)},
          {"of_read", median(of_read)}};
}

void print(const nlohmann::ordered_json& result) {
  const auto value = [&](const char* key) { return result.at(key).get<double>(); };
  fmt::print(
      "{} parameters, {} threads, {} tokens after {}\n"
      "{:.2f} ms a token ({:.2f} to {:.2f}), {:.1f} tokens/s; bound by the triad {:.2f} ms\n"
      "weights {:.2f} GB a token, {:.1f} GB/s; triad {:.1f} GB/s, reading {:.1f} GB/s\n"
      "of the triad's rate {:.2f}, of the reading rate {:.2f} (medians of ratios)\n",
      result.at("parameters").get<std::int64_t>(), result.at("threads").get<int>(),
      result.at("new_tokens").get<std::int64_t>(), result.at("prompt_tokens").get<std::int64_t>(),
      1e3 * value("token_s"), 1e3 * value("token_min_s"), 1e3 * value("token_max_s"),
      value("tokens_per_s"), 1e3 * value("bound_s"), value("weights_bytes_per_token") / 1e9,
      value("weights_bytes_per_s") / 1e9, value("triad_bytes_per_s") / 1e9,
      value("read_bytes_per_s") / 1e9, value("of_triad"), value("of_read"));
}

void run(const Settings& settings) {
  if (settings.threads > 0) set_num_threads(settings.threads);
  const auto model = settings.model.empty()
                         ? random_model(settings.config, dtype_from_name(settings.dtype))
                         : load_model(settings.model);
  const nlohmann::ordered_json result = measure(*model, settings);
  settings.json ? fmt::print("{}\n", result.dump(2)) : print(result);
}

}  // namespace
}  // namespace gladius::bench

int main(int argc, char** argv) {
  gladius::bench::Settings settings;
  settings.config = GLADIUS_SOURCE_DIR "/configs/gladius-125m.json";
  CLI::App program("Times generation beside the memory's bound.", "decode");
  CLI::Option* config =
      program.add_option("--config", settings.config, "Configuration of a random model")
          ->capture_default_str();
  program.add_option("--dtype", settings.dtype, "Its weights' type")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->capture_default_str();
  program.add_option("--model", settings.model, "Model directory, its files mapped")
      ->excludes(config);
  program.add_option("--prompt", settings.prompt, "Tokens of the prompt")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--tokens", settings.tokens, "Tokens to generate a repeat")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--repeats", settings.repeats, "Repeats")->check(CLI::PositiveNumber);
  program.add_option("--threads", settings.threads, "Threads (default: all)");
  program.add_flag("--json", settings.json, "Print JSON");
  CLI11_PARSE(program, argc, argv);
  return gladius::bench::exit_code("decode", [&] { gladius::bench::run(settings); });
}
