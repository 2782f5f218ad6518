// gladius generate: continues a text.
#include "gladius/models/generation/generate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include "answering.h"
#include "chat.h"
#include "commands.h"
#include "constrained.h"
#include "generate_batch.h"
#include "gladius/models/generation/generation_config.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/train/run/pass_memory.h"
#include "output.h"
#include "support.h"
#include "text_input.h"

namespace gladius::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct GenerateArguments {
  std::string model, adapter;
  TextInput text;
  ChatArguments conversation;
  ConstraintArguments constraint;
  bool chat = false, greedy = false;
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<std::int64_t> top_k, max_new_tokens;
  BatchArguments batch;

  // A conversation, be it with --chat or with what only a conversation has.
  bool is_chat() const {
    return chat || conversation.system || !conversation.messages.empty() ||
           !conversation.tools.empty();
  }
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
  warn(common, fmt::format("generation_config.json: not supported and ignored: {}",
                           fmt::join(model.unsupported, ", ")));
}

// Shows tokens as they come: their text, or their ids where there is no tokenizer.
class Output {
 public:
  Output(const std::optional<text::Tokenizer>& tokenizer,
         const std::vector<std::int32_t>& end_tokens, bool streams)
      : end_tokens_(end_tokens), streams_(streams) {
    if (tokenizer) decoder_.emplace(*tokenizer);
  }

