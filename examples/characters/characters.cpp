// Trains a small Llama on the characters of a text file, and lets it write:
//   characters [TEXT_FILE]
#include <algorithm>
#include <cstdio>
#include <exception>
#include <span>

#include "alphabet.h"
#include "gladius/gladius.h"

using namespace gladius;

constexpr std::int64_t kContext = 128;  // characters that the model sees at once
constexpr std::int64_t kBatch = 8;
constexpr int kSteps = 400;

// The configuration is a config.json's. Weights are drawn wider than usual: at this width 0.02
// would keep attention flat for long.
std::unique_ptr<LanguageModel> make_model(std::int64_t vocab_size, Generator& generator) {
  const nlohmann::ordered_json config = {{"model_type", "llama"},    {"vocab_size", vocab_size},
                                         {"hidden_size", 64},        {"intermediate_size", 192},
                                         {"num_hidden_layers", 2},   {"num_attention_heads", 4},
                                         {"initializer_range", 0.08}};
  auto model = make_language_model(ModelConfig::parse(config, "characters"));
  model->init_weights(generator);
  return model;
}

struct Batch {
  Tensor inputs;  // I32 [B, T]
  Tensor labels;  // I32 [B * T], for each input the character after it
};

// Pieces from anywhere in the text, whose ids are I32 [N].
Batch random_batch(const Tensor& text, Generator& generator) {
  const std::int64_t N = text.numel(), T = std::min(kContext, N - 1);
  std::vector<Tensor> pieces;
  for (std::int64_t i = 0; i < kBatch; ++i) {
    pieces.push_back(text.narrow(0, generator.randint(0, N - T), T + 1));
  }
  const Tensor batch = stack(pieces);  // [B, T + 1]
  return {batch.narrow(1, 0, T), batch.narrow(1, 1, T).reshape({kBatch * T})};
}

void learn(LanguageModel& model, const Tensor& text, Generator& generator) {
  AdamW optimizer(model.named_parameters(), {.lr = 1e-2});
  const LrSchedule schedule{ScheduleKind::cosine, /*warmup_steps=*/20, /*total_steps=*/kSteps};
  double first = 0, last = 0;
  for (int step = 0; step < kSteps; ++step) {
    const Batch batch = random_batch(text, generator);
    optimizer.zero_grad();
    const Variable logits = model.forward(batch.inputs);  // [B, T, V]
    const Variable loss = cross_entropy(reshape(logits, {batch.labels.numel(), -1}), batch.labels);
    loss.backward();
    optimizer.set_lr_factor(schedule.factor(step));
    optimizer.step(clip_grad_norm(model.parameters(), /*max_norm=*/1).scale);
    (step == 0 ? first : last) = loss.item();
    if (step % 50 == 0) std::printf("step %3d  loss %.3f\n", step, loss.item());
  }
  std::printf("at the end  %.3f\n", last);
  if (!(last < 0.7 * first)) throw Error("the loss has hardly fallen");  // so that a test can tell
}

// A few characters from the middle of the text, continued up to the length that the model has seen.
std::vector<std::int32_t> sample(const LanguageModel& model, std::span<const std::int32_t> text) {
  const auto prompt =
      text.subspan(text.size() / 2).first(std::min<std::size_t>(8, text.size() / 2));
  std::vector<std::int32_t> ids(prompt.begin(), prompt.end());
  GenerateOptions options;
  options.sampling.temperature = 0.5;
  options.max_new_tokens = kContext - std::ssize(ids);
  const auto continuation = generate(model, ids, options);
  ids.insert(ids.end(), continuation.begin(), continuation.end());
  return ids;
}

int main(int argc, char** argv) try {
  if (argc > 2) {
    std::fprintf(stderr, "usage: characters [TEXT_FILE]\n");
    return 2;
  }
  const std::string path = argc == 2 ? argv[1] : DEFAULT_TEXT;
  const std::string text = read_text_file(path);
  const Alphabet alphabet(text);
  const std::vector<std::int32_t> ids = alphabet.encode(text);
  if (ids.size() < 2) throw ConfigError(path + ": has no character to predict from another");

  Generator generator(/*seed=*/1);
  const auto model = make_model(alphabet.size(), generator);
  std::printf("%zu characters, %d different ones; %d parameters\n", ids.size(),
              static_cast<int>(alphabet.size()), static_cast<int>(model->num_parameters()));
  learn(*model, Tensor::from(ids, {std::ssize(ids)}), generator);
  std::printf("\n%s\n", alphabet.decode(sample(*model, ids)).c_str());
} catch (const std::exception& error) {
  std::fprintf(stderr, "characters: %s\n", error.what());
  return 1;
}
