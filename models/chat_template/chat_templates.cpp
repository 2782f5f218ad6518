#include "gladius/models/chat_template/chat_templates.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>

#include "gladius/models/gguf/file.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/text_file.h"

namespace gladius::text {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDefault = "default";
constexpr const char* kToolUse = "tool_use";

// {name: template} of what "chat_template" may be: a text, a list of named ones or such an object.
Json by_name(const Json& entry) {
  if (entry.is_string()) return {{kDefault, entry}};
  if (!entry.is_array()) return entry;
  Json named = Json::object();
  for (const Json& element : entry) {
    const Json name = element.is_object() ? element.value("name", Json()) : Json();
    if (!name.is_string()) return nullptr;
    named[name.get<std::string>()] = element.value("template", Json());
  }
  return named;
}

}  // namespace

std::vector<std::filesystem::path> additional_chat_templates(
    const std::filesystem::path& model_dir) {
  std::vector<std::filesystem::path> files;
  std::error_code missing;
  for (const auto& entry :
       std::filesystem::directory_iterator(model_dir / "additional_chat_templates", missing)) {
    if (entry.path().extension() == ".jinja") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::optional<ChatTemplate> ChatTemplate::load(const std::filesystem::path& model_dir,
                                               bool with_tools) {
  const ChatTemplates templates = ChatTemplates::load(model_dir);
  if (templates.empty()) return std::nullopt;
  return templates.choose(with_tools);
}

ChatTemplates ChatTemplates::load(const std::filesystem::path& model_dir) {
  ChatTemplates out;
  out.directory_ = model_dir;
  out.add_files(model_dir);
  if (out.empty()) out.add_configured(model_dir);
  return out;
}

void ChatTemplates::add_files(const std::filesystem::path& model_dir) {
  const auto single = model_dir / "chat_template.jinja";
  if (is_there(single)) sources_[kDefault] = {read_text_file(single), single.string()};
  for (const auto& file : additional_chat_templates(model_dir)) {
    sources_[file.stem().string()] = {read_text_file(file), file.string()};
  }
}

void ChatTemplates::add_configured(const std::filesystem::path& model_dir) {
  const bool within = gguf::is_gguf(model_dir);
  if (within && !has_tokenizer(model_dir)) return;
  const auto config_file = within ? model_dir : model_dir / "tokenizer_config.json";
  const Json config = read_tokenizer_config(model_dir);
  if (!config.is_object()) {
    throw FormatError(fmt::format("chat template: {} is no JSON object", config_file.string()));
  }
  const Json entry = config.value("chat_template", Json());
  if (entry.is_null()) return;
  const Json named = by_name(entry);
  const bool all_texts =
      named.is_object() && std::ranges::all_of(named, [](const Json& t) { return t.is_string(); });
  if (!all_texts) {
    throw FormatError(
        fmt::format("chat template: \"chat_template\" of {} is neither a template nor a list of "
                    "{{\"name\": ..., \"template\": ...}}",
                    config_file.string()));
  }
  for (const auto& [name, text] : named.items()) {
    const std::string which = named.size() > 1 ? fmt::format(" {}", in_quotes(name)) : "";
    sources_[name] = {text.get<std::string>(), config_file.string() + " chat_template" + which};
  }
}

std::map<std::string, std::string> ChatTemplates::texts() const {
  std::map<std::string, std::string> texts;
  for (const auto& [name, source] : sources_) texts[name] = source.text;
  return texts;
}

ChatTemplate ChatTemplates::choose(bool with_tools) const {
  auto found = with_tools ? sources_.find(kToolUse) : sources_.end();
  if (found == sources_.end()) found = sources_.find(kDefault);
  if (found != sources_.end()) return ChatTemplate::parse(found->second.text, found->second.place);
  if (empty()) {
    throw ConfigError(
        fmt::format("{} has no chat template (chat_template.jinja)", directory_.string()));
  }
  std::vector<std::string> names;
  for (const auto& [name, source] : sources_) names.push_back(in_quotes(name));
  throw ConfigError(fmt::format(
      "{} has the chat templates {} and no \"default\"{}; name one of them \"default\" or add "
      "chat_template.jinja",
      directory_.string(), fmt::join(names, ", "),
      with_tools ? "" : " for conversations without tools"));
}

}  // namespace gladius::text
