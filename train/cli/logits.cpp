// gladius logits: one forward pass.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include "commands.h"
#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/models/model_directory.h"
#include "gladius/train/nonfinite.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

// The logits of a long text can take more memory than the model.
constexpr std::int64_t kTokensAtOnce = 128;

struct LogitsArguments {
  std::string model, ids, out;
};

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

void logits(const LogitsArguments& options, const Common& common) {
  const std::vector<std::int64_t> ids = parse_ids("--ids", options.ids);
  const CausalLM model = load_model(options.model, {.warn = warner(common)});
  const std::int64_t T = std::ssize(ids), V = model.config().vocab_size;
  check_ids("--ids", ids, V);
  warn_of_length(common, model.config(), T);
  const NoGrad no_grad;
  const Variable hidden = model.hidden_states(Tensor::from(ids, {1, T}), sequential_context(1, T));
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
                             explain_nonfinite(model)));
  }
  if (common.json) {
    print_json({{"out", options.out}, {"shape", {T, V}}});
  } else {
    print("{}: logits [{}, {}]\n", options.out, T, V);
  }
}

}  // namespace

void add_logits(CLI::App& program, const Common& common) {
  auto options = std::make_shared<LogitsArguments>();
  CLI::App* command = add_command(program, "logits", "Writes the logits of one forward pass",
                                  "gladius logits --model student --ids 1,15043,29871 --out "
                                  "logits.safetensors");
  command->add_option("--model", options->model, "Model directory")->required();
  command->add_option("--ids", options->ids, "Token ids of one sequence: 1,2,3")->required();
  command
      ->add_option("--out", options->out,
                   "safetensors file to write: `logits` [tokens, vocabulary], F32")
      ->required();
  command->callback([options, &common] { logits(*options, common); });
}

}  // namespace gladius::cli
