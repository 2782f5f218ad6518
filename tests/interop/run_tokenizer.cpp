// JSON lines from a file through one tokenizer, for the comparison with the tokenizers package:
// {"ids"} to {"texts", "pieces"} (at once, and streamed; without special tokens, and with them),
// and
// {"hex": TEXT'S BYTES, "special": true} to {"ids", "spans", "same"} and what its ids decode to.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/tensor/base/error.h"

namespace {

using Json = nlohmann::ordered_json;

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

Json decode(const gladius::text::Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  Json answer;
  for (const bool skip : {true, false}) {
    gladius::text::StreamDecoder stream(tokenizer, skip);
    Json pieces = Json::array();
    for (const std::int32_t id : ids) pieces.push_back(stream.push(id));
    pieces.push_back(stream.flush());
    answer["texts"].push_back(tokenizer.decode(ids, skip));
    answer["pieces"].push_back(pieces);
  }
  return answer;
}

Json encode(const gladius::text::Tokenizer& tokenizer, const std::string& text, bool special) {
  const gladius::text::Encoding encoding = tokenizer.encode_with_spans(text, special);
  Json answer = decode(tokenizer, encoding.ids);
  answer["ids"] = encoding.ids;
  answer["same"] = tokenizer.encode(text, special) == encoding.ids;
  for (const auto& [begin, end] : encoding.spans) answer["spans"].push_back({begin, end});
  return answer;
}

Json answer(const gladius::text::Tokenizer& tokenizer, const Json& request) {
  if (request.contains("ids")) return decode(tokenizer, request.at("ids"));
  return encode(tokenizer, from_hex(request.at("hex")), request.at("special"));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: run_tokenizer TOKENIZER REQUESTS.jsonl\n";
    return 2;
  }
  try {
    const gladius::text::Tokenizer tokenizer = gladius::text::Tokenizer::load(argv[1]);
    std::ifstream requests(argv[2]);
    for (std::string line; std::getline(requests, line);) {
      // dump() throws on text that is not UTF-8.
      std::cout << answer(tokenizer, Json::parse(line)).dump() << '\n';
    }
  } catch (const gladius::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
