// Files that are damaged or made to do harm: each is refused with a line of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "gladius/models/gguf/model_json.h"
#include "gladius/models/gguf/tokenizer_json.h"
#include "gladius/models/model_directory.h"
#include "gladius/models/tokenizer/tokenizer.h"
#include "gladius/tensor/base/text_file.h"
#include "support/gguf_bytes.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using namespace gladius::testing;
using ::testing::HasSubstr;

struct Malformed {
  const char* name;
  std::function<void(GgufBytes&)> change;
  const char* message;
};

constexpr std::int64_t kHuge = std::int64_t{1} << 42;

GgufBytes::Tensor& first(GgufBytes& file) { return file.tensors[0]; }

// Published faults of readers of this format are named by their numbers.
const Malformed kHeaders[] = {
    {"magic", [](auto& f) { f.magic = "GGML"; }, "does not begin with \"GGUF\""},
    {"version 1", [](auto& f) { f.version = 1; }, "GGUF version 1 is not read"},
    {"version 4", [](auto& f) { f.version = 4; }, "GGUF version 4 is not read"},
    {"version 0", [](auto& f) { f.version = 0; }, "GGUF version 0 is not read"},
    {"big endian", [](auto& f) { f.version = 3 << 24; }, "only little-endian"},
    // As CVE-2024-21802: counts without a bound.
    {"tensors 2^63", [](auto& f) { f.tensor_count = std::uint64_t{1} << 63; },
     "the number of tensors is 9223372036854775808"},
    {"tensors -1", [](auto& f) { f.tensor_count = ~std::uint64_t{0}; },
     "the number of tensors is 18446744073709551615"},
    {"one tensor more", [](auto& f) { f.tensor_count = f.tensors.size() + 30; },
     "the name of tensor"},
    {"tensors beyond the file", [](auto& f) { f.tensor_count = 100000; },
     "the number of tensors is 100000, but"},
    {"keys 2^60", [](auto& f) { f.key_count = std::uint64_t{1} << 60; },
     "the number of keys is 1152921504606846976"},
    {"keys beyond the file", [](auto& f) { f.key_count = 100000; },
     "the number of keys is 100000, but"},
    {"a key more", [](auto& f) { f.key_count = f.keys.size() + 1; },
     "the file ends within the name of tensor 0"},
    // Lengths of texts.
    {"a key's length 2^64-1",
     [](auto& f) { f.key_count = f.keys.size() + 1, f.more_keys = raw(~std::uint64_t{0}); },
     "the file ends within the name of key 18 (18446744073709551615 bytes"},
    {"empty key", [](auto& f) { f.keys[1].first = ""; }, "the name of key 1 is empty"},
    {"key of 65536 bytes", [](auto& f) { f.keys[1].first = std::string(65536, 'k'); },
     "has 65536 bytes, at most 65535"},
    {"key with a zero", [](auto& f) { f.keys[1].first = std::string("a\0b", 3); },
     "the name of key 1 \"a"},
    {"key that is not UTF-8", [](auto& f) { f.keys[1].first = "k\xff"; },
     "\"k\\xff\" is not UTF-8"},
    {"same key twice", [](auto& f) { f.keys.push_back(f.keys[1]); },
     "key \"llama.context_length\" is there twice"},
    {"type 13", [](auto& f) { f.set("x", raw<std::uint32_t>(13)); },
     "key \"x\" is of the unknown type 13"},
    {"type -1", [](auto& f) { f.set("x", raw<std::int32_t>(-1)); },
     "key \"x\" is of the unknown type 4294967295"},
    {"bool 2", [](auto& f) { f.set("x", boolean(2)); }, "key \"x\" is the bool 2"},
    {"bool 255 in an array",
     [](auto& f) {
       f.set("x", numbers<std::uint8_t>(7, {0, 1, 255}));
     },
     "is the bool 255"},
    {"text 2^64-1", [](auto& f) { f.set("x", raw<std::uint32_t>(8) + raw(~std::uint64_t{0})); },
     "the file ends within key \"x\" (18446744073709551615 bytes"},
    {"text beyond the file",
     [](auto& f) { f.set("x", raw<std::uint32_t>(8) + raw<std::uint64_t>(1 << 20)); },
     "the file ends within key \"x\" (1048576 bytes"},
    // An array's count times the size of its elements.
    {"array of 2^61 u64",
     [](auto& f) {
       f.set("x", raw<std::uint32_t>(9) + raw<std::uint32_t>(10) + raw(std::uint64_t{1} << 61));
     },
     "the number of elements of key \"x\" is 2305843009213693952"},
    {"array of 2^62 i32",
     [](auto& f) {
       f.set("x", raw<std::uint32_t>(9) + raw<std::uint32_t>(5) + raw(std::uint64_t{1} << 62));
     },
     "the number of elements of key \"x\" is 4611686018427387904"},
    // Texts of an array.
    {"array of 2^60 texts",
     [](auto& f) {
       f.set("x", raw<std::uint32_t>(9) + raw<std::uint32_t>(8) + raw(std::uint64_t{1} << 60));
     },
     "the number of elements of key \"x\" is 1152921504606846976"},
    {"a text of an array beyond the file",
     [](auto& f) {
       f.set("x", raw<std::uint32_t>(9) + raw<std::uint32_t>(8) + raw<std::uint64_t>(1) +
                      raw(std::uint64_t{1} << 40));
     },
     "the file ends within key \"x\" (1099511627776 bytes"},
    {"array of arrays",
     [](auto& f) {
       f.set("x", raw<std::uint32_t>(9) + raw<std::uint32_t>(9) + raw<std::uint64_t>(1));
     },
     "key \"x\" is an array of arrays"},
    {"array of type 99",
     [](auto& f) {
       f.set("x", raw<std::uint32_t>(9) + raw<std::uint32_t>(99) + raw<std::uint64_t>(1));
     },
     "key \"x\" is of the unknown type 99"},
    // CVE-2026-27940 and its like: alignment of another type, zero, odd, without a bound.
    {"alignment as u64",
     [](auto& f) { f.set("general.alignment", raw<std::uint32_t>(10) + raw<std::uint64_t>(32)); },
     "\"general.alignment\" is of type u64, not u32"},
    {"alignment as text", [](auto& f) { f.set("general.alignment", gguf_text("32")); },
     "\"general.alignment\" is of type string, not u32"},
    {"alignment 0", [](auto& f) { f.set("general.alignment", u32(0)); },
     "\"general.alignment\" is 0;"},
    {"alignment 1", [](auto& f) { f.set("general.alignment", u32(1)); },
     "\"general.alignment\" is 1;"},
    {"alignment 48", [](auto& f) { f.set("general.alignment", u32(48)); },
     "\"general.alignment\" is 48;"},
    {"alignment 2^31", [](auto& f) { f.set("general.alignment", u32(1u << 31)); },
     "\"general.alignment\" is 2147483648;"},
    {"tensor without a name", [](auto& f) { first(f).name = ""; }, "the name of tensor 0 is empty"},
    {"tensor's name of 64 bytes", [](auto& f) { first(f).name = std::string(64, 't'); },
     "has 64 bytes, at most 63"},
    {"tensor's name is not UTF-8", [](auto& f) { first(f).name = "t\xc0"; },
     "the name of tensor 0 \"t\\xc0\" is not UTF-8"},
    {"same tensor twice", [](auto& f) { f.tensors[1].name = "token_embd.weight"; },
     "tensor \"token_embd.weight\" is there twice"},
    {"no dimensions", [](auto& f) { first(f).sizes = {}; }, "has 0 dimensions; 1 to 4"},
    {"five dimensions",
     [](auto& f) {
       first(f).sizes = {1, 1, 1, 1, 1};
     },
     "has 5 dimensions; 1 to 4"},
    {"2^32-1 dimensions", [](auto& f) { first(f).dimensions = ~0u; }, "has 4294967295 dimensions"},
    {"size 0",
     [](auto& f) {
       first(f).sizes = {8, 0};
     },
     "\"token_embd.weight\" has the size 0"},
    {"size -1",
     [](auto& f) {
       first(f).sizes = {8, -1};
     },
     "\"token_embd.weight\" has the size -1"},
    {"size INT64_MIN",
     [](auto& f) {
       first(f).sizes = {INT64_MIN, 1};
     },
     "has the size -9223372036854775808"},
    // CVE-2025-53630: products of sizes.
    {"2^64 elements",
     [](auto& f) {
       first(f).sizes = {kHuge, kHuge};
     },
     "\"token_embd.weight\" has more elements than can be counted"},
    {"2^63 elements of four sizes",
     [](auto& f) {
       f.tensors[2].sizes = {1 << 16, 1 << 16, 1 << 16, 1 << 15};
     },
     "has more elements than can be counted"},
    {"2^42+1 in a dimension", [](auto& f) { first(f).sizes = {kHuge + 1}; },
     "takes more bytes than the whole file"},
    {"2^62 elements of four bytes", [](auto& f) { f.tensors[2].sizes = {std::int64_t{1} << 62}; },
     "takes more bytes than the whole file"},
    {"tensor's type 4, taken away", [](auto& f) { first(f).type = 4; }, "is of the unknown type 4"},
    {"tensor's type 1000", [](auto& f) { first(f).type = 1000; }, "is of the unknown type 1000"},
    {"rows that cut blocks", [](auto& f) { first(f).type = 8; },
     "has rows of 8 elements, which are no whole blocks of Q8_0 (32 elements)"},
    {"rows that cut large blocks",
     [](auto& f) {
       first(f).sizes = {32, 6}, first(f).type = 12;
     },
     "no whole blocks of Q4_K (256 elements)"},
    // CVE-2026-7482: offsets.
    {"offset not aligned", [](auto& f) { first(f).offset = 4; },
     "is at offset 4, which is no multiple of the alignment 32"},
    {"offset 2^64-32", [](auto& f) { first(f).offset = ~std::uint64_t{31}; },
     "ends beyond the file: 192 bytes from offset 18446744073709551584"},
    {"offset beyond the file", [](auto& f) { first(f).offset = 1 << 20; },
     "ends beyond the file: 192 bytes from offset 1048576"},
    {"overlap", [](auto& f) { f.tensors[1].offset = 0; }, "they overlap"},
    {"gap", [](auto& f) { f.tensors.back().offset = 1440, f.end = std::string(32, 'x'); },
     "they leave a gap"},
    {"data cut off", [](auto& f) { f.tensors.back().data.clear(); }, "beyond the file's"},
    {"data past the end", [](auto& f) { f.end = std::string(33, 'x'); }, "follow the last tensor"},
};

