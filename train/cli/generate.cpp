// gladius generate: continues a text.
#include "gladius/models/generate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include "commands.h"
#include "gladius/models/chat_template/chat_template.h"
#include "gladius/models/generation_config.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct GenerateArguments {
  std::string model, prompt, ids;
  bool has_ids = false, has_prompt = false, chat = false, greedy = false;
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<std::int64_t> top_k, max_new_tokens;

  bool chooses_sampling() const { return temperature || top_p || top_k; }
  std::uint64_t seed = 0;
};

// The command line's settings, else the model's own, else the program's.
GenerateOptions resolve(const GenerateArguments& options, const GenerationConfig& model) {
  const auto choose = [](const auto& given, const auto& of_model, auto fallback) {
    return given ? *given : of_model.value_or(fallback);
  };
  const bool greedy = !model.do_sample.value_or(true) && !options.chooses_sampling();
  return {.sampling = {.greedy = options.greedy || greedy,
                       .temperature = choose(options.temperature, model.temperature, 0.7),
                       .top_k = choose(options.top_k, model.top_k, std::int64_t{0}),
                       .top_p = choose(options.top_p, model.top_p, 0.9),
                       .repetition_penalty =
                           choose(options.repetition_penalty, model.repetition_penalty, 1.0)},
          .max_new_tokens = choose(options.max_new_tokens, model.max_new_tokens, std::int64_t{50}),
          .eos_token_ids = model.eos_token_ids,
          .seed = options.seed};
}

void warn_of_unsupported(const GenerationConfig& model, const Common& common) {
  if (model.unsupported.empty()) return;
  warn(common, fmt::format("generation_config.json: not supported and passed over: {}",
                           fmt::join(model.unsupported, ", ")));
}

std::vector<std::int64_t> encode_prompt(const GenerateArguments& options,
                                        const Tokenizer& tokenizer) {
  const auto ids = tokenizer.encode(options.prompt);
  if (ids.empty()) throw ConfigError("--prompt: the text has no tokens");
  return {ids.begin(), ids.end()};
}

// What is said so far, in the form of the model's chat template.
class Conversation {
 public:
  explicit Conversation(const std::string& model)
      : template_(load_template(model)), special_tokens_(load_special_tokens(model)) {}

  void add(const char* role, const std::string& text) {
    // Templates take UTF-8 only; a terminal may send anything.
    const Json content = Json::parse(
        Json(text).dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace));
    messages_.push_back({{"role", role}, {"content", content}});
  }
  // Up to where the assistant's answer begins.
  std::vector<std::int64_t> encode(const Tokenizer& tokenizer) const {
    const std::string text =
        render_chat(template_, messages_, /*add_generation_prompt=*/true, special_tokens_);
    const auto ids = tokenizer.encode(text, false);  // the template writes the special tokens
    return {ids.begin(), ids.end()};
  }

 private:
  using Json = nlohmann::ordered_json;

  static ChatTemplate load_template(const std::string& model) {
    auto chat_template = ChatTemplate::load(model);
    if (chat_template) return *std::move(chat_template);
    throw ConfigError(
        fmt::format("{} has no chat template (chat_template.jinja); leave out --chat", model));
  }

  ChatTemplate template_;
  Json special_tokens_;
  Json messages_ = Json::array();
};

// Shows tokens as they come: their text, or their ids where there is no tokenizer.
class Output {
 public:
  Output(const std::optional<Tokenizer>& tokenizer, bool streams) : streams_(streams) {
    if (tokenizer) decoder_.emplace(*tokenizer);
  }

  void push(std::int64_t id) {
    show(decoder_ ? decoder_->push(static_cast<std::int32_t>(id))
                  : fmt::format("{}{}", first_ ? "" : ",", id));
    first_ = false;
  }
  void finish() {
    if (decoder_) show(decoder_->flush());
    if (streams_) print("\n");
  }
  const std::string& text() const { return text_; }
  bool has_text() const { return decoder_.has_value(); }

 private:
  void show(const std::string& piece) {
    text_ += piece;
    if (!streams_) return;
    print("{}", piece);
  }

  bool streams_;
  bool first_ = true;
  std::optional<StreamDecoder> decoder_;
  std::string text_;
};

struct Timing {
  Clock::time_point start, first_token, end;

  // After the first token, which waits for the pass over the prompt.
  double tokens_per_second(std::size_t tokens) const {
    const double seconds = std::chrono::duration<double>(end - first_token).count();
    return tokens > 1 && seconds > 0 ? static_cast<double>(tokens - 1) / seconds : 0;
  }
  double prompt_seconds() const {
    return std::chrono::duration<double>(first_token - start).count();
  }
};

