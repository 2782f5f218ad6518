#include "gladius/models/gguf/writer.h"

#include <fmt/format.h>

#include "gladius/models/gguf/header.h"
#include "gladius/tensor/base/atomic_file.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::gguf {
namespace {

constexpr std::uint32_t kVersion = 3;
constexpr std::uint64_t kAlignment = 32;  // what a file without general.alignment has

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& out, std::string_view text) {
  put<std::uint64_t>(out, text.size());
  out.append(text);
}

void put_type(std::string& out, ValueType type) { put(out, static_cast<std::uint32_t>(type)); }

void put_array(std::string& out, ValueType element, std::uint64_t count) {
  put_type(out, ValueType::array);
  put_type(out, element);
  put(out, count);
}

std::uint64_t padding(std::uint64_t bytes) {
  return (kAlignment - bytes % kAlignment) % kAlignment;
}

std::uint64_t bytes_of(const TensorPlan& tensor) {
  std::uint64_t elements = 1;
  for (const std::int64_t size : tensor.shape) elements *= static_cast<std::uint64_t>(size);
  const TensorType& type = *tensor.type;
  if (tensor.shape.empty() ||
      static_cast<std::uint64_t>(tensor.shape.back()) % type.elements != 0) {
    throw FormatError(fmt::format("gguf: tensor {} has no rows of whole blocks of {} ({} elements)",
                                  in_quotes(tensor.name), type.name, type.elements));
  }
  return elements / type.elements * type.bytes;
}

std::string header_of(const KeyWriter& keys, const std::vector<TensorPlan>& tensors) {
  std::string out = "GGUF";
  put(out, kVersion);
  put<std::uint64_t>(out, tensors.size());
  put(out, keys.count());
  out += keys.bytes();
  std::uint64_t offset = 0;
  for (const TensorPlan& tensor : tensors) {
    put_text(out, tensor.name);
    put(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (std::size_t d = tensor.shape.size(); d-- > 0;) put(out, tensor.shape[d]);
    put(out, tensor.type->id);
    put(out, offset);
    offset += bytes_of(tensor);
    offset += padding(offset);
  }
  out.resize(out.size() + padding(out.size()));
  return out;
}

}  // namespace

void KeyWriter::add(std::string_view key, std::uint32_t value) {
  put_text(bytes_, key);
  put_type(bytes_, ValueType::u32);
  put(bytes_, value);
  ++count_;
}

void KeyWriter::add(std::string_view key, float value) {
  put_text(bytes_, key);
  put_type(bytes_, ValueType::f32);
  put(bytes_, value);
  ++count_;
}

void KeyWriter::add(std::string_view key, bool value) {
  put_text(bytes_, key);
  put_type(bytes_, ValueType::boolean);
  put<std::uint8_t>(bytes_, value ? 1 : 0);
  ++count_;
}

void KeyWriter::add(std::string_view key, std::string_view value) {
  put_text(bytes_, key);
  put_type(bytes_, ValueType::string);
  put_text(bytes_, value);
  ++count_;
}

void KeyWriter::add(std::string_view key, const std::vector<std::string>& values) {
  put_text(bytes_, key);
  put_array(bytes_, ValueType::string, values.size());
  for (const std::string& value : values) put_text(bytes_, value);
  ++count_;
}

void KeyWriter::add(std::string_view key, const std::vector<std::int32_t>& values) {
  put_text(bytes_, key);
  put_array(bytes_, ValueType::i32, values.size());
  for (const std::int32_t value : values) put(bytes_, value);
  ++count_;
}

void KeyWriter::add(std::string_view key, const std::vector<float>& values) {
  put_text(bytes_, key);
  put_array(bytes_, ValueType::f32, values.size());
  for (const float value : values) put(bytes_, value);
  ++count_;
}

void write_file(const std::filesystem::path& path, const KeyWriter& keys,
                const std::vector<TensorPlan>& tensors,
                const std::function<void(std::size_t, const Sink&)>& data) {
  const std::string header = header_of(keys, tensors);
  AtomicFile file(path);
  file.write(header);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::uint64_t written = 0;
    data(i, [&](std::span<const std::byte> bytes) {
      file.write(bytes);
      written += bytes.size();
    });
    if (written != bytes_of(tensors[i])) {
      throw FormatError(fmt::format("gguf: tensor {} has {} bytes, {} are expected",
                                    in_quotes(tensors[i].name), written, bytes_of(tensors[i])));
    }
    file.write(std::string(padding(written), '\0'));
  }
  file.commit();
}

}  // namespace gladius::gguf
