// rewrite_safetensors IN OUT: reads a safetensors file and writes its tensors and metadata again.
#include <cstdio>
#include <exception>

#include "gladius/tensor/io/safetensors.h"

namespace {

void rewrite(const char* in, const char* out) {
  const auto file = gladius::SafetensorsFile::open(in);
  std::vector<gladius::SafetensorsSpec> specs;
  std::vector<std::span<const std::byte>> bytes;
  for (const gladius::SafetensorsEntry& entry : file.entries()) {
    specs.push_back({entry.name, entry.dtype, entry.shape});
    bytes.push_back(file.bytes(entry.name));
  }
  gladius::write_safetensors_bytes(out, specs, bytes, file.metadata());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    rewrite(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
