// JSON lines {"template", "context"} from a file to JSON lines {"text"} or {"error"}, for the
// comparison with transformers. A line with "messages" goes through render_chat().
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "gladius/models/chat_template/chat_template.h"
#include "gladius/tensor/base/error.h"

namespace {

using Json = nlohmann::ordered_json;

std::string render(const gladius::text::ChatTemplate& chat_template, const Json& request) {
  if (!request.contains("messages")) return chat_template.render(request.at("context"));
  return gladius::text::render_chat(chat_template, request.at("messages"),
                                    request.at("add_generation_prompt").get<bool>(),
                                    request.at("variables"), request.at("tools"));
}

Json answer(const Json& request) {
  try {
    const auto chat_template =
        gladius::text::ChatTemplate::parse(request.at("template").get<std::string>());
    return {{"text", render(chat_template, request)}};
  } catch (const gladius::Error& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: render_chat REQUESTS.jsonl\n";
    return 2;
  }
  std::ifstream requests(argv[1]);
  for (std::string line; std::getline(requests, line);) {
    std::cout << answer(Json::parse(line)).dump() << '\n';
  }
  return 0;
}
