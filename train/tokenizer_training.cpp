#include "gladius/train/tokenizer_training.h"

#include <optional>

#include "gladius/models/chat_template/chat_template.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/file_descriptor.h"
#include "gladius/tensor/base/staged_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/data/data_files.h"
#include "gladius/train/data/raw_texts.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;

// "DIR/" is DIR.
fs::path without_last_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

std::uint64_t bytes_of(const std::vector<fs::path>& files) {
  std::uint64_t bytes = 0;
  for (const fs::path& file : files) bytes += size_of(open_regular_file(file), file);
  return bytes;
}

class Work {
 public:
  Work(const TokenizerTraining& training, const TokenizerProgress& progress)
      : training_(training),
        progress_(progress),
        trainer_(training.trainer),
        files_(expand_patterns(training.data)) {
    if (training.chat_template.empty()) return;
    template_source_ = read_text_file(training.chat_template);
    template_ = text::ChatTemplate::parse(template_source_, training.chat_template.string());
  }

  TokenizerSummary run() {
    const fs::path out = without_last_slash(training_.out);
    require_vacant(out);
    const std::uint64_t all = bytes_of(files_);
    read_data(all);
    const text::BpeVocabulary vocabulary = trainer_.train(
        [&](std::size_t size) { progress_("learns tokens", size, training_.trainer.vocab_size); });
    StagedDirectory staged(out);
    write_files(staged.path(), vocabulary);
    staged.commit();
    return {.bytes = all,
            .words = trainer_.words(),
            .vocab_size = vocabulary.tokens.size(),
            .merges = vocabulary.merges.size(),
            .special_tokens = trainer_.layout().special_tokens.size()};
  }

 private:
  void read_data(std::uint64_t all) {
    std::uint64_t done = 0;
    TextSink sink;
    sink.text = [&](std::string_view text) {
      trainer_.add(text);
      progress_("reads the data", done += text.size(), all);
    };
    sink.rendered_chat = [&](std::string_view text) {
      trainer_.add_with_special_tokens(text);
      progress_("reads the data", done += text.size(), all);
    };
    if (template_) {
      sink.render = [&](const text::Conversation& chat) {
        return text::render_chat(*template_, chat.messages, /*add_generation_prompt=*/false,
                                 trainer_.layout().names, chat.tools);
      };
    }
    for_each_text(files_, sink);
  }

  void write_files(const fs::path& directory, const text::BpeVocabulary& vocabulary) const {
    text::TokenizerLayout layout = trainer_.layout();
    if (training_.no_pre_tokenizer) layout.pre_tokenizer = nullptr;
    write_text_file(directory / "tokenizer.json", tokenizer_json(layout, vocabulary).dump(2));
    write_text_file(directory / "tokenizer_config.json",
                    text::tokenizer_config_json(layout).dump(2) + "\n");
    write_text_file(directory / "special_tokens_map.json",
                    text::special_tokens_map_json(layout).dump(2) + "\n");
    if (template_) write_text_file(directory / "chat_template.jinja", template_source_);
  }

  const TokenizerTraining& training_;
  TokenizerProgress progress_;
  text::TokenizerTrainer trainer_;
  std::vector<fs::path> files_;
  std::string template_source_;
  std::optional<text::ChatTemplate> template_;
};

}  // namespace

TokenizerSummary train_tokenizer(const TokenizerTraining& training,
                                 const TokenizerProgress& progress) {
  return Work(training, progress).run();
}

}  // namespace gladius::train
