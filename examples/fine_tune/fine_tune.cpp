// Teaches a model a sentence by heart, and lets it continue the first words:
//   fine_tune MODEL_DIRECTORY "The sky over Oslo is blue." "The sky"
#include <algorithm>
#include <cstdio>
#include <exception>

#include "gladius/gladius.h"

using namespace gladius;

// Trains until the mean loss of a token is below 0.05.
void learn(LanguageModel& model, const std::vector<std::int32_t>& ids) {
  const std::int64_t T = std::ssize(ids) - 1;
  const Tensor text = Tensor::from(ids, {1, T + 1});
  const Tensor inputs = text.narrow(1, 0, T), labels = text.narrow(1, 1, T).reshape({T});
  AdamW optimizer(model.named_parameters(), {.lr = 1e-2});
  for (int step = 0; step < 200; ++step) {
    optimizer.zero_grad();
    const Variable loss = cross_entropy(reshape(model.forward(inputs), {T, -1}), labels);
    loss.backward();
    optimizer.step(clip_grad_norm(model.parameters(), /*max_norm=*/1).scale);
    if (step % 10 == 0) std::printf("step %3d  loss %.4f\n", step, loss.item());
    if (loss.item() < 0.05) return;
  }
}

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::fprintf(stderr, "usage: fine_tune MODEL_DIRECTORY SENTENCE FIRST_WORDS\n");
    return 2;
  }
  const auto model = load_model(argv[1], {.trainable = true});
  const auto tokenizer = text::Tokenizer::load(argv[1]);
  const std::vector<std::int32_t> sentence = tokenizer.encode(argv[2]);
  if (sentence.size() < 2) throw ConfigError("the sentence has no token to predict");
  learn(*model, sentence);

  std::vector<std::int32_t> text = tokenizer.encode(argv[3]);
  const std::int64_t left = std::ssize(sentence) - std::ssize(text);
  const auto answer = generate(*model, text, {.max_new_tokens = std::max<std::int64_t>(left, 1)});
  text.insert(text.end(), answer.begin(), answer.end());
  std::printf("%s\n", tokenizer.decode(text).c_str());
} catch (const std::exception& error) {
  std::fprintf(stderr, "fine_tune: %s\n", error.what());
  return 1;
}
