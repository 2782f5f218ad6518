#include "gladius/tensor/io/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <string_view>
#include <tuple>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/io/safetensors_json.h"

namespace gladius {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

using safetensors_json::fail;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLargestHeader = 100'000'000;
constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 62;  // an offset in a file has 63 bits

std::uint64_t stored_bytes(const SafetensorsSpec& spec) {
  std::uint64_t count = 1;
  std::int64_t reach = 1;  // as count, but a size of 0 does not hide the others: strides need them
  bool overflow = false;
  for (const std::int64_t size : spec.shape) {
    if (size < 0) {
      fail(fmt::format("TensorInvalidInfo({})", in_quotes(spec.name)),
           "shape {} has a negative size", to_string(spec.shape));
    }
    overflow |= __builtin_mul_overflow(reach, std::max<std::int64_t>(size, 1), &reach);
    count *= static_cast<std::uint64_t>(size);
  }
  std::uint64_t bits = 0;
  if (overflow || __builtin_mul_overflow(count, spec.dtype.bits, &bits)) {
    fail(fmt::format("ValidationOverflow({})", in_quotes(spec.name)),
         "the size of {} {} does not fit 64 bits", spec.dtype.name, to_string(spec.shape));
  }
  if (bits % 8 != 0) {
    fail(fmt::format("MisalignedSlice({})", in_quotes(spec.name)),
         "{} {} takes {} bits, which are no whole bytes", spec.dtype.name, to_string(spec.shape),
         bits);
  }
  return bits / 8;
}

// The bytes of the tensors follow each other and fill the file.
void check_offsets(const std::vector<SafetensorsEntry>& entries, std::uint64_t data_bytes) {
  std::uint64_t next = 0;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin != next || entry.end < entry.begin) {
      fail(fmt::format("InvalidOffset({})", in_quotes(entry.name)),
           "data_offsets [{}, {}] where the data before it ends at {}", entry.begin, entry.end,
           next);
    }
    const std::uint64_t needed = stored_bytes({entry.name, entry.dtype, entry.shape});
    if (entry.end - entry.begin != needed) {
      fail(fmt::format("TensorInvalidInfo({})", in_quotes(entry.name)),
           "{} {} takes {} bytes, but data_offsets [{}, {}] hold {}", entry.dtype.name,
           to_string(entry.shape), needed, entry.begin, entry.end, entry.end - entry.begin);
    }
    next = entry.end;
  }
  if (next == data_bytes) return;
  const auto cut = std::ranges::find_if(
      entries, [&](const SafetensorsEntry& entry) { return entry.end > data_bytes; });
  fail("MetadataIncompleteBuffer", "the tensors take {} bytes, but {} follow the header ({})", next,
       data_bytes,
       cut == entries.end()
           ? "something was appended"
           : fmt::format("is the file truncated? {} ends at {}", in_quotes(cut->name), cut->end));
}

std::string_view header_text(std::span<const std::byte> start, std::uint64_t file_size) {
  const std::uint64_t available = std::min<std::uint64_t>(start.size(), file_size);
  if (available < kLengthBytes) {
    fail("HeaderTooSmall", "the file has {} bytes, the header's length alone takes {}", available,
         kLengthBytes);
  }
  std::uint64_t length = 0;
  std::memcpy(&length, start.data(), kLengthBytes);
  if (length > kLargestHeader) {
    fail("HeaderTooLarge", "a header of {} bytes, at most {} are allowed", length, kLargestHeader);
  }
  if (length > available - kLengthBytes) {
    fail("InvalidHeaderLength", "a header of {} bytes, but {} follow its length", length,
         available - kLengthBytes);
  }
  return {reinterpret_cast<const char*>(start.data()) + kLengthBytes, length};
}

// Positions of the specs in the order of the file.
std::vector<std::size_t> file_order(const std::vector<SafetensorsSpec>& specs) {
  std::vector<std::size_t> order(specs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const std::size_t rank_a = stored_dtype_rank(specs[a].dtype.name);
    const std::size_t rank_b = stored_dtype_rank(specs[b].dtype.name);
    return rank_a != rank_b ? rank_a > rank_b : specs[a].name < specs[b].name;
  });
  return order;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> start,
                                           std::uint64_t file_size) {
  const std::string_view text = header_text(start, file_size);
  SafetensorsHeader header = safetensors_json::read(text);
  header.data_start = kLengthBytes + text.size();
  // Tensors without elements share their offsets with a neighbour: they keep the header's order.
  std::ranges::stable_sort(header.entries, {}, [](const SafetensorsEntry& entry) {
    return std::tuple(entry.begin, entry.end);
  });
  check_offsets(header.entries, file_size - header.data_start);
  return header;
}

SafetensorsLayout plan_safetensors(const std::vector<SafetensorsSpec>& specs,
                                   SafetensorsMetadata metadata) {
  SafetensorsLayout layout;
  layout.order = file_order(specs);
  std::uint64_t next = 0;
  for (const std::size_t i : layout.order) {
    const SafetensorsSpec& spec = specs[i];
    const std::uint64_t begin = next;
    if (__builtin_add_overflow(begin, stored_bytes(spec), &next) || next > kLargestFile) {
      fail(fmt::format("ValidationOverflow({})", in_quotes(spec.name)),
           "the tensors up to this one take more than 2^62 bytes");
    }
    layout.entries.push_back({spec.name, spec.dtype, spec.shape, begin, next});
  }

  metadata.emplace("format", "pt");  // what transformers asks for
  std::string text = safetensors_json::write(layout.entries, metadata);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kLargestHeader) {
    fail("HeaderTooLarge", "the header would take {} bytes, at most {} are allowed", text.size(),
         kLargestHeader);
  }
  const auto length = std::bit_cast<std::array<char, kLengthBytes>>(std::uint64_t{text.size()});
  layout.header = std::string(length.data(), length.size()) + text;
  layout.file_size = layout.header.size() + next;
  return layout;
}

}  // namespace gladius
