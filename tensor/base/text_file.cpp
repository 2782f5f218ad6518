#include "gladius/tensor/base/text_file.h"

#include <algorithm>
#include <span>

#include "gladius/tensor/base/atomic_file.h"
#include "gladius/tensor/base/file_descriptor.h"

namespace gladius {

std::string read_text_file(const std::filesystem::path& path) {
  constexpr std::size_t kSmallestPiece = std::size_t{64} << 10;
  const FileDescriptor file = open_regular_file(path);
  std::string text;
  // To the end rather than to a size: files of /proc have none.
  for (;;) {
    const std::size_t size = text.size();
    text.resize(size + std::max(kSmallestPiece, size));
    const std::size_t count =
        read_some(file, std::as_writable_bytes(std::span(text).subspan(size)), path);
    text.resize(size + count);
    if (count == 0) return text;
  }
}

void write_text_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace gladius
