#include "gladius/models/gguf/header.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/utf8.h"

namespace gladius::gguf {
namespace {

constexpr std::string_view kValueNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                            "bool", "string", "array", "u64", "i64", "f64"};
constexpr std::uint64_t kDefaultAlignment = 32, kLeastAlignment = 8, kMostAlignment = 1 << 16;
constexpr std::uint32_t kMostDimensions = 4;
// Of an array: what is held of it is up to eight times what it takes in the file.
constexpr std::uint64_t kMostElements = 1 << 24;
constexpr std::uint64_t kLongestKey = 65535, kLongestTensorName = 63;
// The fewest bytes that an entry takes.
constexpr std::uint64_t kLeastKey = 8 + 1 + 4 + 1, kLeastTensor = 8 + 1 + 4 + 8 + 4 + 8;

// The bytes of the file that are still to be read.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const std::string& where)
      : bytes_(bytes), where_(where) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: {}", where_, what));
  }

  template <class T>
  T number(const std::string& what) {
    T value;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }
  std::string_view text(const std::string& what) {
    const auto length = number<std::uint64_t>(what);
    const auto bytes = take(length, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  // A count of entries, each of `least` bytes or more.
  std::uint64_t count(const std::string& what, std::uint64_t least) {
    const auto n = number<std::uint64_t>(what);
    check_count(n, what, least);
    return n;
  }
  void check_count(std::uint64_t n, const std::string& what, std::uint64_t least) const {
    if (n > left() / least) {
      fail(fmt::format("{} is {}, but the {} bytes that are left hold at most {}", what, n, left(),
                       left() / least));
    }
  }
  std::span<const std::byte> take(std::uint64_t length, const std::string& what) {
    if (length > left()) {
      fail(fmt::format("the file ends within {} ({} bytes are needed at byte {}, {} are there)",
                       what, length, at_, left()));
    }
    const auto taken = bytes_.subspan(at_, static_cast<std::size_t>(length));
    at_ += taken.size();
    return taken;
  }

  std::uint64_t at() const { return at_; }
  std::uint64_t left() const { return bytes_.size() - at_; }
  std::uint64_t size() const { return bytes_.size(); }
  const std::string& where() const { return where_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  const std::string& where_;
};

// Keys and values ------------------------------------------------------------------------------

std::uint64_t size_of(ValueType type) {
  switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean:
      return 1;
    case ValueType::u16:
    case ValueType::i16:
      return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32:
      return 4;
    default:  // a text has at least its length
      return 8;
  }
}

ValueType read_type(Cursor& in, const std::string& what) {
  const auto id = in.number<std::uint32_t>(what + "'s type");
  if (id >= std::size(kValueNames)) in.fail(fmt::format("{} is of the unknown type {}", what, id));
  return static_cast<ValueType>(id);
}

bool read_bool(Cursor& in, const std::string& what) {
  const auto byte = in.number<std::uint8_t>(what);
  if (byte > 1) in.fail(fmt::format("{} is the bool {}, which is neither 0 nor 1", what, byte));
  return byte == 1;
}

template <class Read>
auto read_elements(std::uint64_t n, Read read) {
  std::vector<decltype(read())> elements;
  elements.reserve(static_cast<std::size_t>(n));
  for (std::uint64_t i = 0; i < n; ++i) elements.push_back(read());
  return elements;
}

// Calls f with what reads one value of the type, no array.
template <class F>
auto with_reader(Cursor& in, ValueType type, const std::string& what, F f) {
  const auto wide = [&]<class T, class Wide>(T, Wide) {
    return f([&] { return static_cast<Wide>(in.number<T>(what)); });
  };
  switch (type) {
    case ValueType::u8:
      return wide(std::uint8_t{}, std::uint64_t{});
    case ValueType::u16:
      return wide(std::uint16_t{}, std::uint64_t{});
    case ValueType::u32:
      return wide(std::uint32_t{}, std::uint64_t{});
    case ValueType::u64:
      return wide(std::uint64_t{}, std::uint64_t{});
    case ValueType::i8:
      return wide(std::int8_t{}, std::int64_t{});
    case ValueType::i16:
      return wide(std::int16_t{}, std::int64_t{});
    case ValueType::i32:
      return wide(std::int32_t{}, std::int64_t{});
    case ValueType::i64:
      return wide(std::int64_t{}, std::int64_t{});
    case ValueType::f32:
      return wide(float{}, double{});
    case ValueType::f64:
      return wide(double{}, double{});
    case ValueType::boolean:
      return f([&] { return read_bool(in, what); });
    default:
      return f([&] { return in.text(what); });
  }
}

Value read_value(Cursor& in, const std::string& what) {
  Value value{.type = read_type(in, what), .value = {}};
  if (value.type != ValueType::array) {
    with_reader(in, value.type, what, [&](auto read) { value.value = read(); });
    return value;
  }
  const ValueType element = read_type(in, what);
  if (element == ValueType::array) {
    in.fail(fmt::format("{} is an array of arrays, which no model's keys are", what));
  }
  const std::uint64_t n = in.count("the number of elements of " + what, size_of(element));
  if (n > kMostElements) {
    in.fail(fmt::format("{} has {} elements, at most {} are read", what, n, kMostElements));
  }
  with_reader(in, element, what, [&](auto read) { value.value = Array(read_elements(n, read)); });
  return value;
}

std::string read_name(Cursor& in, const std::string& what, std::uint64_t longest) {
  const std::string_view text = in.text(what);
  if (text.empty()) in.fail(what + " is empty");
  if (text.size() > longest) {
    in.fail(fmt::format("{} {} has {} bytes, at most {} are allowed", what, in_quotes(text),
                        text.size(), longest));
  }
  if (utf8::find_invalid(text) != std::string_view::npos || text.find('\0') != text.npos) {
    in.fail(fmt::format("{} {} is not UTF-8 text", what, in_quotes(text)));
  }
  return std::string(text);
}

void read_keys(Cursor& in, std::uint64_t count, Header& header) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string key = read_name(in, fmt::format("the name of key {}", i), kLongestKey);
    Value value = read_value(in, "key " + in_quotes(key));
    if (!header.keys.emplace(key, std::move(value)).second) {
      in.fail(fmt::format("key {} is there twice", in_quotes(key)));
    }
  }
}