std::string error_of(const GgufBytes& file) {
  const std::string bytes = file.build();
  return message_of<Error>(
      [&] { gguf::parse_header(std::as_bytes(std::span(bytes)), "FILE.gguf"); });
}

void expect_one_line(const std::string& message) {
  EXPECT_THAT(message, HasSubstr("FILE.gguf: "));
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_LT(message.size(), 600u) << message;
}

TEST(MalformedGguf, HeadersAreRefusedEachWithItsLine) {
  const std::string whole = small_gguf().build();
  EXPECT_NO_THROW(gguf::parse_header(std::as_bytes(std::span(whole)), "FILE.gguf"));
  std::set<std::string> messages;
  for (const Malformed& malformed : kHeaders) {
    SCOPED_TRACE(malformed.name);
    GgufBytes file = small_gguf();
    malformed.change(file);
    const std::string message = error_of(file);
    EXPECT_THAT(message, HasSubstr(malformed.message));
    expect_one_line(message);
    EXPECT_TRUE(messages.insert(message).second) << "the line of another: " << message;
  }
  EXPECT_GE(messages.size(), 60u);
}

// Not a byte of it is read that is not there (the address sanitizer looks on).
TEST(MalformedGguf, CutAnywhere) {
  const std::string whole = small_gguf().build();
  const std::string header = small_gguf().header();
  for (std::size_t length = 0; length < whole.size() - 32;
       length += length < header.size() ? 1 : 97) {
    const std::vector<std::byte> part(reinterpret_cast<const std::byte*>(whole.data()),
                                      reinterpret_cast<const std::byte*>(whole.data()) + length);
    expect_one_line(message_of<Error>([&] { gguf::parse_header(part, "FILE.gguf"); }));
  }
}

