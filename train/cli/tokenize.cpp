// gladius tokenize: text to ids and back.
#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/tensor/io/text_file.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

struct TokenizeArguments {
  std::string tokenizer, text, file, decode;
  bool has_file = false, has_decode = false;
  bool no_special = false;
};

void encode(const Tokenizer& tokenizer, const TokenizeArguments& options, const Common& common) {
  const std::string text = options.has_file ? read_text_file(options.file) : options.text;
  const std::vector<std::int32_t> ids = tokenizer.encode(text, !options.no_special);
  if (!common.json) {
    print("{}\n", format_ids({ids.begin(), ids.end()}));
    return;
  }
  std::vector<std::string> tokens;
  for (const std::int32_t id : ids) tokens.push_back(tokenizer.id_to_token(id));
  print_json({{"ids", ids}, {"tokens", tokens}});
}

void decode(const Tokenizer& tokenizer, const TokenizeArguments& options, const Common& common) {
  const std::vector<std::int64_t> ids =
      options.decode.empty() ? std::vector<std::int64_t>() : parse_ids("--decode", options.decode);
  check_ids("--decode", ids, tokenizer.vocab_size());
  const std::string text = tokenizer.decode({ids.begin(), ids.end()}, options.no_special);
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
  CLI::Option* file =
      input->add_option("--file", options->file, "File whose text to turn into ids");
  CLI::Option* ids = input->add_option("--decode", options->decode, "Ids to turn into text: 1,2,3");
  input->require_option(1);
  command->add_flag("--no-special", options->no_special,
                    "Adds no special tokens to ids, leaves them out of text");
  command->callback([=, &common] {
    options->has_file = file->count() > 0;
    options->has_decode = ids->count() > 0;
    const Tokenizer tokenizer = Tokenizer::load(locate_model(options->tokenizer, common).tokenizer);
    options->has_decode ? decode(tokenizer, *options, common) : encode(tokenizer, *options, common);
  });
}

}  // namespace gladius::cli
