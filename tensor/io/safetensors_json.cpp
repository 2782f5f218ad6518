#include "gladius/tensor/io/safetensors_json.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "gladius/tensor/base/quoted.h"
#include "gladius/tensor/base/utf8.h"

namespace gladius::safetensors_json {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::size_t kDeepestNesting = 127;  // as in the reference (serde_json)
constexpr std::array<std::string_view, 3> kFields{"dtype", "shape", "data_offsets"};

template <class... Args>
[[noreturn]] void fail_json(fmt::format_string<Args...> what, Args&&... args) {
  fail("InvalidHeaderDeserialization", what, std::forward<Args>(args)...);
}

// Takes the parser's events. Where in the header an event happens is the top of nest_.
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  SafetensorsHeader header;

  bool null() override {
    if (place() == Place::TOP && key_ == kMetadata) return true;  // the same as none
    return value("null");
  }
  bool boolean(bool) override { return value("a boolean"); }
  bool number_integer(std::int64_t) override { return value("a negative number"); }
  bool number_float(double, const std::string&) override {
    return value("a floating-point number");
  }
  bool binary(Json::binary_t&) override { return value("binary data"); }

  bool number_unsigned(std::uint64_t number) override {
    if (place() == Place::SHAPE) {
      add_size(number);
    } else if (place() == Place::OFFSETS) {
      add_offset(number);
    } else {
      return value("a number");
    }
    return true;
  }

  bool string(std::string& text) override {
    if (place() == Place::METADATA) {
      header.metadata[key_] = text;
    } else if (place() == Place::INFO && field_ == Field::DTYPE) {
      set_dtype(text);
    } else {
      return value("a string");
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (place() == Place::OUTSIDE) return enter(Place::TOP);
    if (place() != Place::TOP) return value("an object") && enter(Place::IGNORED);
    if (key_ == kMetadata) return enter(Place::METADATA);
    header.entries.emplace_back().name = key_;
    seen_ = {};
    offsets_ = 0;
    return enter(Place::INFO);
  }

  bool start_array(std::size_t) override {
    if (place() == Place::INFO && field_ == Field::SHAPE) return enter(Place::SHAPE);
    if (place() == Place::INFO && field_ == Field::OFFSETS) return enter(Place::OFFSETS);
    return value("an array") && enter(Place::IGNORED);
  }

  bool key(std::string& text) override {
    if (place() == Place::TOP) {
      if (!keys_.insert(text).second) fail_json("{} occurs twice", in_quotes(text));
      key_ = text;
    } else if (place() == Place::METADATA) {
      if (header.metadata.contains(text)) fail_json("metadata {} occurs twice", in_quotes(text));
      key_ = text;
    } else if (place() == Place::INFO) {
      select_field(text);
    }
    return true;
  }

  bool end_object() override {
    const auto missing = std::ranges::find(seen_, false);
    if (place() == Place::INFO && missing != seen_.end()) {
      fail_json("tensor {} has no {}", in_quotes(tensor().name), kFields[missing - seen_.begin()]);
    }
    return leave();
  }

  bool end_array() override {
    if (place() == Place::OFFSETS && offsets_ != 2) {
      fail_json("tensor {}: data_offsets of {} numbers instead of 2", in_quotes(tensor().name),
                offsets_);
    }
    return leave();
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    const bool in_tensor = nest_.size() > 2 && nest_[2] == Place::INFO;
    fail_json("no JSON at byte {} of the header{}", position,
              in_tensor ? fmt::format(", in tensor {}", in_quotes(tensor().name)) : "");
  }

 private:
  enum class Place { OUTSIDE, TOP, METADATA, INFO, SHAPE, OFFSETS, IGNORED };
  enum class Field { DTYPE, SHAPE, OFFSETS, UNKNOWN };

  Place place() const { return nest_.back(); }
  SafetensorsEntry& tensor() { return header.entries.back(); }

  bool enter(Place place) {
    if (nest_.size() > kDeepestNesting) fail_json("nested more than {} deep", kDeepestNesting);
    nest_.push_back(place);
    return true;
  }
  bool leave() {
    nest_.pop_back();
    return true;
  }

  // A value that has no meaning: fine below an unknown key, wrong elsewhere.
  bool value(std::string_view what) {
    switch (place()) {
      case Place::IGNORED:
        return true;
      case Place::INFO:
        if (field_ == Field::UNKNOWN) return true;
        fail_json("tensor {}: {} is {}, expected {}", in_quotes(tensor().name),
                  kFields[static_cast<std::size_t>(field_)], what,
                  field_ == Field::DTYPE ? "a string" : "an array");
      case Place::SHAPE:
      case Place::OFFSETS:
        fail_json("tensor {}: {} in {}, expected whole numbers from 0 below 2^64",
                  in_quotes(tensor().name), what, kFields[static_cast<std::size_t>(field_)]);
      case Place::METADATA:
        fail_json("metadata {} is {}, expected a string", in_quotes(key_), what);
      case Place::TOP:
        fail_json("{} is {}, expected an object", in_quotes(key_), what);
      case Place::OUTSIDE:
        fail_json("the header is {}, expected an object", what);
    }
    return false;
  }

  void select_field(std::string_view text) {
    const auto index = static_cast<std::size_t>(std::ranges::find(kFields, text) - kFields.begin());
    field_ = static_cast<Field>(index);
    if (field_ == Field::UNKNOWN) return;
    if (seen_[index]) fail_json("tensor {}: {} occurs twice", in_quotes(tensor().name), text);
    seen_[index] = true;
  }

  void set_dtype(std::string_view name) {
    const std::size_t rank = stored_dtype_rank(name);
    if (rank == stored_dtypes().size()) {
      fail_json("tensor {}: unknown dtype {}", in_quotes(tensor().name), in_quotes(name));
    }
    tensor().dtype = stored_dtypes()[rank];
  }

  void add_size(std::uint64_t size) {
    if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fail(fmt::format("ValidationOverflow({})", in_quotes(tensor().name)),
           "a dimension of size {} is 2^63 or more", size);
    }
    tensor().shape.push_back(static_cast<std::int64_t>(size));
  }

