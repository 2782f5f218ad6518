#include "gladius/models/gguf/tensor_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace gladius::gguf {
namespace {

struct Names {
  std::string_view gguf, hugging_face;
};

constexpr Names kWhole[] = {{"token_embd.weight", "model.embed_tokens.weight"},
                            {"output_norm.weight", "model.norm.weight"},
                            {"output.weight", "lm_head.weight"}};
// Of a layer, without ".weight" or ".bias".
constexpr Names kOfLayer[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};
constexpr std::string_view kLayers = "model.layers.", kBlocks = "blk.";

template <std::size_t N>
std::optional<std::string_view> translate(const Names (&names)[N], std::string_view name,
                                          std::string_view Names::*from,
                                          std::string_view Names::*to) {
  const auto found = std::ranges::find(names, name, from);
  if (found == std::end(names)) return {};
  return (*found).*to;
}

bool is_number(std::string_view text) {
  return !text.empty() && (text == "0" || text.front() != '0') &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// PREFIX number . NAME . SUFFIX
std::optional<std::string> translate_name(std::string_view name, std::string_view Names::*from,
                                          std::string_view Names::*to, std::string_view prefix,
                                          std::string_view new_prefix) {
  if (const auto whole = translate(kWhole, name, from, to)) return std::string(*whole);
  if (!name.starts_with(prefix)) return {};
  name.remove_prefix(prefix.size());
  const std::size_t dot = name.find('.'), last = name.rfind('.');
  if (dot == name.npos || last == dot || !is_number(name.substr(0, dot))) return {};
  const std::string_view suffix = name.substr(last + 1);
  const auto inner = translate(kOfLayer, name.substr(dot + 1, last - dot - 1), from, to);
  if (!inner || (suffix != "weight" && suffix != "bias")) return {};
  return fmt::format("{}{}.{}.{}", new_prefix, name.substr(0, dot), *inner, suffix);
}

}  // namespace

std::optional<std::string> hugging_face_name(std::string_view name) {
  return translate_name(name, &Names::gguf, &Names::hugging_face, kBlocks, kLayers);
}

std::optional<std::string> gguf_name(std::string_view hugging_face_name) {
  return translate_name(hugging_face_name, &Names::hugging_face, &Names::gguf, kLayers, kBlocks);
}

bool has_permuted_rows(std::string_view architecture, std::string_view name) {
  return architecture == "llama" && (name.find(".self_attn.q_proj.") != name.npos ||
                                     name.find(".self_attn.k_proj.") != name.npos);
}

// Of a head, GGUF has the first half's rows at even places and the second half's at odd ones.
std::int64_t row_in_hugging_face(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t in_head = row % head_dim;
  return row - in_head + in_head % 2 * (head_dim / 2) + in_head / 2;
}

std::int64_t row_in_gguf(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t in_head = row % head_dim, half = head_dim / 2;
  return row - in_head + in_head % half * 2 + in_head / half;
}

}  // namespace gladius::gguf
