#include "generate_batch.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <utility>

#include "gladius/models/chat_template/conversation.h"
#include "gladius/tensor/base/append_file.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/json_file.h"
#include "gladius/train/data/json_lines.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

using Json = nlohmann::ordered_json;

// Where an answer is there already, the conversation up to it.
void drop_last_answer(Json& messages) {
  if (messages.size() > 1 && messages.back().value("role", "") == "assistant") {
    messages.erase(messages.size() - 1);
  }
}

// Lines that go to a file in their order, in whatever order they come.
class OrderedLines {
 public:
  explicit OrderedLines(const std::filesystem::path& file) : file_(file) {}

  // An empty line is passed over.
  void put(std::size_t index, std::string line) {
    waiting_.emplace(index, std::move(line));
    for (auto next = waiting_.find(next_); next != waiting_.end(); next = waiting_.find(next_)) {
      if (!next->second.empty()) file_.append(next->second + "\n");
      waiting_.erase(next);
      ++next_;
    }
  }
  void sync() { file_.sync(); }

 private:
  AppendFile file_;
  std::size_t next_ = 0;
  std::map<std::size_t, std::string> waiting_;
};

struct Counts {
  std::size_t answers = 0, left_out = 0, tokens = 0;
};

void tell(const BatchArguments& options, const GenerateOptions& settings, const Counts& counts,
          double seconds, const Common& common) {
  const double rate = seconds > 0 ? static_cast<double>(counts.tokens) / seconds : 0;
  if (common.json) {
    print_json({{"answers", counts.answers},
                {"left_out", counts.left_out},
                {"tokens", counts.tokens},
                {"tokens_per_second", rate},
                {"peak_memory_bytes", peak_memory_bytes()}});
  }
  inform(common, fmt::format("{}: {} answers, {} tokens, {:.1f} tokens/s", options.out,
                             counts.answers - counts.left_out, counts.tokens, rate));
  if (counts.left_out == 0) return;
  warn(common, fmt::format("left out {} of {} answers, cut at {} tokens, which would teach to stop "
                           "anywhere; --max-new-tokens lets them be longer, --keep-cut keeps them",
                           counts.left_out, counts.answers, settings.max_new_tokens));
}

}  // namespace

void add_batch_options(CLI::App& command, BatchArguments& options) {
  CLI::Option* batch =
      command
          .add_option("--batch", options.prompts,
                      "A file of prompts (.jsonl), {\"messages\": ...} or {\"text\": ...} a line, "
                      "whose answers are written to --out")
          ->check(CLI::ExistingFile);
  for (const char* other : {"--prompt", "--ids", "--chat", "--system", "--messages", "--tools",
                            "--json-schema", "--tool-choice"}) {
    batch->excludes(command.get_option(other));
  }
  CLI::Option* out = command
                         .add_option("--out", options.out,
                                     "With --batch: a new data file (.jsonl), each prompt with its "
                                     "answer")
                         ->type_name("FILE")
                         ->needs(batch);
  batch->needs(out);
  add_batch_size_option(command, options.batch_size)->needs(batch);
  command
      .add_flag("--keep-cut", options.keep_cut,
                "With --batch: keeps answers that --max-new-tokens has cut")
      ->needs(batch);
}

PromptFile::PromptFile(const std::filesystem::path& file, const std::filesystem::path& directory,
                       const text::Tokenizer& tokenizer, const Common& common)
    : directory_(directory), tokenizer_(tokenizer), common_(common) {
  const train::JsonLines lines(file, nullptr);
  for (std::int64_t i = 0; i < lines.size(); ++i) {
    lines.use_line(i, [&](const std::string& text) {
      Json line = parse_json(text);
      prompts_.push_back(encode(line));
      lines_.push_back(std::move(line));
    });
  }
  if (lines_.empty()) throw FormatError(fmt::format("{}: there is no prompt", file.string()));
}

std::vector<std::int32_t> PromptFile::encode(Json& line) {
  if (!line.is_object()) throw FormatError("not an object with \"messages\" or \"text\"");
  if (line.contains("messages") && !line["messages"].is_null()) {
    text::Conversation conversation = text::parse_conversation(line);
    drop_last_answer(conversation.messages);
    line["messages"] = conversation.messages;
    if (!chat_) chat_.emplace(directory_, tokenizer_, warner(common_));
    return chat_->encode(conversation);
  }
  if (!line.contains("text") || !line["text"].is_string()) {
    throw FormatError("there are neither \"messages\" nor a \"text\"");
  }
  std::vector<std::int32_t> ids = tokenizer_.encode(line["text"].get<std::string>());
  if (ids.empty()) throw FormatError("the text has no tokens");
  return ids;
}

std::vector<std::int32_t> PromptFile::stop_tokens() {
  return chat_ ? chat_->stop_tokens() : std::vector<std::int32_t>();
}

std::string PromptFile::answered(std::size_t index, const train::Answer& answer) const {
  Json line = lines_[index];
  if (line.contains("messages") && !line["messages"].is_null()) {
    line["messages"].push_back({{"role", "assistant"}, {"content", answer.text}});
  } else {
    line["text"] = line["text"].get<std::string>() + continuation(index, answer);
  }
  return line.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

// A text of its own would lose the space that it begins with, in SentencePiece's vocabularies.
std::string PromptFile::continuation(std::size_t index, const train::Answer& answer) const {
  std::vector<std::int32_t> ids = prompts_[index];
  const std::string prompt = tokenizer_.decode(ids);
  ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
  const std::string text = tokenizer_.decode(ids);
  return text.starts_with(prompt) ? text.substr(prompt.size()) : answer.text;
}

void write_answers(const BatchArguments& options, const PromptFile& prompts,
                   const LanguageModel& model, const text::Tokenizer& tokenizer,
                   const GenerateOptions& settings, const Common& common) {
  check_prompts("--batch", prompts.prompts(), model, settings.max_new_tokens, common);
  if (std::filesystem::exists(options.out)) {
    throw ConfigError(
        fmt::format("--out {}: there is such a file already; name a new one", options.out));
  }
  const auto start = std::chrono::steady_clock::now();
  OrderedLines lines(options.out);
  Counts counts;
  {
    CountProgress progress("answer", prompts.prompts().size(), common);
    train::answer_prompts(model, tokenizer, prompts.prompts(), settings, options.batch_size,
                          [&](std::size_t index, const train::Answer& answer) {
                            const bool leaves_out = answer.cut && !options.keep_cut;
                            ++counts.answers;
                            counts.left_out += leaves_out ? 1 : 0;
                            counts.tokens += answer.ids.size();
                            lines.put(index, leaves_out ? "" : prompts.answered(index, answer));
                            progress.done();
                          });
  }
  lines.sync();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  tell(options, settings, counts, elapsed.count(), common);
}

}  // namespace gladius::cli