  void add_offset(std::uint64_t offset) {
    if (offsets_ == 0) tensor().begin = offset;
    if (offsets_ == 1) tensor().end = offset;
    ++offsets_;
  }

  std::vector<Place> nest_{Place::OUTSIDE};
  std::unordered_set<std::string> keys_;
  std::string key_;  // the last key at the top or in the metadata
  Field field_ = Field::UNKNOWN;
  std::array<bool, kFields.size()> seen_{};
  std::size_t offsets_ = 0;
};

// nlohmann's writer refuses exactly what is not UTF-8.
std::string json_string(std::string_view text) {
  try {
    return Json(text).dump();
  } catch (const Json::type_error&) {
    fail("InvalidHeader", "{} is not UTF-8", in_quotes(text));
  }
}

void check_bytes(std::string_view text) {
  if (const std::size_t bad = utf8::find_invalid(text); bad != std::string_view::npos) {
    fail("InvalidHeader", "the header is not UTF-8 (at its byte {})", bad + 1);
  }
  // nlohmann's parser passes over a byte order mark and stops at a NUL; JSON has neither.
  if (text.starts_with("\xEF\xBB\xBF")) fail_json("a byte order mark before the header");
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    fail_json("no JSON at byte {} of the header: a NUL", nul + 1);
  }
}

}  // namespace

SafetensorsHeader read(std::string_view text) {
  check_bytes(text);
  HeaderReader reader;
  Json::sax_parse(text, &reader);
  return std::move(reader.header);
}

std::string write(const std::vector<SafetensorsEntry>& entries,
                  const SafetensorsMetadata& metadata) {
  std::vector<std::string> members;
  for (const auto& [key, text] : metadata) {
    members.push_back(fmt::format("{}:{}", json_string(key), json_string(text)));
  }
  std::vector<std::string> parts{fmt::format("\"{}\":{{{}}}", kMetadata, fmt::join(members, ","))};
  std::unordered_set<std::string_view> names{kMetadata};
  for (const SafetensorsEntry& entry : entries) {
    if (!names.insert(entry.name).second) {
      fail_json("a tensor cannot be named {}: the name is taken", in_quotes(entry.name));
    }
    parts.push_back(fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                                json_string(entry.name), entry.dtype.name,
                                fmt::join(entry.shape, ","), entry.begin, entry.end));
  }
  return fmt::format("{{{}}}", fmt::join(parts, ","));
}

}  // namespace gladius::safetensors_json