  void push(std::int32_t id) {
    if (decoder_ && std::ranges::count(end_tokens_, id) > 0) return;  // no part of the text
    show(decoder_ ? decoder_->push(id) : fmt::format("{}{}", first_ ? "" : ",", id));
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

  const std::vector<std::int32_t>& end_tokens_;
  bool streams_;
  bool first_ = true;
  std::optional<text::StreamDecoder> decoder_;
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

void report(const Output& output, const std::vector<std::int32_t>& prompt,
            const std::vector<std::int32_t>& ids, const GenerateOptions& settings,
            const Timing& timing, bool whole) {
  const bool ended = !ids.empty() && settings.ends_after(ids.back());
  nlohmann::ordered_json document;
  if (output.has_text()) document["text"] = output.text();
  document.update({{"ids", ids},
                   {"prompt_ids", prompt},
                   {"stopped_by", ended   ? "end_token"
                                  : whole ? "constraint"
                                          : "max_new_tokens"},
                   {"tokens_per_second", timing.tokens_per_second(ids.size())},
                   {"prompt_seconds", timing.prompt_seconds()},
                   {"peak_memory_bytes", peak_memory_bytes()}});
  print_json(document);
}

// One answer, shown as it comes; returns its text.
std::string answer(GenerationSession& session, const std::vector<std::int32_t>& prompt,
                   const std::optional<text::Tokenizer>& tokenizer, const GenerateOptions& settings,
                   const Common& common, TokenConstraint* constraint,
                   const std::optional<ConstrainedAnswers>& constrained) {
  Output output(tokenizer, settings.eos_token_ids, !common.json);
  Timing timing{.start = Clock::now(), .first_token = {}, .end = {}};
  const auto show = [&](std::int32_t id) {
    if (timing.first_token == Clock::time_point()) timing.first_token = Clock::now();
    output.push(id);
  };
  const std::vector<std::int32_t> ids = session.generate(prompt, show, constraint);
  timing.end = Clock::now();
  if (ids.empty()) timing.first_token = timing.end;
  output.finish();
  if (common.json) {
    report(output, prompt, ids, settings, timing, constrained && constrained->is_whole());
  }
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

// Answers the turns of the command line, or of the standard input.
template <class Reply>
void talk(Chat& chat, const GenerateArguments& options, const text::Tokenizer& tokenizer,
          const Reply& reply_to) {
  const auto answer_turn = [&] { chat.add("assistant", reply_to(chat.encode(tokenizer))); };
  if (options.text.has_prompt()) chat.add("user", options.text.prompt);
  if (options.text.has_prompt() || !options.conversation.messages.empty()) return answer_turn();
  while (const auto turn = read_turn()) {
    chat.add("user", *turn);
    answer_turn();
  }
}

void run_batch(const GenerateArguments& options, const Common& common) {
  const ModelPaths paths = locate_model(options.model, common);
  const text::Tokenizer tokenizer = load_tokenizer(common, paths.tokenizer);
  PromptFile prompts(options.batch.prompts, paths.tokenizer, tokenizer, common);
  const auto model = load_model(paths, {.warn = warner(common), .adapter = options.adapter});
  const GenerationConfig defaults = GenerationConfig::load(paths.weights, model->config());
  GenerateOptions settings = resolve(options, defaults);
  add_stop_tokens(settings.eos_token_ids, prompts.stop_tokens(), common);
  warn_of_unsupported(defaults, common);
  write_answers(options.batch, prompts, *model, tokenizer, settings, common);
}

void run(const GenerateArguments& options, const Common& common) {
  const ModelPaths paths = locate_model(options.model, common);
  std::optional<text::Tokenizer> tokenizer;
  if (!options.text.has_ids()) tokenizer = load_tokenizer(common, paths.tokenizer);
  std::optional<Chat> chat;
  if (options.is_chat()) chat.emplace(paths, *tokenizer, options.conversation, common);
  std::optional<ConstrainedAnswers> constrained;
  if (options.constraint.constrains()) {
    constrained.emplace(options.constraint, chat ? chat->tools() : nlohmann::ordered_json());
  }
  const auto model = load_model(paths, {.warn = warner(common), .adapter = options.adapter});
  const ModelConfig& config = model->config();
  const GenerationConfig defaults = GenerationConfig::load(paths.weights, config);
  GenerateOptions settings = resolve(options, defaults);
  if (chat) add_stop_tokens(settings.eos_token_ids, chat->stop_tokens(*tokenizer), common);
  warn_of_unsupported(defaults, common);
  GenerationSession session(*model, settings);
  bool warned = false;  // of growth, which is the same for all later answers of a chat
  const auto reply_to = [&](const std::vector<std::int32_t>& prompt) {
    check_ids("--prompt", prompt, config.vocab_size);
    warn_of_length(common, config, std::ssize(prompt));
    warned = warned || warn_of_growth(common, config, std::ssize(prompt), settings.max_new_tokens);
    train::require_memory_for_pass(*model, train::Pass::generate, std::ssize(prompt), "the prompt");
    TokenConstraint* const constraint =
        constrained ? &constrained->begin(prompt, *tokenizer, paths.tokenizer,
                                          settings.eos_token_ids, settings.max_new_tokens)
                    : nullptr;
    return answer(session, prompt, tokenizer, settings, common, constraint, constrained);
  };
  if (!chat) {
    reply_to(read_tokens(options.text, tokenizer, config.vocab_size));
  } else {
    talk(*chat, options, *tokenizer, reply_to);
  }
}

}  // namespace

void add_generate(CLI::App& program, const Common& common) {
  auto options = std::make_shared<GenerateArguments>();
  CLI::App* command = add_command(
      program, "generate", "Continues a text",
      "gladius generate --model student --prompt \"What is the capital of France?\" --chat\n"
      "  gladius generate --model teacher --batch prompts.jsonl --out data.jsonl\n"
      "  gladius generate --model student --prompt \"Name a city\" --chat --json-schema city.json");
  add_model_option(*command, options->model);
  add_adapter_option(*command, options->adapter);
  add_text_input(*command, options->text, "Text to continue", "Token ids to continue: 1,2,3",
                 /*required=*/false);
  CLI::Option* ids = options->text.ids_option;
  command
      ->add_flag("--chat", options->chat,
                 "The prompt is a user's message in a chat; without a prompt the messages are read "
                 "from the standard input, a line each, until /exit or the end")
      ->excludes(ids);
  ChatArguments& conversation = options->conversation;
  command->add_option("--system", conversation.system, "A chat's system message; means --chat")
      ->excludes(ids);
  command
      ->add_option("--messages", conversation.messages,
                   "JSON file with the messages so far, a list or a line of a data file, to be "
                   "answered (before the prompt, if there is one); means --chat")
      ->type_name("FILE")
      ->excludes(ids);
  command
      ->add_option("--tools", conversation.tools,
                   "JSON file with the schemas of the tools, a list; means --chat")
      ->type_name("FILE")
      ->excludes(ids);
  add_constraint_options(*command, options->constraint, ids);
  add_batch_options(*command, options->batch);
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
    if (!options->batch.prompts.empty()) return run_batch(*options, common);
    if (!options->text.has_ids() && !options->text.has_prompt() && !options->is_chat()) {
      throw CLI::RequiredError("--prompt, --ids, --chat or --batch");
    }
    run(*options, common);
  });
}

}  // namespace gladius::cli
