// What a teacher thinks of a text: how likely it found each token, and what it expects next.
//   teacher_logits MODEL TEXT     MODEL: a model directory or a GGUF file
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>

#include "gladius/gladius.h"

using namespace gladius;

// log p [T, V]: row t is the distribution of the token after the first t + 1.
Tensor log_probabilities(const LanguageModel& teacher, const std::vector<std::int32_t>& ids) {
  const std::int64_t T = std::ssize(ids);
  const NoGrad no_grad;
  const Variable logits = teacher.forward(Tensor::from(ids, {1, T}));  // [1, T, V]
  return log_softmax(logits).value().select(0, 0);
}

// Of each token but the first, which has nothing before it to be predicted from.
std::vector<double> bits_of_tokens(const Tensor& log_p, const std::vector<std::int32_t>& ids) {
  const std::int64_t T = std::ssize(ids);
  const Tensor next = Tensor::from(ids, {T, 1}).narrow(0, 1, T - 1);
  std::vector<double> bits = gather(log_p.narrow(0, 0, T - 1), /*dim=*/1, next).to_vector<double>();
  for (double& x : bits) x /= -std::log(2);
  return bits;
}

void print_candidates(const Tensor& log_p, const text::Tokenizer& tokenizer) {
  const auto [values, indices] = topk(log_p, std::min<std::int64_t>(5, log_p.numel()));
  const std::vector<double> logs = values.to_vector<double>();
  const std::vector<std::int32_t> ids = indices.to_vector<std::int32_t>();
  std::printf("\nexpected next:\n");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::printf("%10.4f  %s\n", std::exp(logs[i]), tokenizer.id_to_token(ids[i]).c_str());
  }
}

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: teacher_logits MODEL TEXT\n");
    return 2;
  }
  const std::string text = argv[2];
  const auto tokenizer = text::Tokenizer::load(argv[1]);
  const auto [ids, spans] = tokenizer.encode_with_spans(text);
  if (text.empty() || ids.size() < 2) throw ConfigError("the text has no token to predict");
  const auto teacher = load_model(argv[1]);  // frozen; the weights are read in place

  const Tensor log_p = log_probabilities(*teacher, ids);
  const std::vector<double> bits = bits_of_tokens(log_p, ids);
  double sum = 0;
  std::printf("%10s %8s  token\n", "p", "bits");
  for (std::size_t i = 0; i < bits.size(); ++i) {
    sum += bits[i];
    std::printf("%10.4f %8.2f  %s\n", std::exp2(-bits[i]), bits[i],
                tokenizer.id_to_token(ids[i + 1]).c_str());
  }
  // Those before the second token are not predicted, unless the first is the tokenizer's <s>.
  const std::size_t bytes = text.size() - spans[1].begin;
  std::printf("\n%.3f bits per byte (%.1f bits, %zu bytes)\n", sum / static_cast<double>(bytes),
              sum, bytes);
  print_candidates(log_p.select(0, -1), tokenizer);
} catch (const std::exception& error) {
  std::fprintf(stderr, "teacher_logits: %s\n", error.what());
  return 1;
}