std::uint64_t read_alignment(const Cursor& in, const Header& header) {
  const auto found = header.keys.find("general.alignment");
  if (found == header.keys.end()) return kDefaultAlignment;
  const Value& value = found->second;
  if (value.type != ValueType::u32) {
    in.fail(fmt::format("key \"general.alignment\" is of type {}, not u32", name_of(value.type)));
  }
  const auto alignment = std::get<std::uint64_t>(value.value);
  if (!std::has_single_bit(alignment) || alignment < kLeastAlignment ||
      alignment > kMostAlignment) {
    in.fail(fmt::format("key \"general.alignment\" is {}; a power of two from {} to {} is expected",
                        alignment, kLeastAlignment, kMostAlignment));
  }
  return alignment;
}

// Tensors --------------------------------------------------------------------------------------

std::vector<std::int64_t> read_shape(Cursor& in, const std::string& what) {
  const auto dimensions = in.number<std::uint32_t>(what + "'s number of dimensions");
  if (dimensions < 1 || dimensions > kMostDimensions) {
    in.fail(fmt::format("{} has {} dimensions; 1 to {} are expected", what, dimensions,
                        kMostDimensions));
  }
  std::vector<std::int64_t> shape(dimensions);
  std::int64_t elements = 1;
  for (std::size_t d = dimensions; d-- > 0;) {  // stored the other way round
    shape[d] = in.number<std::int64_t>(what + "'s sizes");
    if (shape[d] < 1) in.fail(fmt::format("{} has the size {}", what, shape[d]));
    if (__builtin_mul_overflow(elements, shape[d], &elements)) {
      in.fail(what + " has more elements than can be counted");
    }
  }
  return shape;
}

const TensorType& read_tensor_type(Cursor& in, const std::string& what) {
  const auto id = in.number<std::uint32_t>(what + "'s type");
  const TensorType* type = find_type(id);
  if (!type) in.fail(fmt::format("{} is of the unknown type {}", what, id));
  return *type;
}

// The bytes of a tensor; those of all its elements, which can be counted, may not be.
std::uint64_t bytes_of(const Cursor& in, const TensorInfo& info, const std::string& what) {
  std::uint64_t elements = 1, bytes = 0;
  for (const std::int64_t size : info.shape) elements *= static_cast<std::uint64_t>(size);
  if (static_cast<std::uint64_t>(info.shape.back()) % info.type->elements != 0) {
    in.fail(fmt::format("{} has rows of {} elements, which are no whole blocks of {} ({} elements)",
                        what, info.shape.back(), info.type->name, info.type->elements));
  }
  if (__builtin_mul_overflow(elements / info.type->elements, info.type->bytes, &bytes) ||
      bytes > in.size()) {
    in.fail(fmt::format("{} takes more bytes than the whole file has, {}", what, in.size()));
  }
  return bytes;
}

