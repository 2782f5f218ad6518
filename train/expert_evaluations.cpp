#include "gladius/train/expert_evaluations.h"

#include <algorithm>
#include <fstream>

#include "gladius/tensor/io/text_file.h"

namespace gladius {

using Json = nlohmann::ordered_json;

namespace {

bool is_whole(const Json& expert) {
  return expert.is_object() && expert.value("expert", Json()).is_string() &&
         expert.value("model", Json()).is_string() &&
         expert.value("cross_entropy", Json()).is_number() &&
         expert.value("perplexity", Json()).is_number();
}

}  // namespace

ExpertEvaluations::ExpertEvaluations(std::filesystem::path file, std::string data)
    : file_(std::move(file)), data_(std::move(data)) {
  std::ifstream in(file_);
  const Json before = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!before.is_object() || before.value("data", Json()) != data_) return;
  for (const Json& expert : before.value("experts", Json::array())) {
    if (is_whole(expert)) experts_.push_back(expert);
  }
}

bool ExpertEvaluations::has(const ExpertConfig& expert) const {
  return std::ranges::any_of(
      experts_, [&](const Json& known) { return known.at("model") == expert.model.string(); });
}

void ExpertEvaluations::add(const ExpertConfig& expert, const Evaluation& evaluation) {
  Json entry{{"expert", expert.name}, {"model", expert.model.string()}};
  entry.update(evaluation.to_json());
  experts_.push_back(std::move(entry));
  write_text_file(file_, Json{{"data", data_}, {"experts", experts_}}.dump(2) + "\n");
}

}  // namespace gladius
