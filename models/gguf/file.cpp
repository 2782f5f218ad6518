#include "gladius/models/gguf/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/utf8.h"

namespace gladius::gguf {

bool is_gguf(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  if (path.extension() == ".gguf") return true;
  std::array<char, 4> magic{};
  std::ifstream(path, std::ios::binary).read(magic.data(), magic.size());
  return std::string_view(magic.data(), magic.size()) == "GGUF";
}

File::File(std::shared_ptr<const MappedFile> mapping, Header header)
    : mapping_(std::move(mapping)), header_(std::make_shared<const Header>(std::move(header))) {}

File File::open(const std::filesystem::path& path) {
  auto mapping = MappedFile::open(path);
  Header header = parse_header(mapping->bytes(), path.string());
  return {std::move(mapping), std::move(header)};
}

std::span<const std::byte> File::bytes(const TensorInfo& tensor) const {
  return mapping_->bytes().subspan(static_cast<std::size_t>(tensor.begin),
                                   static_cast<std::size_t>(tensor.end - tensor.begin));
}

const TensorInfo* File::find_tensor(std::string_view name) const {
  const auto found = std::ranges::find(header_->tensors, name, &TensorInfo::name);
  return found == header_->tensors.end() ? nullptr : &*found;
}

void File::fail(std::string_view key, const std::string& what) const {
  throw ConfigError(fmt::format("{}: key {} {}", path().string(), in_quotes(key), what));
}

const Value* File::find(std::string_view key) const {
  const auto found = header_->keys.find(key);
  return found == header_->keys.end() ? nullptr : &found->second;
}

std::optional<std::int64_t> File::integer(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return {};
  if (const auto* wide = std::get_if<std::int64_t>(&value->value)) return *wide;
  const auto* wide = std::get_if<std::uint64_t>(&value->value);
  if (!wide) fail(key, fmt::format("is of type {}, not an integer", name_of(value->type)));
  if (*wide > INT64_MAX) fail(key, fmt::format("is {}, which is too large", *wide));
  return static_cast<std::int64_t>(*wide);
}

std::optional<double> File::number(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return {};
  const auto* real = std::get_if<double>(&value->value);
  if (!real) return static_cast<double>(*integer(key));
  if (value->type == ValueType::f64) return *real;
  return std::strtod(fmt::format("{}", static_cast<float>(*real)).c_str(), nullptr);
}

std::optional<bool> File::boolean(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return {};
  const auto* found = std::get_if<bool>(&value->value);
  if (!found) fail(key, fmt::format("is of type {}, not bool", name_of(value->type)));
  return *found;
}

std::optional<std::string> File::text(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return {};
  const auto* found = std::get_if<std::string_view>(&value->value);
  if (!found) fail(key, fmt::format("is of type {}, not a string", name_of(value->type)));
  if (utf8::find_invalid(*found) != std::string_view::npos) {
    throw FormatError(fmt::format("{}: key {} is not UTF-8 text", path().string(), in_quotes(key)));
  }
  return std::string(*found);
}

const Array* File::any_array(std::string_view key) const {
  const Value* value = find(key);
  if (!value) return nullptr;
  const auto* found = std::get_if<Array>(&value->value);
  if (!found) fail(key, fmt::format("is of type {}, not an array", name_of(value->type)));
  return found;
}

}  // namespace gladius::gguf
