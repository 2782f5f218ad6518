// A tokenizer and a text. The input is tokenizer.json and, behind a zero byte, the text.
#include "gladius/models/tokenizer/tokenizer.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "fuzz_target.h"

namespace {

using gladius::fuzz::require;

// A file without a disk: the tokenizer is read from a path.
gladius::text::Tokenizer load(std::string_view json) {
  static const int file = ::memfd_create("tokenizer.json", MFD_CLOEXEC);
  require(file >= 0 && ::ftruncate(file, 0) == 0 &&
          ::pwrite(file, json.data(), json.size(), 0) == static_cast<ssize_t>(json.size()));
  return gladius::text::Tokenizer::load(fmt::format("/proc/self/fd/{}", file));
}

void tokenize(std::string_view input) {
  const std::size_t zero = input.find('\0');
  const gladius::text::Tokenizer tokenizer = load(input.substr(0, zero));
  const std::string_view text =
      zero == std::string_view::npos ? "Hello\n 12 \u00e9" : input.substr(zero + 1);
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  for (const std::int32_t id : ids) require(id >= 0 && id < tokenizer.vocab_size());
  require(tokenizer.encode_with_spans(text).ids == ids);
  gladius::text::StreamDecoder stream(tokenizer);
  std::string streamed;
  for (const std::int32_t id : ids) streamed += stream.push(id);
  streamed += stream.flush();
  // Text that is not UTF-8 could not be written as JSON.
  static_cast<void>(nlohmann::json(tokenizer.decode(ids) + streamed).dump());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return gladius::fuzz::only_errors(data, size, tokenize);
}