TEST(MalformedGguf, AnyByteChanged) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 rng(seed);
  const std::string whole = small_gguf().build();
  const std::size_t header = small_gguf().header().size();
  for (int run = 0; run < 2000; ++run) {
    std::string bytes = whole;
    for (std::uint64_t n = rng() % 3 + 1; n > 0; --n)
      bytes[rng() % header] = static_cast<char>(rng());
    const std::vector<std::byte> copy(
        reinterpret_cast<const std::byte*>(bytes.data()),
        reinterpret_cast<const std::byte*>(bytes.data()) + bytes.size());
    try {
      const gguf::Header parsed = gguf::parse_header(copy, "FILE.gguf");
      for (const auto& tensor : parsed.tensors) ASSERT_LE(tensor.end, copy.size());
    } catch (const Error& error) {
      expect_one_line(error.what());
    }
  }
}

// Well-formed files that say what is wrong or not supported.
const Malformed kModels[] = {
    {"no architecture", [](auto& f) { f.remove("general.architecture"); },
     "\"general.architecture\" is missing"},
    {"architecture", [](auto& f) { f.set("general.architecture", gguf_text("gemma")); },
     "is \"gemma\", which is not supported (known: llama, qwen2, qwen3)"},
    {"architecture is a number", [](auto& f) { f.set("general.architecture", u32(1)); },
     "is of type u32, not a string"},
    {"no width", [](auto& f) { f.remove("llama.embedding_length"); },
     "\"llama.embedding_length\" is missing"},
    {"heads by layer",
     [](auto& f) {
       f.set("llama.attention.head_count", numbers<std::int32_t>(5, {2, 2}));
     },
     "\"llama.attention.head_count\" is of type array, not an integer"},
    {"no heads", [](auto& f) { f.set("llama.attention.head_count", u32(0)); },
     "\"num_attention_heads\" is 0"},
    {"heads that do not divide", [](auto& f) { f.set("llama.attention.head_count_kv", u32(3)); },
     "not a multiple of num_key_value_heads 3"},
    {"negative layers",
     [](auto& f) { f.set("llama.block_count", raw<std::uint32_t>(5) + raw<std::int32_t>(-1)); },
     "\"num_hidden_layers\" is -1"},
    {"2^64-1 layers",
     [](auto& f) { f.set("llama.block_count", raw<std::uint32_t>(10) + raw(~std::uint64_t{0})); },
     "is 18446744073709551615, which is too large"},
    {"epsilon is not a number",
     [](auto& f) { f.set("llama.attention.layer_norm_rms_epsilon", f32(NAN)); }, "rms_norm_eps"},
    {"experts", [](auto& f) { f.set("llama.expert_count", u32(8)); },
     "\"llama.expert_count\" is 8; models with experts"},
    {"part of a model", [](auto& f) { f.set("split.count", u32(3)); }, "gguf-split --merge"},
    {"adapter", [](auto& f) { f.set("general.type", gguf_text("adapter")); },
     "is not a whole model"},
    {"partial rotation",
     [](auto& f) {
       f.set("llama.rope.dimension_count", u32(2)), f.set("llama.attention.key_length", u32(4));
     },
     "\"llama.rope.dimension_count\" is 2, but heads have 4"},
    {"rope scaling", [](auto& f) { f.set("llama.rope.scaling.type", gguf_text("longrope")); },
     "is \"longrope\", which is not supported"},
    {"frequencies of another kind",
     [](auto& f) { f.tensors.push_back(f32_tensor("rope_freqs.weight", {2}, 3)); },
     "in another way than Llama 3"},
    {"a type that is not supported",
     [](auto& f) {
       f.tensors[2].sizes = {32, 2}, f.tensors[2].type = 20, f.tensors[2].data.resize(36);
     },
     "is of type IQ4_NL, which is not supported"},
    {"a tensor is missing", [](auto& f) { f.tensors.pop_back(); },
     "\"model.norm.weight\" [8] is missing"},
    {"a tensor of another shape",
     [](auto& f) {
       f.tensors[7] = f32_tensor("blk.0.ffn_gate.weight", {8, 3});
     },
     "has shape [3, 8], the model needs [4, 8]"},
    {"queries that are no whole heads",
     [](auto& f) {
       f.tensors[2] = f32_tensor("blk.0.attn_q.weight", {8, 7});
     },
     "has 7 rows, which are no whole heads of 4"},
};

