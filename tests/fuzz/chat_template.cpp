// A chat template and what it is rendered with. The input is the template and, behind a zero byte,
// the variables as JSON (else a short conversation).
#include "gladius/models/chat_template/chat_template.h"

#include "fuzz_target.h"
#include "gladius/tensor/base/json_file.h"

namespace {

constexpr std::string_view kConversation =
    R"({"messages": [{"role": "user", "content": " Hi\n"}, {"role": "assistant", "content": "\u00e9"}],
        "tools": null, "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>"})";

void render(std::string_view input) {
  const std::size_t zero = input.find('\0');
  const auto chat_template = gladius::text::ChatTemplate::parse(std::string(input.substr(0, zero)));
  const auto context =
      gladius::parse_json(zero == std::string_view::npos ? kConversation : input.substr(zero + 1));
  // Text that is not UTF-8 could not be written as JSON.
  static_cast<void>(nlohmann::json(chat_template.render(context)).dump());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return gladius::fuzz::only_errors(data, size, render);
}
