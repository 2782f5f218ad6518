#include "answering.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "gladius/tensor/base/text_format.h"
#include "gladius/train/run/pass_memory.h"
#include "support.h"

namespace gladius::cli {

CLI::Option* add_batch_size_option(CLI::App& command, std::int64_t& batch_size) {
  return command
      .add_option("--batch-size", batch_size,
                  "Answers that are generated at once: faster, and more memory")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{4096}));
}

void check_prompts(const std::string& option, const Prompts& prompts, const LanguageModel& model,
                   std::int64_t max_new_tokens, const Common& common) {
  const ModelConfig& config = model.config();
  std::int64_t longest = 0;
  for (const auto& prompt : prompts) {
    check_ids(option, prompt, config.vocab_size);
    longest = std::max(longest, std::ssize(prompt));
  }
  warn_of_length(common, config, longest);
  warn_of_growth(common, config, longest, max_new_tokens);
  train::require_memory_for_pass(model, train::Pass::generate, longest, "the longest prompt");
}

void add_stop_tokens(std::vector<std::int32_t>& eos_token_ids,
                     const std::vector<std::int32_t>& of_template, const Common& common) {
  for (const std::int32_t id : of_template) {
    if (std::ranges::count(eos_token_ids, id) == 0) eos_token_ids.push_back(id);
  }
  if (eos_token_ids.empty()) {
    warn(common,
         "neither the model nor its tokenizer names a token that ends an answer; answers "
         "end at --max-new-tokens");
  }
}

CountProgress::CountProgress(std::string what, std::size_t total, const Common& common)
    : what_(std::move(what)),
      total_(static_cast<std::int64_t>(total)),
      draws_(is_terminal() && common.log_level >= LogLevel::info && total > 0) {
  draw();
}

void CountProgress::done() {
  ++done_;
  draw();
}

void CountProgress::draw() {
  if (!draws_) return;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  const double left = elapsed.count() / static_cast<double>(std::max<std::int64_t>(done_, 1)) *
                      static_cast<double>(total_ - done_);
  bar_.draw(fmt::format("{} {}/{}{}", what_, done_, total_,
                        done_ > 0 ? fmt::format("  {} left", format_duration(left)) : ""),
            done_, total_);
}

}  // namespace gladius::cli