void report(const Output& output, const std::vector<std::int64_t>& prompt,
            const std::vector<std::int64_t>& ids, const GenerateOptions& settings,
            const Timing& timing) {
  const bool ended = !ids.empty() && std::ranges::count(settings.eos_token_ids, ids.back()) > 0;
  nlohmann::ordered_json document;
  if (output.has_text()) document["text"] = output.text();
  document.update({{"ids", ids},
                   {"prompt_ids", prompt},
                   {"stopped_by", ended ? "end_token" : "max_new_tokens"},
                   {"tokens_per_second", timing.tokens_per_second(ids.size())},
                   {"prompt_seconds", timing.prompt_seconds()},
                   {"peak_memory_bytes", peak_memory_bytes()}});
  print_json(document);
}

// One answer, shown as it comes; returns its text.
std::string answer(GenerationSession& session, const std::vector<std::int64_t>& prompt,
                   const std::optional<Tokenizer>& tokenizer, const GenerateOptions& settings,
                   const Common& common) {
  Output output(tokenizer, !common.json);
  Timing timing{.start = Clock::now(), .first_token = {}, .end = {}};
  const std::vector<std::int64_t> ids = session.generate(prompt, [&](std::int64_t id) {
    if (timing.first_token == Clock::time_point()) timing.first_token = Clock::now();
    output.push(id);
  });
  timing.end = Clock::now();
  if (ids.empty()) timing.first_token = timing.end;
  output.finish();
  if (common.json) report(output, prompt, ids, settings, timing);
  return output.text();
}

// The next line that says something; nothing at the end of the input or at /exit.
std::optional<std::string> read_turn() {
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  for (std::string line;;) {
    if (terminal) {
      log("> ");
    }
    if (!std::getline(std::cin, line)) return std::nullopt;
    if (line.ends_with('\r')) line.pop_back();
    if (line == "/exit") return std::nullopt;
    if (line.find_first_not_of(" \t") != std::string::npos) return line;
  }
}

void run(const GenerateArguments& options, const Common& common) {
  std::optional<Tokenizer> tokenizer;
  if (!options.has_ids) tokenizer = load_tokenizer(common, options.model);
  std::optional<Conversation> conversation;
  if (options.chat) conversation.emplace(options.model);
  const CausalLM model = load_model(options.model, {.warn = warner(common)});
  const GenerationConfig defaults = GenerationConfig::load(options.model, model.config());
  const GenerateOptions settings = resolve(options, defaults);
  warn_of_unsupported(defaults, common);
  GenerationSession session(model, settings);
  const auto reply_to = [&](const std::vector<std::int64_t>& prompt) {
    check_ids(tokenizer ? "--prompt" : "--ids", prompt, model.config().vocab_size);
    return answer(session, prompt, tokenizer, settings, common);
  };

  if (!conversation) {
    reply_to(tokenizer ? encode_prompt(options, *tokenizer) : parse_ids("--ids", options.ids));
    return;
  }
  const bool interactive = !options.has_prompt;
  for (auto turn = interactive ? read_turn() : std::optional(options.prompt); turn;
       turn = interactive ? read_turn() : std::nullopt) {
    conversation->add("user", *turn);
    conversation->add("assistant", reply_to(conversation->encode(*tokenizer)));
  }
}

}  // namespace

void add_generate(CLI::App& program, const Common& common) {
  auto options = std::make_shared<GenerateArguments>();
  CLI::App* command = add_command(
      program, "generate", "Continues a text",
      "gladius generate --model student --prompt \"What is the capital of France?\" --chat");
  command->add_option("--model", options->model, "Model directory")->required();
  CLI::Option_group* input = command->add_option_group("prompt");
  CLI::Option* prompt = input->add_option("--prompt", options->prompt, "Text to continue");
  CLI::Option* ids = input->add_option("--ids", options->ids, "Token ids to continue: 1,2,3");
  input->require_option(0, 1);
  command
      ->add_flag("--chat", options->chat,
                 "The prompt is a user's message in a chat; without a prompt the messages are read "
                 "from the standard input, a line each, until /exit or the end")
      ->excludes(ids);
  const std::string otherwise = " (default: generation_config.json's, else {})";
  const auto add = [&](const char* name, auto& value, const char* what, const char* fallback) {
    command->add_option(name, value, what + fmt::format(fmt::runtime(otherwise), fallback));
  };
  add("--max-new-tokens", options->max_new_tokens, "Most tokens to generate", "50");
  add("--temperature", options->temperature, "Above 0; lower is less random", "0.7");
  add("--top-p", options->top_p, "Keeps the likeliest tokens with this probability", "0.9");
  add("--top-k", options->top_k, "Keeps this many of the likeliest tokens; 0: all", "0");
  add("--repetition-penalty", options->repetition_penalty, "Above 1: avoids tokens seen", "1");
  command->add_option("--seed", options->seed, "Seed of the random choices")->capture_default_str();
  command->add_flag("--greedy", options->greedy, "Always the likeliest token");
  command->callback([=, &common] {
    options->has_ids = ids->count() > 0;
    options->has_prompt = prompt->count() > 0;
    if (!options->has_ids && !options->has_prompt && !options->chat) {
      throw CLI::RequiredError("--prompt, --ids or --chat");
    }
    run(*options, common);
  });
}

}  // namespace gladius::cli
