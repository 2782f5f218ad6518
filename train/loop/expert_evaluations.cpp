#include "gladius/train/loop/expert_evaluations.h"

#include <algorithm>

#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/run/json_object.h"

namespace gladius::train {

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
  const Json before = read_optional_json(file_);
  if (before.is_null() || before.value("data", Json()) != data_) return;
  for (const Json& expert : before.value("experts", Json::array())) {
    if (is_whole(expert)) experts_.push_back(expert);
  }
}

bool ExpertEvaluations::recall(const ExpertConfig& expert) {
  const auto same_model = [&](const Json& known) {
    return known.at("model") == expert.model.string();
  };
  const auto known = std::ranges::find_if(experts_, same_model);
  if (known == experts_.end()) return false;
  const bool has_name = std::ranges::any_of(experts_, [&](const Json& entry) {
    return same_model(entry) && entry.at("expert") == expert.name;
  });
  if (has_name) return true;
  Json entry = *known;
  entry["expert"] = expert.name;
  write(std::move(entry));
  return true;
}

void ExpertEvaluations::add(const ExpertConfig& expert, const Evaluation& evaluation) {
  Json entry{{"expert", expert.name}, {"model", expert.model.string()}};
  entry.update(evaluation.to_json());
  write(std::move(entry));
}

void ExpertEvaluations::remove_others() const {
  if (experts_.empty()) remove_file(file_);
}

void ExpertEvaluations::write(Json entry) {
  experts_.push_back(std::move(entry));
  write_text_file(file_, Json{{"data", data_}, {"experts", experts_}}.dump(2) + "\n");
}

}  // namespace gladius::train
