// The header of a safetensors file. The input is read in two ways: as a file's bytes, and as the
// size of the tensors' data (8 bytes) followed by the header's text, so that a mutation of the text
// does not have to mend its length and the data's to be looked at.
#include "gladius/tensor/io/safetensors_header.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "fuzz_target.h"

namespace gladius::fuzz {
namespace {

void check(const SafetensorsHeader& header, std::uint64_t file_size) {
  std::uint64_t next = 0;
  std::vector<SafetensorsSpec> specs;
  for (const SafetensorsEntry& entry : header.entries) {
    require(entry.begin == next && entry.end >= entry.begin);
    require(entry.end - entry.begin ==
            static_cast<std::uint64_t>(numel(entry.shape)) / 8 * entry.dtype.bits +
                static_cast<std::uint64_t>(numel(entry.shape)) % 8 * entry.dtype.bits / 8);
    next = entry.end;
    specs.push_back({entry.name, entry.dtype, entry.shape});
  }
  require(header.data_start + next == file_size);

  // Written again it says the same.
  const SafetensorsLayout layout = plan_safetensors(specs, header.metadata);
  const SafetensorsHeader again =
      parse_safetensors_header(std::as_bytes(std::span(layout.header)), layout.file_size);
  require(again.entries.size() == header.entries.size());
  for (std::size_t i = 0; i < again.entries.size(); ++i) {
    const SafetensorsEntry& before = header.entries[layout.order[i]];
    const SafetensorsEntry& planned = layout.entries[i];
    require(planned.name == before.name && planned.dtype == before.dtype &&
            planned.shape == before.shape);
  }
  SafetensorsMetadata metadata = header.metadata;
  metadata.emplace("format", "pt");
  require(again.metadata == metadata);
}

// `start` may end with the header.
void parse(std::string_view start, std::uint64_t file_size) {
  check(parse_safetensors_header(std::as_bytes(std::span(start)), file_size), file_size);
}

void parse_text(std::string_view input) {
  std::uint64_t data_size = 0;
  if (input.size() < sizeof(data_size)) return;
  std::memcpy(&data_size, input.data(), sizeof(data_size));
  const std::string_view text = input.substr(sizeof(data_size));
  const std::uint64_t length = text.size();
  std::string start(sizeof(length), '\0');
  std::memcpy(start.data(), &length, sizeof(length));
  start += text;
  // No file is larger, and no sum overflows.
  parse(start, start.size() + std::min(data_size, std::uint64_t{1} << 62));
}

}  // namespace
}  // namespace gladius::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gladius::fuzz;
  only_errors(data, size, [](std::string_view input) { parse(input, input.size()); });
  return only_errors(data, size, parse_text);
}