TEST(MalformedGguf, ModelsAreRefusedByName) {
  const TemporaryDirectory directory;
  const auto path = directory / "FILE.gguf";
  for (const Malformed& malformed : kModels) {
    SCOPED_TRACE(malformed.name);
    GgufBytes file = small_gguf();
    malformed.change(file);
    write_text_file(path, file.build());
    const std::string message = message_of<Error>([&] { load_model(path); });
    EXPECT_THAT(message, HasSubstr(malformed.message));
    expect_one_line(message);
  }
}

const Malformed kTokenizers[] = {
    {"no model", [](auto& f) { f.remove("tokenizer.ggml.model"); },
     "\"tokenizer.ggml.model\" is missing"},
    {"model", [](auto& f) { f.set("tokenizer.ggml.model", gguf_text("bert")); },
     "is \"bert\", which is not supported (known: llama, gpt2)"},
    {"expression", [](auto& f) { f.set("tokenizer.ggml.pre", gguf_text("falcon")); },
     "is \"falcon\", which is not supported (known: gpt-2, smollm, qwen2, llama-bpe, default)"},
    {"no tokens", [](auto& f) { f.set("tokenizer.ggml.tokens", texts({})); }, "missing or empty"},
    {"tokens are numbers",
     [](auto& f) { f.set("tokenizer.ggml.tokens", numbers<std::int32_t>(5, {1})); },
     "is an array of elements of another type"},
    {"tokens are a text", [](auto& f) { f.set("tokenizer.ggml.tokens", gguf_text("a")); },
     "is of type string, not an array"},
    {"an empty token",
     [](auto& f) {
       f.set("tokenizer.ggml.tokens", texts({"", "a", "b", "ab", "1", "<im>"}));
     },
     "token 0 is empty"},
    {"a token twice",
     [](auto& f) {
       f.set("tokenizer.ggml.tokens", texts({"a", "a", "b", "ab", "1", "<im>"}));
     },
     "tokens 0 and 1 are both \"a\""},
    {"a token that is not UTF-8",
     [](auto& f) {
       f.set("tokenizer.ggml.tokens", texts({"<end>", "\xff", "b", "ab", "1", "x"}));
     },
     "token 1 \"\\xff\" is not UTF-8"},
    {"too few types",
     [](auto& f) { f.set("tokenizer.ggml.token_type", numbers<std::int32_t>(5, {1})); },
     "has 1 elements for 6 tokens"},
    {"type 9",
     [](auto& f) {
       f.set("tokenizer.ggml.token_type", numbers<std::int32_t>(5, {9, 1, 1, 1, 1, 1}));
     },
     "token 0 is of the unknown type 9"},
    {"no merges", [](auto& f) { f.remove("tokenizer.ggml.merges"); },
     "\"tokenizer.ggml.merges\" is missing"},
    {"a merge of one token", [](auto& f) { f.set("tokenizer.ggml.merges", texts({"ab"})); },
     "merge 0 \"ab\" is not two tokens"},
    {"a merge of unknown tokens", [](auto& f) { f.set("tokenizer.ggml.merges", texts({"a z"})); },
     "has tokens that are not in the vocabulary"},
    {"first token beyond the vocabulary",
     [](auto& f) { f.set("tokenizer.ggml.bos_token_id", u32(6)); }, "is 6, but there are 6 tokens"},
    {"scores are missing",
     [](auto& f) {
       f.remove("tokenizer.ggml.merges"), f.set("tokenizer.ggml.model", gguf_text("llama"));
     },
     "\"tokenizer.ggml.scores\" is missing"},
};

TEST(MalformedGguf, TokenizersAreRefusedByName) {
  const TemporaryDirectory directory;
  const auto path = directory / "FILE.gguf";
  for (const Malformed& malformed : kTokenizers) {
    SCOPED_TRACE(malformed.name);
    GgufBytes file = small_gguf();
    malformed.change(file);
    write_text_file(path, file.build());
    const std::string message = message_of<Error>([&] { text::Tokenizer::load(path); });
    EXPECT_THAT(message, HasSubstr(malformed.message));
    expect_one_line(message);
  }
}

}  // namespace
}  // namespace gladius
