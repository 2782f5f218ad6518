#include "support.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "gladius/models/rope_scaling.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/train/run/model_paths.h"
#include "output.h"

namespace gladius::cli {
namespace {

// "max_position_embeddings 2048, extended to 8192"
std::string describe_context(const ModelConfig& model) {
  const std::int64_t context = context_length(model.rope);
  return fmt::format(
      "max_position_embeddings {}{}", model.max_position_embeddings,
      context == model.max_position_embeddings ? "" : fmt::format(", extended to {}", context));
}

}  // namespace

CLI::App* add_command(CLI::App& program, const std::string& name, const std::string& description,
                      const std::string& example) {
  CLI::App* command = program.add_subcommand(name, description);
  command->footer(fmt::format("Example:\n  {}", example));
  return command;
}

CLI::Option* add_subject(CLI::App& command, const std::string& names, std::string& path,
                         const std::string& what) {
  return command.add_option(names, path, what + ", also without the option's name")
      ->type_name("PATH")
      ->required();
}

CLI::Option* add_model_option(CLI::App& command, std::string& path) {
  return add_subject(
      command, "--model,MODEL", path,
      "Model directory, GGUF file, run directory, checkpoint, or models--ORG--NAME of "
      "a cache");
}

CLI::Option* add_adapter_option(CLI::App& command, std::string& path) {
  return command
      .add_option("--adapter", path,
                  "Directory of a LoRA adapter (PEFT's), which is merged into the model")
      ->type_name("DIR");
}

ModelPaths locate_model(const std::string& path, const Common& common) {
  train::FoundModel found = train::find_model(path);
  if (!found.note.empty()) inform(common, found.note);
  return found.paths;
}

CLI::Option* add_dtype_option(CLI::App& command, std::optional<Dtype>& dtype) {
  return add_choice<std::optional<Dtype>, Dtype>(command, "--dtype", dtype,
                                                 "Type of the weights: f32, bf16 or f16",
                                                 CLI::IsMember({"f32", "bf16", "f16"}));
}

std::string check_loss_on(const std::string& name) {
  if (value_named<train::LossOn>(name)) return {};
  return fmt::format(
      "{} is neither \"all\" (every token counts) nor \"assistant\" (what the assistant says "
      "counts)",
      in_quotes(name));
}

std::vector<std::int64_t> parse_ids(const std::string& option, const std::string& list) {
  std::vector<std::int64_t> ids;
  const char* at = list.data();
  const char* const end = at + list.size();
  const auto skip_spaces = [&] {
    while (at != end && *at == ' ') ++at;
  };
  for (bool more = true; more;) {
    skip_spaces();
    std::int64_t id = 0;
    const auto [after, error] = std::from_chars(at, end, id);
    at = after;
    skip_spaces();
    more = at != end;
    if (error != std::errc() || (more && *at++ != ',')) {
      throw ConfigError(
          fmt::format("{}: {} is not a list of numbers such as 1,2,3", option, in_quotes(list)));
    }
    ids.push_back(id);
  }
  return ids;
}

namespace {

void check_id(const std::string& option, std::int64_t id, std::int64_t vocab_size) {
  if (id >= 0 && id < vocab_size) return;
  throw ConfigError(
      fmt::format("{}: id {} is outside of the vocabulary, 0 to {}", option, id, vocab_size - 1));
}

}  // namespace

void check_ids(const std::string& option, const std::vector<std::int32_t>& ids,
               std::int64_t vocab_size) {
  for (const std::int32_t id : ids) check_id(option, id, vocab_size);
}

std::vector<std::int32_t> checked_ids(const std::string& option,
                                      const std::vector<std::int64_t>& numbers,
                                      std::int64_t vocab_size) {
  std::vector<std::int32_t> ids;
  for (const std::int64_t number : numbers) {
    check_id(option, number, vocab_size);
    ids.push_back(static_cast<std::int32_t>(number));
  }
  return ids;
}

std::string format_ids(const std::vector<std::int32_t>& ids) {
  return fmt::format("{}", fmt::join(ids, ","));
}

text::Tokenizer load_tokenizer(const Common& common, const std::filesystem::path& directory) {
  text::Tokenizer tokenizer = text::Tokenizer::load(directory);
  for (const std::string& note : tokenizer.notes()) warn(common, note);
  return tokenizer;
}

void warn_of_length(const Common& common, const ModelConfig& model, std::int64_t tokens) {
  if (tokens <= context_length(model.rope)) return;
  warn(common, fmt::format("a sequence of {} tokens is longer than the model is made for ({})",
                           tokens, describe_context(model)));
}

bool warn_of_growth(const Common& common, const ModelConfig& model, std::int64_t tokens,
                    std::int64_t more) {
  const std::int64_t context = context_length(model.rope);
  if (tokens > context || more <= context - tokens) return false;
  warn(common, fmt::format("the prompt has {} tokens and up to {} are generated, more than the "
                           "model is made for ({}); --max-new-tokens {} stays within that",
                           tokens, more, describe_context(model), context - tokens));
  return true;
}

void print_json(const nlohmann::ordered_json& document) {
  print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void warn(const Common& common, const std::string& text) {
  if (common.log_level != LogLevel::error) log("gladius: warning: {}\n", message_line(text));
}

std::function<void(const std::string&)> warner(const Common& common) {
  return [&common](const std::string& text) { warn(common, text); };
}

void inform(const Common& common, const std::string& text) {
  if (common.log_level >= LogLevel::info) log("gladius: {}\n", message_line(text));
}

std::uint64_t peak_memory_bytes() {
  // Linux counts the peak of the program that started this one into getrusage's.
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += i == 0 ? fmt::format("{:<{}}", row[i], widths[i])
                     : fmt::format("  {:>{}}", row[i], widths[i]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace gladius::cli
