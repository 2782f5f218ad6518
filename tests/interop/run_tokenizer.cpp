// JSON lines from a file through one tokenizer, for the comparison with the tokenizers package:
// {"hex": TEXT'S BYTES, "special": true} to {"ids", "spans"}, and {"ids", "skip": true} to {"text",
// "pieces"} (streamed).
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/tensor/error.h"

namespace {

using Json = nlohmann::ordered_json;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

Json encode(const gladius::Tokenizer& tokenizer, const Json& request) {
  const std::string text = from_hex(request.at("hex").get<std::string>());
  const bool special = request.at("special").get<bool>();
  const gladius::Encoding encoding = tokenizer.encode_with_spans(text, special);
  Json spans = Json::array();
  for (const auto& [begin, end] : encoding.spans) spans.push_back({begin, end});
  return {{"ids", encoding.ids},
          {"spans", spans},
          {"same", tokenizer.encode(text, special) == encoding.ids}};
}

Json decode(const gladius::Tokenizer& tokenizer, const Json& request) {
  const auto ids = request.at("ids").get<std::vector<std::int32_t>>();
  const bool skip = request.at("skip").get<bool>();
  gladius::StreamDecoder stream(tokenizer, skip);
  Json pieces = Json::array();
  for (const std::int32_t id : ids) pieces.push_back(stream.push(id));
  pieces.push_back(stream.flush());
  return {{"text", tokenizer.decode(ids, skip)}, {"pieces", pieces}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: run_tokenizer TOKENIZER REQUESTS.jsonl\n";
    return 2;
  }
  try {
    const gladius::Tokenizer tokenizer = gladius::Tokenizer::load(argv[1]);
    std::ifstream requests(argv[2]);
    for (std::string line; std::getline(requests, line);) {
      const Json request = Json::parse(line);
      // dump() throws on text that is not UTF-8.
      std::cout << (request.contains("hex") ? encode(tokenizer, request)
                                            : decode(tokenizer, request))
                       .dump()
                << '\n';
    }
  } catch (const gladius::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
