// Our side of step.py and teacher.py: model_peer train|forward DIRECTORY. The model of the
// directory makes a training step, or all logits, of each line of token ids on standard input, and
// answers with a line {"seconds", "result"}: the loss, or the logits' root mean square.
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "gladius/autograd/grad_mode.h"
#include "gladius/models/model_directory.h"
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

void run(std::string_view work, const char* directory) {
  const auto model = load_model(directory, {.trainable = work == "train"});
  if (work == "train") {
    TrainingStep step(*model);
    answer_lines([&](const Tensor& ids) {
      const TrainingStep::Result result = step.run(ids);
      return Answer{result.seconds(), result.loss};
    });
  } else {
    answer_lines([&](const Tensor& ids) { return forward(*model, ids); });
  }
}

}  // namespace
}  // namespace gladius::bench

int main(int argc, char** argv) {
  const std::string_view work = argc == 3 ? argv[1] : "";
  if (work != "train" && work != "forward") {
    std::cerr << "usage: model_peer train|forward DIRECTORY  (lines of token ids on stdin)\n";
    return 2;
  }
  return gladius::bench::exit_code("model_peer", [&] { gladius::bench::run(work, argv[2]); });
}
