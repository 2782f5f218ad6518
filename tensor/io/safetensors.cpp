#include "gladius/tensor/io/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "gladius/tensor/base/atomic_file.h"
#include "gladius/tensor/base/foreign_file.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/io/safetensors_json.h"

namespace gladius {
namespace {

// What the C++ type of each Dtype asks for is its size.
bool is_aligned(const std::byte* data, Dtype dtype) {
  return reinterpret_cast<std::uintptr_t>(data) % dtype_size(dtype) == 0;
}

SafetensorsLayout plan_file(const std::filesystem::path& path,
                            const std::vector<SafetensorsSpec>& specs,
                            const SafetensorsMetadata& metadata) {
  try {
    return plan_safetensors(specs, metadata);
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

void write_tensor(AtomicFile& file, const std::filesystem::path& path,
                  const SafetensorsEntry& entry, std::size_t spec, const SafetensorsData& data) {
  const std::uint64_t expected = entry.end - entry.begin;
  std::uint64_t given = 0;
  data(spec, [&](std::span<const std::byte> bytes) {
    given += bytes.size();
    if (given <= expected) file.write(bytes);
  });
  if (given != expected) {
    throw FormatError(fmt::format("{}: TensorInvalidInfo({}): {} {} takes {} bytes, {} were given",
                                  path.string(), in_quotes(entry.name), entry.dtype.name,
                                  to_string(entry.shape), expected, given));
  }
}

}  // namespace

SafetensorsFile::SafetensorsFile(std::shared_ptr<const MappedFile> file, SafetensorsHeader header)
    : file_(std::move(file)), header_(std::move(header)) {
  for (std::size_t i = 0; i < header_.entries.size(); ++i) {
    index_.emplace(header_.entries[i].name, i);
  }
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  const std::span<const std::byte> bytes = file->bytes();
  try {
    SafetensorsHeader header = parse_safetensors_header(bytes, bytes.size());
    return {std::move(file), std::move(header)};
  } catch (const FormatError& error) {
    // Only now: the size of a good header may look like the mark of another format.
    const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                                std::min<std::size_t>(bytes.size(), 64));
    const std::string other = foreign_format(head);
    throw FormatError(
        fmt::format("{}: {}", path.string(), other.empty() ? error.what() : "this is " + other));
  }
}

bool SafetensorsFile::contains(std::string_view name) const {
  return index_.contains(std::string(name));
}

const SafetensorsEntry& SafetensorsFile::entry(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  if (found == index_.end()) {
    throw FormatError(fmt::format("{}: TensorNotFound: no tensor {} among the file's {}",
                                  path().string(), in_quotes(name), entries().size()));
  }
  return header_.entries[found->second];
}

std::span<const std::byte> SafetensorsFile::bytes(std::string_view name) const {
  return bytes(entry(name));
}

std::span<const std::byte> SafetensorsFile::bytes(const SafetensorsEntry& entry) const {
  return file_->bytes().subspan(header_.data_start + entry.begin, entry.end - entry.begin);
}

Tensor SafetensorsFile::tensor(std::string_view name) const {
  const SafetensorsEntry& found = entry(name);
  if (!found.dtype.dtype) {
    throw DtypeError(fmt::format("{}: tensor {} is {}, which tensors do not hold; use bytes()",
                                 path().string(), in_quotes(name), found.dtype.name));
  }
  const Dtype dtype = *found.dtype.dtype;
  const std::span<const std::byte> data = bytes(found);
  // A bool of any other value is undefined behaviour.
  if (dtype == Dtype::BOOL && std::ranges::any_of(data, [](auto b) { return b > std::byte{1}; })) {
    throw FormatError(fmt::format("{}: tensor {} is BOOL but has bytes other than 0 and 1",
                                  path().string(), in_quotes(name)));
  }

  auto* start = const_cast<std::byte*>(data.data());  // read_only below guards it
  std::shared_ptr<const void> owner = file_;
  if (!is_aligned(start, dtype)) {
    const std::shared_ptr<Storage> copy = Storage::allocate(data.size());
    std::memcpy(copy->data(), data.data(), data.size());
    start = copy->data();
    owner = copy;
  }
  return Tensor(Storage::borrow(start, data.size(), std::move(owner), true), found.shape,
                contiguous_strides(found.shape), 0, dtype);
}

void write_safetensors_data(const std::filesystem::path& path,
                            const std::vector<SafetensorsSpec>& specs, const SafetensorsData& data,
                            const SafetensorsMetadata& metadata) {
  const SafetensorsLayout layout = plan_file(path, specs, metadata);
  AtomicFile file(path);
  file.write(layout.header);
  for (std::size_t i = 0; i < layout.order.size(); ++i) {
    write_tensor(file, path, layout.entries[i], layout.order[i], data);
  }
  file.commit();
}

void write_safetensors(const std::filesystem::path& path,
                       const std::vector<std::pair<std::string, Tensor>>& tensors,
                       const SafetensorsMetadata& metadata) {
  std::vector<SafetensorsSpec> specs;
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined()) {
      throw Error(fmt::format("write_safetensors: tensor {} is undefined", in_quotes(name)));
    }
    specs.push_back({name, stored_dtype(tensor.dtype()), tensor.shape()});
  }
  const auto data = [&](std::size_t i, const SafetensorsSink& sink) {
    const Tensor tensor = tensors[i].second.contiguous();  // a copy lives until it is written
    sink({tensor.raw_data(), tensor.nbytes()});
  };
  write_safetensors_data(path, specs, data, metadata);
}

void write_safetensors_bytes(const std::filesystem::path& path,
                             const std::vector<SafetensorsSpec>& specs,
                             const std::vector<std::span<const std::byte>>& bytes,
                             const SafetensorsMetadata& metadata) {
  if (bytes.size() != specs.size()) {
    throw Error(fmt::format("write_safetensors_bytes: {} spans of bytes for {} tensors",
                            bytes.size(), specs.size()));
  }
  const auto data = [&](std::size_t i, const SafetensorsSink& sink) { sink(bytes[i]); };
  write_safetensors_data(path, specs, data, metadata);
}

}  // namespace gladius
