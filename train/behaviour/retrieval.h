// Does a model find a fact that it has read? A fact at a depth of a long text, asked for at its end
// ("needle in a haystack", Kamradt 2023; RULER, Hsieh et al. 2024, arXiv:2404.06654).
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "gladius/tensor/random.h"
#include "gladius/train/behaviour/chat_prompts.h"
#include "gladius/train/behaviour/suite.h"
#include "gladius/train/behaviour/suite_evaluation.h"

namespace gladius::train {

struct RetrievalOptions {
  std::vector<std::int64_t> lengths{256, 512, 1024};     // of prompts, in tokens
  std::vector<std::int64_t> depths{0, 25, 50, 75, 100};  // of the fact, in percent of the filler
  std::int64_t cases = 10;                               // of each length and depth
  std::int64_t distractors = 3;                          // facts that are not asked for
  std::uint64_t seed = 0;
};

/// A text without the filler, what is asked for in it, and the sentences to fill it with.
class RetrievalText {
 public:
  /// Depends on the options' seed and the case's length, depth and number alone.
  RetrievalText(const RetrievalOptions& options, std::int64_t length, std::int64_t depth,
                std::int64_t number);

  /// With so many sentences of filler: "The code of the amber lantern is 48213." among sentences
  /// like "The old baker carries a basket along the quiet river.".
  std::string prompt(std::int64_t sentences);
  const std::string& value() const { return value_; }

 private:
  std::string sentence();

  Generator generator_;
  std::vector<std::string> filler_;
  std::string question_, value_;
  std::vector<std::pair<double, std::string>> facts_;  // by their share of the filler before them
};

/// The cases, by length, depth and number: the longest text of whole sentences whose prompt, in the
/// form of the chat template, has at most `length` tokens. Right is an answer with the value and no
/// other number. `on_case` is called as each is made. ConfigError for a length that the shortest
/// text does not fit.
Suite make_retrieval_suite(const RetrievalOptions& options, ChatPrompts& chat,
                           const std::function<void()>& on_case = {});

/// Of the cases of a length and depth.
struct RetrievalScore {
  std::int64_t length = 0, depth = 0;
  std::int64_t cases = 0;
  std::int64_t right = 0;  // with the value and no other number
  std::int64_t alone = 0;  // of these: with nothing else at all (but a full stop)

  nlohmann::ordered_json to_json() const;
};

/// Of the answers to the suite of these options.
std::vector<RetrievalScore> score_retrieval(const RetrievalOptions& options,
                                            const SuiteEvaluation& evaluation);

}  // namespace gladius::train
