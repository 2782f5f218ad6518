// gladius render: what the chat template makes of a conversation.
#include <fmt/color.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"
#include "conversation_files.h"
#include "gladius/models/chat_template/ignored_parts.h"
#include "gladius/train/data/example_parser.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

struct RenderArguments {
  std::string model, messages, tools;
  train::LossOn loss_on = train::LossOn::all;
};

text::Conversation read_conversation(const RenderArguments& options) {
  text::Conversation conversation = read_messages(options.messages);
  if (!options.tools.empty()) conversation.tools = read_tools(options.tools);
  return conversation;
}

// For each byte of the text whether a token with a label stands for it: labels[i] is of the token
// behind position i.
std::vector<bool> labelled_bytes(std::size_t size, const std::vector<text::ByteSpan>& tokens,
                                 const std::vector<std::int32_t>& labels) {
  std::vector<bool> out(size);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (labels[i] == train::kNoLabel) continue;
    std::fill(out.begin() + tokens[i + 1].begin, out.begin() + tokens[i + 1].end, true);
  }
  return out;
}

std::string mark(std::string_view text, bool colour) {
  return colour ? fmt::format(fmt::fg(fmt::terminal_color::green), "{}", text)
                : fmt::format("[[{}]]", text);
}

std::string marked_text(const std::string& text, const std::vector<bool>& labelled, bool colour) {
  std::string out;
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    while (end < text.size() && labelled[end] == labelled[begin]) ++end;
    const auto run = std::string_view(text).substr(begin, end - begin);
    out += labelled[begin] ? mark(run, colour) : std::string(run);
  }
  return out;
}

void show(const std::string& text, const std::vector<text::ByteSpan>& spans,
          const train::Example& example) {
  const auto labels =
      std::ranges::count_if(example.labels, [](auto l) { return l != train::kNoLabel; });
  print("{}\n\n", marked_text(text, labelled_bytes(text.size(), spans, example.labels),
                              ::isatty(STDOUT_FILENO) == 1));
  print("tokens: {}, {} of them with a label (marked above)\n", example.ids.size(), labels);
  print("ids: {}\n", format_ids(example.ids));
  print("labels: {}\n", format_ids(example.labels));
}

void run(const RenderArguments& options, const Common& common) {
  const train::TextEncoder encoder(locate_model(options.model, common).tokenizer);
  train::EncodedChat chat =
      encoder.encode_chat(read_conversation(options), /*find_assistant=*/true);
  if (options.loss_on == train::LossOn::all) chat.from_assistant.clear();
  const std::string text = chat.text;
  const std::vector<text::ByteSpan> spans = chat.spans;
  const train::Example example = train::chat_example(std::move(chat));
  if (!example.ignored.empty()) warn(common, text::ignored_parts_warning(example.ignored));
  common.json ? print_json({{"text", text}, {"ids", example.ids}, {"labels", example.labels}})
              : show(text, spans, example);
}

}  // namespace

void add_render(CLI::App& program, const Common& common) {
  auto options = std::make_shared<RenderArguments>();
  CLI::App* command = add_command(
      program, "render", "Shows a conversation as the chat template writes it, and what is trained",
      "gladius render --model student --messages chat.json --loss-on assistant");
  add_model_option(*command, options->model);
  command
      ->add_option("--messages", options->messages,
                   "JSON list of messages, or an object with \"messages\" and perhaps \"tools\"; "
                   "- is the standard input")
      ->type_name("FILE")
      ->required();
  command->add_option("--tools", options->tools, "JSON list of tools' schemas")->type_name("FILE");
  add_loss_on(*command, options->loss_on,
              "What has labels: all (every token) or assistant (what the assistant wrote)")
      ->default_str(name_of(options->loss_on));
  command->callback([=, &common] { run(*options, common); });
}

}  // namespace gladius::cli
