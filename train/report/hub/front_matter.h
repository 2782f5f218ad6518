// What the hub reads of a model card: YAML before the text.
#pragma once

#include <string>
#include <vector>

#include "gladius/train/report/run_record.h"

namespace gladius::train {

/// A number of the model-index.
struct HubMetric {
  std::string type;  // "perplexity"
  std::string name;  // says of how many tokens or cases
  double value = 0;
};
/// Those of one set of data.
struct HubResult {
  std::string dataset_type, dataset_name;
  std::vector<HubMetric> metrics;
};

/// What the run's evaluations came to, finite numbers alone: of the held-out data, and of the
/// suite, all its cases and each category. The results of a run without evaluations are none.
std::vector<HubResult> hub_results(const RunRecord& record);

/// The hub's names of the models that the run's student began with and learned from, each once, as
/// far as they are known.
std::vector<std::string> base_models(const RunConfig& config);

/// "en, de" -> en, de
std::vector<std::string> languages(const CardConfig& card);

/// From the first "---" to the second, with the newline after it. Names of data files have no
/// directories: the card is for strangers.
std::string front_matter(const RunRecord& record);

}  // namespace gladius::train
