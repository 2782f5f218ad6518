// gladius logits: one forward pass.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <span>

#include "commands.h"
#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/models/lora_adapter.h"
#include "gladius/models/model_directory.h"
#include "gladius/train/loop/nonfinite.h"
#include "gladius/train/run/overwrite.h"
#include "gladius/train/run/pass_memory.h"
#include "output.h"
#include "support.h"
#include "text_input.h"

namespace gladius::cli {
namespace {

// The logits of a long text can take more memory than the model.
constexpr std::int64_t kTokensAtOnce = 128;

struct LogitsArguments {
  std::string model, adapter, out;
  TextInput text;
  std::int64_t top = 10;
};

using Ids = std::vector<std::int32_t>;

// Of the last layer, [1, T, H].
Variable last_hidden_states(const LanguageModel& model, const Ids& ids) {
  const std::int64_t T = std::ssize(ids);
  return model.hidden_states(Tensor::from(ids, {1, T}), sequential_context(1, T));
}

// logits F32 [1, T, V].
std::int64_t count_nonfinite_rows(const Tensor& logits) {
  const auto V = static_cast<std::size_t>(logits.size(-1));
  const std::span values(logits.data<float>(), static_cast<std::size_t>(logits.numel()));
  std::int64_t rows = 0;
  for (std::size_t begin = 0; begin < values.size(); begin += V) {
    const bool finite =
        std::ranges::all_of(values.subspan(begin, V), [](float x) { return std::isfinite(x); });
    rows += finite ? 0 : 1;
  }
  return rows;
}

void write_logits(const LogitsArguments& options, const LanguageModel& model,
                  const Variable& hidden, const Common& common) {
  const std::int64_t T = hidden.size(1), V = model.config().vocab_size;
  std::int64_t broken = 0;  // rows with something that is not finite
  const auto head = [&](std::size_t, const SafetensorsSink& sink) {
    broken = 0;
    for (const Variable& some : split(hidden, kTokensAtOnce, 1)) {
      const Tensor logits = model.head(some).value().to(Dtype::F32).contiguous();
      broken += count_nonfinite_rows(logits);
      sink({logits.raw_data(), logits.nbytes()});
    }
  };
  write_safetensors_data(options.out, {{"logits", stored_dtype(Dtype::F32), {T, V}}}, head);
  if (broken > 0) {
    warn(common, fmt::format("the logits of {} of {} tokens are not finite: {}", broken, T,
                             train::explain_nonfinite(model)));
  }
  if (common.json) {
    print_json({{"out", options.out}, {"shape", {T, V}}});
  } else {
    print("{}: logits [{}, {}]\n", options.out, T, V);
  }
}

struct NextToken {
  std::int64_t id;
  double probability;
};

// The likeliest first; of equals the one with the lower id.
std::vector<NextToken> top_tokens(std::span<const float> logits, std::int64_t count) {
  std::vector<std::int64_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto of = [&](std::int64_t id) { return logits[static_cast<std::size_t>(id)]; };
  const auto middle = ids.begin() + std::min<std::int64_t>(count, std::ssize(ids));
  std::partial_sort(ids.begin(), middle, ids.end(), [&](std::int64_t a, std::int64_t b) {
    return of(a) != of(b) ? of(a) > of(b) : a < b;
  });
  const double largest = double{of(ids.front())};
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - largest);
  std::vector<NextToken> top;
  for (auto id = ids.begin(); id != middle; ++id) {
    top.push_back({*id, std::exp(double{of(*id)} - largest) / sum});
  }
  return top;
}

// What the model expects after the text.
void print_top(const LogitsArguments& options, const LanguageModel& model, const Variable& hidden,
               const std::optional<text::Tokenizer>& tokenizer, const Common& common) {
  const std::int64_t T = hidden.size(1);
  const Tensor logits = model.head(narrow(hidden, 1, T - 1, 1)).value().to(Dtype::F32).contiguous();
  const std::span<const float> row(logits.data<float>(), static_cast<std::size_t>(logits.numel()));
  if (count_nonfinite_rows(logits) > 0) {
    throw Error(fmt::format("{}: the logits are not finite: {}", options.model,
                            train::explain_nonfinite(model)));
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows{{"id", "token", "probability"}};
  for (const auto& [id, probability] : top_tokens(row, options.top)) {
    nlohmann::ordered_json one{{"id", id}};
    if (tokenizer) one["token"] = tokenizer->id_to_token(static_cast<std::int32_t>(id));
    one["probability"] = probability;
    rows.push_back({fmt::format("{}", id), tokenizer ? one["token"].dump() : "",
                    fmt::format("{:.6f}", probability)});
    list.push_back(std::move(one));
  }
  if (common.json) {
    print_json({{"tokens", T}, {"top", list}});
  } else {
    print("{}", format_table(rows));
  }
}

void logits(const LogitsArguments& options, const Common& common) {
  const ModelPaths paths = locate_model(options.model, common);
  const bool writes = !options.out.empty();
  if (writes) {
    train::require_not_among("--out", options.out, train::files_of_model(paths));
    train::require_not_among("--out", options.out, lora_files(options.adapter));
  }
  std::optional<text::Tokenizer> tokenizer;
  if (options.text.has_prompt()) tokenizer = load_tokenizer(common, paths.tokenizer);
  if (!tokenizer && !writes) tokenizer = find_tokenizer(paths, common);
  const auto model = load_model(paths, {.warn = warner(common), .adapter = options.adapter});
  const Ids ids = read_tokens(options.text, tokenizer, model->config().vocab_size);
  warn_of_length(common, model->config(), std::ssize(ids));
  train::require_memory_for_pass(*model, train::Pass::logits, std::ssize(ids), "the text");
  const NoGrad no_grad;
  const Variable hidden = last_hidden_states(*model, ids);
  writes ? write_logits(options, *model, hidden, common)
         : print_top(options, *model, hidden, tokenizer, common);
}

}  // namespace

void add_logits(CLI::App& program, const Common& common) {
  auto options = std::make_shared<LogitsArguments>();
  CLI::App* command = add_command(
      program, "logits", "What a model expects after a text, or the logits of one forward pass",
      "gladius logits --model student --prompt \"The capital of France is\"");
  add_model_option(*command, options->model);
  add_adapter_option(*command, options->adapter);
  add_text_input(*command, options->text, "Text of one sequence",
                 "Token ids of one sequence: 1,2,3", /*required=*/true);
  command
      ->add_option("--out", options->out,
                   "safetensors file to write instead: `logits` [tokens, vocabulary], F32")
      ->type_name("FILE");
  command->add_option("--top", options->top, "Likeliest next tokens to print")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->callback([options, &common] { logits(*options, common); });
}

}  // namespace gladius::cli
