// Our side of step.py, teacher.py and llama_cpp.py: model_peer WORK MODEL [bf16]. The model makes
// of each line of token ids on standard input, with products in float32 or bf16,
//   train: a training step
//   forward: all logits
//   prompt: the token that follows
//   decode: 64 tokens more behind that one
// and answers with a line {"seconds", "result"}: the loss, the logits' root mean square, or the
// last token.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/autograd/grad_mode.h"
#include "gladius/models/generation/generate.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/precision.h"
#include "support/measure.h"
#include "support/training_step.h"

namespace gladius::bench {
namespace {

struct Answer {
  double seconds, result;
};

double root_mean_square(const Tensor& tensor) {
  const float* values = tensor.data<float>();
  double sum = 0;
  for (std::int64_t i = 0; i < tensor.numel(); ++i)
    sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return std::sqrt(sum / static_cast<double>(tensor.numel()));
}

Answer forward(const LanguageModel& model, const Tensor& ids) {
  const NoGrad no_grad;
  Variable logits;
  const double time = seconds([&] { logits = model.forward(ids); });
  return {time, root_mean_square(logits.value())};
}

constexpr std::int64_t kDecoded = 64;

// The likeliest tokens behind the ids: the time to the first, or from there to the last.
Answer generated(const LanguageModel& model, const Tensor& ids, bool decode) {
  std::vector<std::int32_t> prompt;
  for (const std::int64_t id : ids.to_vector<std::int64_t>()) {
    prompt.push_back(static_cast<std::int32_t>(id));
  }
  const GenerateOptions options{.sampling = {.greedy = true},
                                .max_new_tokens = decode ? 1 + kDecoded : 1,
                                .eos_token_ids = {},
                                .seed = 0};
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  std::vector<Clock::time_point> arrived;
  const auto tokens =
      generate(model, prompt, options, [&](std::int32_t) { arrived.push_back(Clock::now()); });
  const Clock::time_point from = decode ? arrived.front() : start;
  return {std::chrono::duration<double>(arrived.back() - from).count(),
          static_cast<double>(tokens.back())};
}

template <class Work>
void answer_lines(const Work& work) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::vector<std::int64_t> ids;
    for (std::int64_t id = 0; words >> id;) ids.push_back(id);
    const Answer answer = work(Tensor::from(ids, {1, std::ssize(ids)}));
    std::cout << nlohmann::json{{"seconds", answer.seconds}, {"result", answer.result}}
              << std::endl;
  }
}

void run(std::string_view work, const char* path) {
  const auto model = load_model(path, {.trainable = work == "train"});
  if (work == "train") {
    TrainingStep step(*model);
    answer_lines([&](const Tensor& ids) {
      const TrainingStep::Result result = step.run(ids);
      return Answer{result.seconds(), result.loss};
    });
  } else if (work == "forward") {
    answer_lines([&](const Tensor& ids) { return forward(*model, ids); });
  } else {
    answer_lines([&](const Tensor& ids) { return generated(*model, ids, work == "decode"); });
  }
}

}  // namespace
}  // namespace gladius::bench

int main(int argc, char** argv) {
  const bool bf16 = argc == 4 && std::string_view(argv[3]) == "bf16";
  constexpr std::string_view kWorks[] = {"train", "forward", "prompt", "decode"};
  const std::string_view work = argc == 3 || bf16 ? argv[1] : "";
  if (std::ranges::find(kWorks, work) == std::end(kWorks)) {
    std::cerr
        << "usage: model_peer train|forward|prompt|decode MODEL [bf16]  (token ids on stdin)\n";
    return 2;
  }
  const gladius::PrecisionScope precision(bf16 ? gladius::Precision::bf16
                                               : gladius::Precision::f32);
  return gladius::bench::exit_code("model_peer", [&] { gladius::bench::run(work, argv[2]); });
}
