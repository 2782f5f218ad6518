// The header of a safetensors file: JSON that says where each tensor's bytes lie.
//
// A file is the header's length (8 bytes, little-endian), the header, and the tensors' bytes
// without holes. Format: https://github.com/huggingface/safetensors ("Format"). Errors are
// FormatErrors that begin with the reference implementation's name for them, such as
// `InvalidOffset("lm_head")`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "gladius/tensor/io/stored_dtype.h"
#include "gladius/tensor/shape.h"

namespace gladius {

/// One tensor of a file.
struct SafetensorsEntry {
  std::string name;
  StoredDtype dtype;
  Shape shape;
  /// Its bytes, counted from the end of the header.
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// The header's `__metadata__`.
using SafetensorsMetadata = std::map<std::string, std::string>;

/// What a header says.
struct SafetensorsHeader {
  /// In the order of their bytes in the file.
  std::vector<SafetensorsEntry> entries;
  SafetensorsMetadata metadata;
  /// Where the first tensor's bytes are in the file.
  std::uint64_t data_start = 0;
};

/// Reads and checks the header of a file of `file_size` bytes that begins with `start` (at least
/// through the header). What it returns can be trusted: offsets lie in the file, leave no holes and
/// fit dtype and shape, names are unique. Takes what safetensors 0.8.0 takes, but for
/// - a key given twice (a tensor, a field, a metadata key), which the format disallows,
/// - serde's other spellings of a struct (fields as an array, a dtype as an object),
/// - sizes whose strides would not fit 64 bits, even if another size is 0.
/// Throws FormatError: HeaderTooSmall, HeaderTooLarge, InvalidHeaderLength, InvalidHeader (not
/// UTF-8), InvalidHeaderDeserialization (not the JSON expected), InvalidOffset, ValidationOverflow,
/// MisalignedSlice, TensorInvalidInfo or MetadataIncompleteBuffer.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> start,
                                           std::uint64_t file_size);

/// A tensor to be written.
struct SafetensorsSpec {
  std::string name;
  StoredDtype dtype;
  Shape shape;
};

/// A file to be written.
struct SafetensorsLayout {
  /// The first bytes: length, JSON, spaces up to a multiple of 8.
  std::string header;
  /// In the order of their bytes.
  std::vector<SafetensorsEntry> entries;
  /// order[i] is the position among the specs of the tensor of entries[i].
  std::vector<std::size_t> order;
  std::uint64_t file_size = 0;
};

/// Lays out a file as the reference does: stored_dtypes() from the last to the first, then names by
/// bytes; `__metadata__` first, with `format` "pt" unless it is given. Throws FormatError for names
/// that are not UTF-8, occur twice or are `__metadata__`, and for sizes that overflow.
SafetensorsLayout plan_safetensors(const std::vector<SafetensorsSpec>& specs,
                                   SafetensorsMetadata metadata = {});

}  // namespace gladius
