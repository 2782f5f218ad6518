// JSON lines of conversations from a file to JSON lines {"text", "ids", "labels"} or {"error"} as
// the tokenizer directory's template writes them, with labels for the assistant's tokens.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "gladius/tensor/base/error.h"
#include "gladius/train/data/example_parser.h"

namespace {

using Json = nlohmann::ordered_json;

Json answer(const gladius::train::TextEncoder& encoder, const Json& line) {
  try {
    gladius::train::EncodedChat chat =
        encoder.encode_chat(gladius::text::parse_conversation(line), true);
    const std::string text = chat.text;
    const gladius::train::Example example = gladius::train::chat_example(std::move(chat));
    return {{"text", text}, {"ids", example.ids}, {"labels", example.labels}};
  } catch (const gladius::Error& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: encode_chats TOKENIZER_DIR CONVERSATIONS.jsonl\n";
    return 2;
  }
  const gladius::train::TextEncoder encoder(argv[1]);
  std::ifstream conversations(argv[2]);
  for (std::string line; std::getline(conversations, line);) {
    std::cout << answer(encoder, Json::parse(line)).dump() << '\n';
  }
  return 0;
}
