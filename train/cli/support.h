// What several subcommands need.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands.h"
#include "gladius/models/config.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/tensor/base/enum_names.h"
#include "gladius/tensor/dtype.h"
#include "gladius/train/run/run_config.h"

namespace gladius {

/// Those that weights are written in; the quantised ones in GGUF files alone.
template <>
inline constexpr EnumName<Dtype> kEnumNames<Dtype>[] = {
    {Dtype::F32, "f32"},   {Dtype::BF16, "bf16"}, {Dtype::F16, "f16"},   {Dtype::Q8_0, "q8_0"},
    {Dtype::Q4_0, "q4_0"}, {Dtype::Q4_1, "q4_1"}, {Dtype::Q5_0, "q5_0"}, {Dtype::Q5_1, "q5_1"},
    {Dtype::Q4_K, "q4_k"}, {Dtype::Q6_K, "q6_k"}};

}  // namespace gladius

namespace gladius::cli {

/// The subcommand, with an example below its help.
CLI::App* add_command(CLI::App& program, const std::string& name, const std::string& description,
                      const std::string& example);
/// An option that takes the name of one of kEnumNames<Enum>, which `check` holds for; Value is
/// Enum, or an optional one.
template <class Value, class Enum = Value>
CLI::Option* add_choice(CLI::App& command, const std::string& names, Value& value,
                        const std::string& what,
                        const CLI::Validator& check = CLI::IsMember(names_of<Enum>())) {
  const auto take = [&value](const std::string& name) { value = *value_named<Enum>(name); };
  return command.add_option_function<std::string>(names, take, what)->check(check);
}
/// A model or file that a command works on, named by its option or by its place. `names` are those
/// of CLI11: "--model,MODEL".
CLI::Option* add_subject(CLI::App& command, const std::string& names, std::string& path,
                         const std::string& what);
/// `--model`, in any of the forms of find_model.
CLI::Option* add_model_option(CLI::App& command, std::string& path);
/// `--adapter`: LoadOptions::adapter.
CLI::Option* add_adapter_option(CLI::App& command, std::string& path);
/// What it names, with a line on standard error where that is not what the path says by itself.
ModelPaths locate_model(const std::string& path, const Common& common);
/// `--dtype`, one of the types that weights are written in.
CLI::Option* add_dtype_option(CLI::App& command, std::optional<Dtype>& dtype);

/// Why `name` is none of LossOn's, or "".
std::string check_loss_on(const std::string& name);
/// `--loss-on`; Value is LossOn, or an optional one.
template <class Value>
CLI::Option* add_loss_on(CLI::App& command, Value& value, const std::string& what) {
  return add_choice<Value, train::LossOn>(command, "--loss-on", value, what,
                                          CLI::Validator(check_loss_on, "{all,assistant}"));
}

/// Numbers of a list "1,2,3"; ConfigError naming `option` for anything else and for an empty list.
std::vector<std::int64_t> parse_ids(const std::string& option, const std::string& list);
/// ConfigError for the first id that is not in [0, vocab_size).
void check_ids(const std::string& option, const std::vector<std::int32_t>& ids,
               std::int64_t vocab_size);
/// Numbers of parse_ids as ids; ConfigError as check_ids.
std::vector<std::int32_t> checked_ids(const std::string& option,
                                      const std::vector<std::int64_t>& numbers,
                                      std::int64_t vocab_size);
/// "1,2,3".
std::string format_ids(const std::vector<std::int32_t>& ids);

/// Tokenizer::load, with a warning of each of its notes.
text::Tokenizer load_tokenizer(const Common& common, const std::filesystem::path& directory);

/// Warns of a sequence that is longer than the model is made for.
void warn_of_length(const Common& common, const ModelConfig& model, std::int64_t tokens);
/// Warns of one that may become so, and says whether: `tokens` fit, and up to `more` are generated.
bool warn_of_growth(const Common& common, const ModelConfig& model, std::int64_t tokens,
                    std::int64_t more);

/// One JSON document on standard output; text that is not UTF-8 gets U+FFFD.
void print_json(const nlohmann::ordered_json& document);

/// A line on standard error, unless the command line asks for less than warnings.
void warn(const Common& common, const std::string& text);
/// warn() as what the libraries take.
std::function<void(const std::string&)> warner(const Common& common);
/// The same for what is no warning.
void inform(const Common& common, const std::string& text);

/// The most memory that this process has had so far.
std::uint64_t peak_memory_bytes();

/// Columns that line up, the first to the left and the others to the right; the first row is the
/// heading.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace gladius::cli
