// gladius tokenize: text to ids and back.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_file.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

struct TokenizeArguments {
  std::string tokenizer, text, file, decode;
  bool has_file = false, has_decode = false;
  bool no_special = false;
};

void encode(const text::Tokenizer& tokenizer, const TokenizeArguments& options,
            const Common& common) {
  const std::string text = options.has_file ? read_text_file(options.file) : options.text;
  const std::vector<std::int32_t> ids = tokenizer.encode(text, !options.no_special);
  if (!common.json) {
    print("{}\n", format_ids(ids));
    return;
  }
  std::vector<std::string> tokens;
  for (const std::int32_t id : ids) tokens.push_back(tokenizer.id_to_token(id));
  print_json({{"ids", ids}, {"tokens", tokens}});
}

// The ids that have a token. The others are told in a warning, as they add nothing to the text.
std::vector<std::int32_t> known_ids(const text::Tokenizer& tokenizer,
                                    const std::vector<std::int64_t>& ids, const Common& common) {
  std::vector<std::int32_t> known;
  std::int64_t first_unknown = -1;
  for (const std::int64_t id : ids) {
    if (id < 0) throw ConfigError(fmt::format("--decode: id {} is negative; ids count from 0", id));
    if (id < tokenizer.vocab_size() &&
        !tokenizer.id_to_token(static_cast<std::int32_t>(id)).empty()) {
      known.push_back(static_cast<std::int32_t>(id));
    } else if (first_unknown < 0) {
      first_unknown = id;
    }
  }
  if (first_unknown >= 0) {
    warn(common,
         fmt::format("--decode: {} of {} ids skipped, which have no token in this "
                     "tokenizer of {} entries; the first is {}",
                     ids.size() - known.size(), ids.size(), tokenizer.vocab_size(), first_unknown));
  }
  return known;
}

void decode(const text::Tokenizer& tokenizer, const TokenizeArguments& options,
            const Common& common) {
  const std::vector<std::int64_t> ids =
      options.decode.empty() ? std::vector<std::int64_t>() : parse_ids("--decode", options.decode);
  const std::string text = tokenizer.decode(known_ids(tokenizer, ids, common), options.no_special);
  common.json ? print_json({{"text", text}}) : print("{}\n", text);
}

}  // namespace

void add_tokenize(CLI::App& program, const Common& common) {
  auto options = std::make_shared<TokenizeArguments>();
  CLI::App* command = add_command(program, "tokenize", "Token ids of a text, or the text of ids",
                                  "gladius tokenize --tokenizer student --text \"Hello\"");
  add_subject(*command, "--tokenizer,TOKENIZER", options->tokenizer,
              "Directory with tokenizer.json, or anything that --model takes elsewhere");
  CLI::Option_group* input = command->add_option_group("input");
  input->add_option("--text", options->text, "Text to turn into ids");
  CLI::Option* file = input->add_option("--file", options->file, "File whose text to turn into ids")
                          ->type_name("FILE");
  CLI::Option* ids = input->add_option("--decode", options->decode, "Ids to turn into text: 1,2,3");
  input->require_option(1);
  command->add_flag("--no-special", options->no_special,
                    "Adds no special tokens to ids, leaves them out of text");
  command->callback([=, &common] {
    options->has_file = file->count() > 0;
    options->has_decode = ids->count() > 0;
    const text::Tokenizer tokenizer =
        load_tokenizer(common, locate_model(options->tokenizer, common).tokenizer);
    options->has_decode ? decode(tokenizer, *options, common) : encode(tokenizer, *options, common);
  });
}

}  // namespace gladius::cli
