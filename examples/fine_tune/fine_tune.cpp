// Fine-tunes a model on the lines of a text file, and writes the result as a model directory:
//   fine_tune MODEL TEXT_FILE OUT_DIRECTORY [LEARNING_RATE [EPOCHS]]
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <random>
#include <span>
#include <sstream>

#include "gladius/gladius.h"

using namespace gladius;

constexpr std::size_t kBatch = 8;  // lines an update
using Ids = std::vector<std::int32_t>;

// The lines that have a token to predict, each with the end token behind it if the model has one,
// and no longer than the model has positions for.
std::vector<Ids> read_lines(const std::string& path, const text::Tokenizer& tokenizer,
                            const ModelConfig& config) {
  std::istringstream text(read_text_file(path));
  std::vector<Ids> lines;
  for (std::string line; std::getline(text, line);) {
    if (line.empty()) continue;
    Ids ids = tokenizer.encode(line);
    if (!config.eos_token_ids.empty()) ids.push_back(config.eos_token_ids.front());
    const auto longest = static_cast<std::size_t>(config.max_position_embeddings);
    ids.resize(std::min(ids.size(), longest));
    if (ids.size() >= 2) lines.push_back(std::move(ids));
  }
  if (lines.empty()) throw FormatError(path + ": no line has a token to predict");
  return lines;
}

// The mean loss of the lines' tokens. The lines stand one after another in one row, which saves
// padding; packed_context keeps them apart. The loss is computed with the head, so that the logits
// of a large vocabulary are never in memory as a whole.
Variable loss_of(const LanguageModel& model, std::span<const Ids> lines) {
  Ids inputs, labels;
  std::vector<std::int64_t> lengths;
  for (const Ids& line : lines) {
    inputs.insert(inputs.end(), line.begin(), line.end() - 1);
    labels.insert(labels.end(), line.begin() + 1, line.end());
    lengths.push_back(std::ssize(line) - 1);
  }
  const std::int64_t N = std::ssize(inputs);
  const Variable hidden =
      model.hidden_states(Tensor::from(inputs, {1, N}), packed_context(lengths));  // [1, N, C]
  return linear_cross_entropy(reshape(hidden, {N, -1}), model.head_weight(),
                              Tensor::from(labels, {N}));
}

// One pass over the lines in random order; the mean loss of its updates.
double run_epoch(LanguageModel& model, std::vector<Ids>& lines, Optimizer& optimizer,
                 std::mt19937& random) {
  std::ranges::shuffle(lines, random);
  double sum = 0;
  int updates = 0;
  for (std::size_t begin = 0; begin < lines.size(); begin += kBatch, ++updates) {
    const std::size_t count = std::min(kBatch, lines.size() - begin);
    optimizer.zero_grad();
    const Variable loss = loss_of(model, std::span(lines).subspan(begin, count));
    loss.backward();
    optimizer.step(clip_grad_norm(model.parameters(), /*max_norm=*/1).scale);
    sum += loss.item();
  }
  return sum / updates;
}

template <class T>
T number(std::string_view text) {
  T value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) {
    throw ConfigError("\"" + std::string(text) + "\" is not a number that fits here");
  }
  return value;
}

int main(int argc, char** argv) try {
  if (argc < 4 || argc > 6) {
    std::fprintf(stderr,
                 "usage: fine_tune MODEL TEXT_FILE OUT_DIRECTORY [LEARNING_RATE [EPOCHS]]\n");
    return 2;
  }
  const ModelPaths base = ModelPaths::of(argv[1]);
  const double lr = argc > 4 ? number<double>(argv[4]) : 1e-5;
  const int epochs = argc > 5 ? number<int>(argv[5]) : 3;
  if (epochs < 1) throw ConfigError("EPOCHS is at least 1");
  require_vacant(argv[3]);  // before the long work

  const auto tokenizer = text::Tokenizer::load(base.tokenizer);
  const auto model = load_model(base, {.trainable = true});
  std::vector<Ids> lines = read_lines(argv[2], tokenizer, model->config());
  AdamW optimizer(model->named_parameters(), {.lr = lr});
  std::mt19937 random(/*seed=*/1);
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const double loss = run_epoch(*model, lines, optimizer, random);
    std::printf("epoch %2d  loss %.4f\n", epoch, loss);
  }
  save_model(argv[3], *model);
  copy_companions(base, argv[3]);  // the tokenizer, the settings of generation
} catch (const std::exception& error) {
  std::fprintf(stderr, "fine_tune: %s\n", error.what());
  return 1;
}
