// gladius logits: one forward pass.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/ops/views.h"
#include "gladius/models/model_directory.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

// The logits of a long text can take more memory than the model.
constexpr std::int64_t kTokensAtOnce = 128;

struct LogitsArguments {
  std::string model, ids, out;
};

void logits(const LogitsArguments& options, const Common& common) {
  const std::vector<std::int64_t> ids = parse_ids("--ids", options.ids);
  const CausalLM model = load_model(options.model, {.warn = warner(common)});
  const std::int64_t T = std::ssize(ids), V = model.config().vocab_size;
  check_ids("--ids", ids, V);
  const NoGrad no_grad;
  const Variable hidden = model.hidden_states(Tensor::from(ids, {1, T}), sequential_context(1, T));
  const auto head = [&](std::size_t, const SafetensorsSink& sink) {
    for (const Variable& some : split(hidden, kTokensAtOnce, 1)) {
      const Tensor logits = model.head(some).value().to(Dtype::F32).contiguous();
      sink({logits.raw_data(), logits.nbytes()});
    }
  };
  write_safetensors_data(options.out, {{"logits", stored_dtype(Dtype::F32), {T, V}}}, head);
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
