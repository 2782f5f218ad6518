#include "gladius/train/data/file_blocks.h"

#include <algorithm>
#include <span>
#include <string>

#include "gladius/tensor/base/file_descriptor.h"

namespace gladius::train {

void for_each_block(const std::filesystem::path& path, std::uint64_t end,
                    const std::function<void(std::uint64_t, std::string_view)>& use) {
  constexpr std::uint64_t kBlock = std::uint64_t{1} << 20;
  const FileDescriptor file = open_regular_file(path);
  std::string block(kBlock, '\0');
  for (std::uint64_t offset = 0; offset < end;) {
    const auto wanted = static_cast<std::size_t>(std::min(kBlock, end - offset));
    const std::size_t count =
        read_at(file, offset, std::as_writable_bytes(std::span(block.data(), wanted)), path);
    if (count == 0) return;
    use(offset, std::string_view(block).substr(0, count));
    offset += count;
  }
}

}  // namespace gladius::train
