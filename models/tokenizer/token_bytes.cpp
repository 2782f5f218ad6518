#include "gladius/models/tokenizer/token_bytes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gladius/models/tokenizer/byte_level.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/json_file.h"

namespace gladius::text {
namespace {

using Json = nlohmann::json;

// Whether a decoder is of the type, or one of its stages.
bool has_stage(const Json& decoder, const char* type) {
  if (!decoder.is_object()) return false;
  if (decoder.value("type", Json()) == type) return true;
  const Json stages = decoder.value("decoders", Json::array());
  return stages.is_array() &&
         std::ranges::any_of(stages, [&](const Json& stage) { return has_stage(stage, type); });
}

// Whether <0xNN> stands for a byte when a text is encoded, though the decoder may not say so.
bool encodes_bytes(const Json& model) {
  return model.is_object() && model.value("byte_fallback", Json()) == true;
}

}  // namespace

TokenBytes::TokenBytes(const std::filesystem::path& directory)
    : TokenBytes(directory, read_tokenizer_json<Json>(directory)) {}

TokenBytes::TokenBytes(const std::filesystem::path& directory, const Json& root)
    : tokenizer_(Tokenizer::load(directory, root)) {
  const Json decoder = root.value("decoder", Json());
  decoder_ = make_decoder(decoder);
  byte_level_ = has_stage(decoder, "ByteLevel");
  byte_fallback_ = has_stage(decoder, "ByteFallback") || encodes_bytes(root.value("model", Json()));
}

std::optional<std::string> TokenBytes::operator[](std::int64_t id) const { return bytes(id, "a"); }

std::optional<std::string> TokenBytes::at_start(std::int64_t id) const { return bytes(id, ""); }

std::optional<std::string> TokenBytes::bytes(std::int64_t id, std::string_view before) const {
  const auto entry = static_cast<std::int32_t>(id);
  const std::string& token = tokenizer_.id_to_token(entry);
  if (token.empty()) return {};
  if (tokenizer_.is_added(entry)) return token;  // stands for itself
  if (byte_level_) return byte_level_bytes(token);
  if (byte_fallback_) {
    if (const int byte = byte_of_token(token); byte >= 0)
      return std::string(1, static_cast<char>(byte));
  }
  if (!decoder_) return token;
  // Decoders treat the start and the end of a text specially.
  constexpr std::string_view kAfter = "a";
  TokenList tokens;
  for (const std::string_view part : {before, std::string_view(token), kAfter}) {
    if (!part.empty()) tokens.push_back(part);
  }
  TokenDecoder decoder = decoder_;
  decoder(tokens, /*last=*/true);
  const std::size_t around = before.size() + kAfter.size();
  return tokens.bytes.size() < around
             ? token
             : tokens.bytes.substr(before.size(), tokens.bytes.size() - around);
}

}  // namespace gladius::text
