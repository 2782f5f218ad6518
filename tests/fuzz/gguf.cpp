// A GGUF file: its header, and what its keys stand for.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "fuzz_target.h"
#include "gladius/models/config.h"
#include "gladius/models/gguf/model_json.h"
#include "gladius/models/gguf/tensor_names.h"
#include "gladius/models/gguf/tokenizer_json.h"
#include "gladius/models/tokenizer/tokenizer.h"

namespace {

using gladius::fuzz::require;

void check(const gladius::gguf::Header& header, std::size_t size) {
  std::uint64_t end = 0;
  for (const gladius::gguf::TensorInfo& tensor : header.tensors) {
    require(tensor.begin >= end && tensor.end > tensor.begin && tensor.end <= size);
    require(tensor.begin % header.alignment == 0);
    end = tensor.end;
    if (const auto name = gladius::gguf::hugging_face_name(tensor.name)) {
      require(gladius::gguf::gguf_name(*name) == tensor.name);
    }
  }
}

// A file without a disk.
std::string path_of(std::string_view bytes) {
  static const int file = ::memfd_create("model.gguf", MFD_CLOEXEC);
  require(file >= 0 && ::ftruncate(file, 0) == 0 &&
          ::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return fmt::format("/proc/self/fd/{}", file);
}

void use(std::string_view input) {
  check(gladius::gguf::parse_header(std::as_bytes(std::span(input)), "input"), input.size());
  const std::string path = path_of(input);
  const auto one = [&](auto f) {
    try {
      f();
    } catch (const gladius::Error&) {
    }
  };
  one([&] { static_cast<void>(gladius::ModelConfig::load(path).to_text()); });
  one([&] {
    const auto file = gladius::gguf::File::open(path);
    static_cast<void>(gladius::gguf::tokenizer_config_json(file).dump());
  });
  one([&] {
    const gladius::text::Tokenizer tokenizer = gladius::text::Tokenizer::load(path);
    for (const std::int32_t id : tokenizer.encode("Hello\n 12 \u00e9")) {
      require(id >= 0 && id < tokenizer.vocab_size());
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return gladius::fuzz::only_errors(data, size, use);
}
