#include "gladius/train/watch/line_follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

constexpr std::uint64_t kAtOnce = 4 << 20, kRemembered = 512;

}  // namespace

NewLines LineFollower::look() {
  std::error_code error;
  const bool there = std::filesystem::is_regular_file(path_, error);
  const std::uint64_t size = there ? std::filesystem::file_size(path_, error) : 0;
  if (error && there) throw IoError(fmt::format("cannot read {}", path_.string()));
  if (!is_same(size)) {
    *this = LineFollower(path_);
    started_over_ = true;
  }
  NewLines lines{.started_over = started_over_,
                 .text = bytes(offset_, std::min(kAtOnce, size - offset_)),
                 .offset = offset_,
                 .line = lines_ + 1};
  lines.text.resize(lines.text.rfind('\n') + 1);  // 0 where there is none
  lines.more = !lines.text.empty() && offset_ + lines.text.size() < size;
  return lines;
}

void LineFollower::take(const NewLines& seen, std::int64_t lines) {
  started_over_ = false;
  offset_ += seen.text.size();
  lines_ += lines;
  const std::size_t kept = std::min<std::size_t>(seen.text.size(), kRemembered);
  end_.append(seen.text, seen.text.size() - kept);
  end_.erase(0, end_.size() - std::min<std::size_t>(end_.size(), kRemembered));
}

bool LineFollower::is_same(std::uint64_t size) const {
  return size >= offset_ && bytes(offset_ - end_.size(), end_.size()) == end_;
}

std::string LineFollower::bytes(std::uint64_t begin, std::uint64_t count) const {
  std::string text(count, '\0');
  if (count == 0) return text;
  std::ifstream in(path_, std::ios::binary);
  if (!in) throw IoError(fmt::format("cannot read {}", path_.string()));
  in.seekg(static_cast<std::streamoff>(begin));
  in.read(text.data(), static_cast<std::streamsize>(count));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

}  // namespace gladius::train
