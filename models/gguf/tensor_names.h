// The names of weights, GGUF's and Hugging Face's, of the families that both have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gladius::gguf {

/// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; nothing for other names.
std::optional<std::string> hugging_face_name(std::string_view name);
/// The inverse.
std::optional<std::string> gguf_name(std::string_view hugging_face_name);

/// Whether the rows of this weight (Hugging Face's name) of an architecture ("llama", "qwen2", ...)
/// lie in another order in GGUF: queries and keys that are rotated in neighbouring pairs.
bool has_permuted_rows(std::string_view architecture, std::string_view hugging_face_name);
/// Which of Hugging Face's rows GGUF's row `row` is, in heads of `head_dim` rows.
std::int64_t row_in_hugging_face(std::int64_t row, std::int64_t head_dim);
/// The inverse.
std::int64_t row_in_gguf(std::int64_t row, std::int64_t head_dim);

}  // namespace gladius::gguf
