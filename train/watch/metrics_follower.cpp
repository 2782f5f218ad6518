#include "gladius/train/watch/metrics_follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

constexpr std::uint64_t kAtOnce = 4 << 20, kRemembered = 512;

}  // namespace

NewMetrics MetricsFollower::read() {
  NewMetrics out;
  std::error_code error;
  const bool there = std::filesystem::is_regular_file(path_, error);
  const std::uint64_t size = there ? std::filesystem::file_size(path_, error) : 0;
  if (error && there) throw IoError(fmt::format("cannot read {}", path_.string()));
  if (!is_same(size)) {
    *this = MetricsFollower(path_);
    out.started_over = true;
  }
  const std::string text = bytes(offset_, std::min(kAtOnce, size - offset_));
  const std::size_t whole = text.rfind('\n') + 1;  // 0 where there is none
  for (std::size_t begin = 0; begin < whole;) {
    const std::size_t end = text.find('\n', begin);
    out.steps.push_back(read_metrics_line(text.substr(begin, end - begin), path_,
                                          lines_ + std::ssize(out.steps) + 1));
    begin = end + 1;
  }
  offset_ += whole;
  lines_ += std::ssize(out.steps);
  end_.append(text, 0, whole);
  end_.erase(0, end_.size() - std::min<std::size_t>(end_.size(), kRemembered));
  out.more = whole > 0 && offset_ < size;
  return out;
}

bool MetricsFollower::is_same(std::uint64_t size) const {
  return size >= offset_ && bytes(offset_ - end_.size(), end_.size()) == end_;
}

// Fewer where the file has become shorter.
std::string MetricsFollower::bytes(std::uint64_t begin, std::uint64_t count) const {
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
