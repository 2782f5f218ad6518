// GGUF files made by tests, well formed and otherwise.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gladius::testing {

/// The bytes of a value, as they lie in the file.
template <class T>
std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
inline std::string raw_text(std::string_view text) {
  return raw<std::uint64_t>(text.size()).append(text);
}

/// A file in parts, each of which a test can change.
struct GgufBytes {
  struct Tensor {
    std::string name;
    std::vector<std::int64_t> sizes;  ///< fastest first
    std::uint32_t type = 0;
    std::string data;
    std::optional<std::uint64_t> offset = {};  ///< behind the one before, if not given
    std::optional<std::uint32_t> dimensions = {};
  };

  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::optional<std::uint64_t> tensor_count = {}, key_count = {};
  std::vector<std::pair<std::string, std::string>> keys;  ///< name -> type and value
  std::string more_keys;                                  ///< bytes behind them
  std::vector<Tensor> tensors;
  std::uint64_t alignment = 32;
  std::string end;  ///< behind the last tensor

  void set(const std::string& key, const std::string& type_and_value) {
    for (auto& [name, value] : keys) {
      if (name == key) {
        value = type_and_value;
        return;
      }
    }
    keys.emplace_back(key, type_and_value);
  }
  void remove(const std::string& key) {
    std::erase_if(keys, [&](const auto& entry) { return entry.first == key; });
  }

  std::string header() const {
    std::string bytes = magic + raw(version) + raw(tensor_count.value_or(tensors.size())) +
                        raw(key_count.value_or(keys.size()));
    for (const auto& [key, value] : keys) bytes += raw_text(key) + value;
    bytes += more_keys;
    std::uint64_t next = 0;
    for (const Tensor& tensor : tensors) {
      const auto dimensions = static_cast<std::uint32_t>(tensor.sizes.size());
      bytes += raw_text(tensor.name) + raw(tensor.dimensions.value_or(dimensions));
      for (const std::int64_t size : tensor.sizes) bytes += raw(size);
      bytes += raw(tensor.type) + raw(tensor.offset.value_or(next));
      next += padded(tensor.data.size());
    }
    return bytes;
  }
  std::string build() const {
    std::string bytes = header();
    bytes.resize(padded(bytes.size()));
    for (const Tensor& tensor : tensors) {
      bytes += tensor.data;
      bytes.resize(padded(bytes.size()));
    }
    return bytes + end;
  }

 private:
  std::uint64_t padded(std::uint64_t size) const {
    return (size + alignment - 1) / alignment * alignment;
  }
};

// Values, with the number of their type before them.
inline std::string u32(std::uint32_t value) { return raw<std::uint32_t>(4) + raw(value); }
inline std::string f32(float value) { return raw<std::uint32_t>(6) + raw(value); }
inline std::string boolean(std::uint8_t value) { return raw<std::uint32_t>(7) + raw(value); }
inline std::string gguf_text(std::string_view value) {
  return raw<std::uint32_t>(8) + raw_text(value);
}
inline std::string texts(const std::vector<std::string>& values) {
  std::string bytes =
      raw<std::uint32_t>(9) + raw<std::uint32_t>(8) + raw<std::uint64_t>(values.size());
  for (const std::string& value : values) bytes += raw_text(value);
  return bytes;
}
template <class T>
std::string numbers(std::uint32_t type, const std::vector<T>& values) {
  std::string bytes = raw<std::uint32_t>(9) + raw(type) + raw<std::uint64_t>(values.size());
  for (const T value : values) bytes += raw(value);
  return bytes;
}

/// A tensor of F32.
inline GgufBytes::Tensor f32_tensor(const std::string& name, std::vector<std::int64_t> sizes,
                                    float first = 0) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  std::string data;
  for (std::int64_t i = 0; i < count; ++i) data += raw(first + static_cast<float>(i) / 16);
  return {.name = name, .sizes = std::move(sizes), .type = 0, .data = std::move(data)};
}

/// A whole small model, llama with one layer: 2 heads of 4, and a byte-level tokenizer of 6 tokens.
inline GgufBytes small_gguf() {
  GgufBytes file;
  file.keys = {{"general.architecture", gguf_text("llama")},
               {"llama.context_length", u32(64)},
               {"llama.embedding_length", u32(8)},
               {"llama.block_count", u32(1)},
               {"llama.feed_forward_length", u32(4)},
               {"llama.attention.head_count", u32(2)},
               {"llama.attention.head_count_kv", u32(1)},
               {"llama.attention.layer_norm_rms_epsilon", f32(1e-5f)},
               {"llama.rope.freq_base", f32(100000)},
               {"tokenizer.ggml.model", gguf_text("gpt2")},
               {"tokenizer.ggml.pre", gguf_text("smollm")},
               {"tokenizer.ggml.tokens", texts({"<end>", "a", "b", "ab", "1", "<im>"})},
               {"tokenizer.ggml.token_type", numbers<std::int32_t>(5, {3, 1, 1, 1, 1, 3})},
               {"tokenizer.ggml.merges", texts({"a b"})},
               {"tokenizer.ggml.bos_token_id", u32(0)},
               {"tokenizer.ggml.eos_token_id", u32(0)},
               {"tokenizer.ggml.eot_token_id", u32(5)},
               {"tokenizer.chat_template", gguf_text("{{ messages[0].content }}<im>")}};
  file.tensors = {f32_tensor("token_embd.weight", {8, 6}),
                  f32_tensor("blk.0.attn_norm.weight", {8}, 1),
                  f32_tensor("blk.0.attn_q.weight", {8, 8}, 2),
                  f32_tensor("blk.0.attn_k.weight", {8, 4}, 3),
                  f32_tensor("blk.0.attn_v.weight", {8, 4}, 4),
                  f32_tensor("blk.0.attn_output.weight", {8, 8}, 5),
                  f32_tensor("blk.0.ffn_norm.weight", {8}, 1),
                  f32_tensor("blk.0.ffn_gate.weight", {8, 4}, 6),
                  f32_tensor("blk.0.ffn_up.weight", {8, 4}, 7),
                  f32_tensor("blk.0.ffn_down.weight", {4, 8}, 8),
                  f32_tensor("output_norm.weight", {8}, 1)};
  return file;
}

}  // namespace gladius::testing
