// gladius tokenizer: makes tokenizers.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "bar.h"
#include "commands.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/tensor/base/text_format.h"
#include "gladius/train/tokenizer_training.h"
#include "output.h"
#include "support.h"

namespace gladius {

template <>
inline constexpr EnumName<text::TokenizerKind> kEnumNames<text::TokenizerKind>[] = {
    {text::TokenizerKind::llama, "llama"}, {text::TokenizerKind::byte_level, "byte-level"}};

namespace cli {
namespace {

struct TokenizerArguments {
  train::TokenizerTraining training;
  std::vector<std::string> data;
  std::string alphabet, chat_template, out;
  std::size_t limit_alphabet = 0;
};

// A bar on a terminal, elsewhere a line every few seconds: for work that takes minutes.
class TrainingProgress {
 public:
  void show(const char* what, std::uint64_t done, std::uint64_t all) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(5)))
      return;
    last_ = now;
    const auto count = static_cast<std::int64_t>(done), total = static_cast<std::int64_t>(all);
    const std::string line =
        fmt::format("{}: {} of {}", what, format_count(count), format_count(total));
    if (terminal_) {
      bar_.draw(line, std::min(count, total), std::max<std::int64_t>(total, 1));
    } else {
      log("{}\n", line);
    }
  }

 private:
  bool terminal_ = is_terminal();
  Bar bar_;
  // On a terminal the first is shown at once.
  std::chrono::steady_clock::time_point last_ =
      terminal_ ? std::chrono::steady_clock::time_point() : std::chrono::steady_clock::now();
};

train::TokenizerSummary train_with_progress(const train::TokenizerTraining& training, bool quiet) {
  if (quiet) return train::train_tokenizer(training);
  TrainingProgress progress;
  return train::train_tokenizer(training,
                                [&](const char* what, std::uint64_t done, std::uint64_t all) {
                                  progress.show(what, done, all);
                                });
}

double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void warn_of_small_vocabulary(const train::TokenizerTraining& training,
                              const train::TokenizerSummary& summary) {
  if (summary.vocab_size >= training.trainer.vocab_size) return;
  log("gladius: warning: the vocabulary has {} entries, not {}: no pair of tokens is left "
      "that occurs {} times\n",
      format_count(static_cast<std::int64_t>(summary.vocab_size)),
      format_count(static_cast<std::int64_t>(training.trainer.vocab_size)),
      std::max<std::int64_t>(training.trainer.min_frequency, 1));
}

void print_summary(const TokenizerArguments& options, const train::TokenizerSummary& summary,
                   double seconds, const Common& common) {
  if (common.json) {
    print_json({{"tokenizer", options.out},
                {"kind", name_of(options.training.trainer.kind)},
                {"vocab_size", summary.vocab_size},
                {"merges", summary.merges},
                {"special_tokens", summary.special_tokens},
                {"words", summary.words},
                {"bytes", summary.bytes},
                {"processor_seconds", seconds}});
    return;
  }
  print("{}: {} tokens, {} merges, from {} different words in {}, {:.1f} s of processor time\n",
        options.out, format_count(static_cast<std::int64_t>(summary.vocab_size)),
        format_count(static_cast<std::int64_t>(summary.merges)),
        format_count(static_cast<std::int64_t>(summary.words)), format_bytes(summary.bytes),
        seconds);
}

void train(TokenizerArguments& options, const Common& common) {
  train::TokenizerTraining& training = options.training;
  if (options.limit_alphabet > 0) training.trainer.limit_alphabet = options.limit_alphabet;
  if (!options.alphabet.empty()) training.trainer.alphabet = read_text_file(options.alphabet);
  training.data.assign(options.data.begin(), options.data.end());
  training.chat_template = options.chat_template;
  training.out = options.out;
  const bool quiet = common.log_level < LogLevel::info;
  const double before = processor_seconds();
  const train::TokenizerSummary summary = train_with_progress(training, quiet);
  if (common.log_level != LogLevel::error) warn_of_small_vocabulary(training, summary);
  print_summary(options, summary, processor_seconds() - before, common);
}

void add_train_options(CLI::App& command, TokenizerArguments& options) {
  text::TokenizerTrainerOptions& trainer = options.training.trainer;
  command.add_option("--data", options.data, "Files to learn from (.txt, .jsonl), or patterns")
      ->type_name("FILE")
      ->required();
  command.add_option("--vocab-size", trainer.vocab_size, "Entries of the vocabulary, all counted")
      ->required()
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 30));
  add_choice(command, "--kind", trainer.kind,
             "llama (characters, the others as bytes) or byte-level (as GPT-2 and Qwen)")
      ->required();
  command.add_option("--out", options.out, "Directory to write; must not hold anything yet")
      ->type_name("DIR")
      ->required();
  command
      .add_option("--chat-template", options.chat_template,
                  "Jinja file that goes with the tokenizer; conversations are learnt as it "
                  "renders them")
      ->type_name("FILE");
  command.add_option("--special-token", trainer.special_tokens,
                     "A token that text is never split into or merged with; may be repeated");
  command.add_option("--eos-token", trainer.eos_token,
                     "The token that ends a text or an answer (default: </s>, <|endoftext|>)");
  command
      .add_option("--min-frequency", trainer.min_frequency,
                  "How often a pair must occur to become a token")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--split", trainer.split,
                     "Expression whose matches no token crosses, in the place of the kind's own");
  command.add_flag("--no-pre-tokenizer", options.training.no_pre_tokenizer,
                   "Leaves the cutting of words out of tokenizer.json, as Llama's has none");
  command
      .add_option("--alphabet", options.alphabet,
                  "llama: file whose characters have a token in any case")
      ->type_name("FILE");
  command
      .add_option("--limit-alphabet", options.limit_alphabet,
                  "llama: how many characters have a token; the rarer ones are bytes")
      ->check(CLI::PositiveNumber);
}

}  // namespace

void add_tokenizer(CLI::App& program, const Common& common) {
  CLI::App* tokenizer = add_command(
      program, "tokenizer", "Makes a tokenizer for your own data",
      "gladius tokenizer train --data texts.jsonl --vocab-size 32000 --kind llama --out tokenizer");
  tokenizer->require_subcommand(1);
  CLI::App* command = add_command(
      *tokenizer, "train", "Learns byte pair encoding and writes a tokenizer's directory",
      "gladius tokenizer train --data 'texts/*.txt' --vocab-size 32000 --kind byte-level "
      "--out tokenizer");
  auto options = std::make_shared<TokenizerArguments>();
  add_train_options(*command, *options);
  command->callback([options, &common] { train(*options, common); });
}

}  // namespace cli
}  // namespace gladius
