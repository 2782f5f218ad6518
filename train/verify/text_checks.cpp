// Tokenizer, special tokens, chat template, settings of generation.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "gladius/models/chat_template/chat_templates.h"
#include "gladius/models/generation/generation_config.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/json_fields.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/text_format.h"
#include "subject.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kGenerationConfig = "generation_config.json";
constexpr const char* kSaid = "What is 2 + 2?";
constexpr const char* kToolUse = "tool_use";  // the template for conversations with tools

std::string join(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, "; "));
}

// Special tokens --------------------------------------------------------------------------------

// Why an id cannot be a token; "" if it can.
std::string wrong_id(const Subject& subject, std::int32_t id) {
  if (id < 0 || (subject.model && id >= subject.model->config().vocab_size)) {
    return "lies outside of the vocabulary";
  }
  if (subject.tokenizer && subject.tokenizer->id_to_token(id).empty()) {
    return "has no token in the tokenizer";
  }
  return "";
}

void check_ids_of(const Subject& subject, const Json& json, const char* file,
                  std::vector<std::string>& faults, std::size_t& checked) {
  const JsonFields fields(json, file);
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (!fields.has(key)) continue;
    for (const std::int32_t id : fields.token_ids(key)) {
      ++checked;
      const std::string wrong = wrong_id(subject, id);
      if (!wrong.empty()) faults.push_back(fmt::format("{}: {} {} {}", file, key, id, wrong));
    }
  }
}

// Chat templates --------------------------------------------------------------------------------

Json small_conversation() {
  return {{{"role", "user"}, {"content", "Hello."}},
          {{"role", "assistant"}, {"content", "Hello, how can I help?"}},
          {{"role", "user"}, {"content", kSaid}}};
}

Json small_tool() {
  const Json parameters{{"type", "object"},
                        {"properties", {{"a", {{"type", "number"}}}, {"b", {{"type", "number"}}}}},
                        {"required", {"a", "b"}}};
  return Json::array(
      {{{"type", "function"},
        {"function",
         {{"name", "add"}, {"description", "Adds two numbers."}, {"parameters", parameters}}}}});
}

// What is wrong with a template; "" if nothing is.
std::string wrong_with_template(const Subject& subject, const std::string& name,
                                const std::string& source) {
  try {
    const auto parsed = text::ChatTemplate::parse(source, name);
    const Json variables = subject.tokenizer ? subject.tokenizer->special_tokens() : Json::object();
    const std::string text = text::render_chat(parsed, small_conversation(), true, variables,
                                               name == kToolUse ? small_tool() : Json());
    if (text.find(kSaid) != std::string::npos) return "";
    return fmt::format("{}: what the user says is not in the text", name);
  } catch (const std::exception& error) {
    return error.what();
  }
}

// Settings of generation ------------------------------------------------------------------------

std::vector<std::string> wrong_settings(const GenerationConfig& settings) {
  std::vector<std::string> faults;
  const auto check = [&](const char* name, auto value, bool fits, const char* expected) {
    if (value && !fits)
      faults.push_back(fmt::format("{} is {}; expected {}", name, *value, expected));
  };
  const bool samples = settings.do_sample.value_or(false);
  const double temperature = settings.temperature.value_or(1), top_p = settings.top_p.value_or(1);
  check("temperature", settings.temperature, samples ? temperature > 0 : temperature >= 0,
        samples ? "a number above 0, as do_sample is true" : "a number, at least 0");
  check("top_p", settings.top_p, top_p > 0 && top_p <= 1, "a number in (0, 1]");
  check("top_k", settings.top_k, settings.top_k.value_or(0) >= 0, "a whole number, at least 0");
  check("repetition_penalty", settings.repetition_penalty,
        settings.repetition_penalty.value_or(1) > 0, "a number above 0");
  check("max_new_tokens", settings.max_new_tokens, settings.max_new_tokens.value_or(1) > 0,
        "a whole number, at least 1");
  return faults;
}

}  // namespace

Check check_tokenizer(const Subject& subject) {
  if (!subject.tokenizer_fault.empty()) return {{}, Outcome::failed, subject.tokenizer_fault};
  if (!subject.tokenizer) {
    return {{}, Outcome::warning, "there is none, so that the model takes ids alone"};
  }
  const std::int64_t size = subject.tokenizer->vocab_size();
  if (!subject.model) return {{}, Outcome::skipped, "needs a configuration that can be read"};
  const std::int64_t vocabulary = subject.model->config().vocab_size;
  if (size > vocabulary) {
    return {
        {},
        Outcome::failed,
        fmt::format("it has ids up to {} ({}), the model's vocabulary ends at {}", size - 1,
                    in_quotes(subject.tokenizer->id_to_token(static_cast<std::int32_t>(size - 1))),
                    vocabulary - 1)};
  }
  if (!subject.tokenizer->notes().empty()) {
    return {{}, Outcome::warning, join(subject.tokenizer->notes())};
  }
  return {{},
          Outcome::ok,
          fmt::format("ids up to {} of {}", format_count(size - 1), format_count(vocabulary - 1))};
}

Check check_special_tokens(const Subject& subject) {
  std::vector<std::string> faults;
  std::size_t checked = 0;
  if (subject.model) {
    check_ids_of(subject, subject.model->config().source, "config.json", faults, checked);
  }
  if (const auto file = subject.path / kGenerationConfig; !subject.gguf && is_there(file)) {
    check_ids_of(subject, read_json_file(file), kGenerationConfig, faults, checked);
  }
  if (!faults.empty()) return {{}, Outcome::failed, join(faults)};
  if (checked == 0) return {{}, Outcome::skipped, "none is named"};
  return {{}, Outcome::ok, fmt::format("{} ids", checked)};
}

Check check_chat_template(const Subject& subject) {
  const auto templates = text::ChatTemplates::load(subject.path).texts();
  if (templates.empty()) return {{}, Outcome::skipped, "there is none"};
  std::vector<std::string> faults, names;
  for (const auto& [name, source] : templates) {
    names.push_back(name);
    const std::string fault = wrong_with_template(subject, name, source);
    if (!fault.empty()) faults.push_back(fault);
  }
  if (!faults.empty()) return {{}, Outcome::failed, join(faults)};
  return {{}, Outcome::ok, fmt::format("renders a conversation: {}", fmt::join(names, ", "))};
}

Check check_generation_config(const Subject& subject) {
  if (subject.gguf || !is_there(subject.path / kGenerationConfig)) {
    return {{}, Outcome::skipped, "there is none"};
  }
  const ModelConfig none;
  const auto settings =
      GenerationConfig::load(subject.path, subject.model ? subject.model->config() : none);
  const std::vector<std::string> faults = wrong_settings(settings);
  if (!faults.empty()) return {{}, Outcome::failed, join(faults)};
  if (!settings.unsupported.empty()) {
    return {
        {},
        Outcome::ok,
        fmt::format("in range; Gladius does not have {}", fmt::join(settings.unsupported, ", "))};
  }
  return {{}, Outcome::ok, "in range"};
}

}  // namespace gladius::train