// `begin` is from the start of the data, which is not known yet.
TensorInfo read_tensor(Cursor& in, std::uint64_t number, std::uint64_t alignment) {
  TensorInfo info;
  info.name = read_name(in, fmt::format("the name of tensor {}", number), kLongestTensorName);
  const std::string what = "tensor " + in_quotes(info.name);
  info.shape = read_shape(in, what);
  info.type = &read_tensor_type(in, what);
  info.begin = in.number<std::uint64_t>(what + "'s offset");
  if (info.begin % alignment != 0) {
    in.fail(fmt::format("{} is at offset {}, which is no multiple of the alignment {}", what,
                        info.begin, alignment));
  }
  const std::uint64_t bytes = bytes_of(in, info, what);
  if (info.begin > in.size() - bytes) {
    in.fail(fmt::format("{} ends beyond the file: {} bytes from offset {} on", what, bytes,
                        info.begin));
  }
  info.end = info.begin + bytes;
  return info;
}

std::uint64_t padded(std::uint64_t bytes, std::uint64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

// Moves the tensors behind the header, and has each begin where the one before ends.
void place_tensors(const Cursor& in, Header& header) {
  const std::uint64_t start = padded(in.at(), header.alignment);
  std::uint64_t next = start;
  std::string before = "the header";
  for (TensorInfo& info : header.tensors) {
    const std::string what = "tensor " + in_quotes(info.name);
    info.begin += start, info.end += start;  // both below twice the file's size
    if (info.end > in.size()) {
      in.fail(
          fmt::format("{} ends at byte {}, beyond the file's {} bytes", what, info.end, in.size()));
    }
    if (info.begin != next) {
      in.fail(fmt::format("{} begins at byte {}, but {} ends at {}: they {}", what, info.begin,
                          before, next, info.begin < next ? "overlap" : "leave a gap"));
    }
    next = padded(info.end, header.alignment);
    before = what;
  }
  if (!header.tensors.empty() && in.size() > next) {
    in.fail(fmt::format("{} bytes follow the last tensor, which ends at byte {}",
                        in.size() - header.tensors.back().end, header.tensors.back().end));
  }
}

void read_tensors(Cursor& in, std::uint64_t count, Header& header) {
  in.check_count(count, "the number of tensors", kLeastTensor);
  std::set<std::string_view> names;
  header.tensors.reserve(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    header.tensors.push_back(read_tensor(in, i, header.alignment));
    if (!names.insert(header.tensors.back().name).second) {
      in.fail(fmt::format("tensor {} is there twice", in_quotes(header.tensors.back().name)));
    }
  }
  std::ranges::stable_sort(header.tensors, {}, &TensorInfo::begin);
}

std::uint32_t read_version(Cursor& in) {
  if (in.size() < 4 || std::memcmp(in.take(4, "").data(), "GGUF", 4) != 0) {
    in.fail("this is no GGUF file: it does not begin with \"GGUF\"");
  }
  const auto version = in.number<std::uint32_t>("the version");
  if (version == 2 || version == 3) return version;
  const auto refuse = [&](const std::string& why) {
    throw ConfigError(fmt::format("{}: {}", in.where(), why));
  };
  if (version != 0 && (version & 0xffff) == 0) {
    refuse("the file is big-endian (or damaged); only little-endian GGUF files are read");
  }
  refuse(
      fmt::format("GGUF version {} is not read (known: 2, 3); convert the model again", version));
  return 0;
}

}  // namespace

std::string_view name_of(ValueType type) { return kValueNames[static_cast<std::size_t>(type)]; }

std::size_t size_of(const Array& array) {
  return std::visit([](const auto& elements) { return elements.size(); }, array);
}

Header parse_header(std::span<const std::byte> file, const std::string& where) {
  Cursor in(file, where);
  Header header;
  header.version = read_version(in);
  const auto tensors = in.count("the number of tensors", kLeastTensor);
  const auto keys = in.count("the number of keys", kLeastKey);
  read_keys(in, keys, header);
  header.alignment = read_alignment(in, header);
  read_tensors(in, tensors, header);
  place_tensors(in, header);
  return header;
}

}  // namespace gladius::gguf
