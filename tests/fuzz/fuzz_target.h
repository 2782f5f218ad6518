// What the fuzz targets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gladius/tensor/base/error.h"

namespace gladius::fuzz {

/// Runs `parse` on the input. It may accept it or throw an Error; any other exception leaves, which
/// libFuzzer reports.
template <class F>
int only_errors(const std::uint8_t* data, std::size_t size, F&& parse) {
  try {
    parse(std::string_view(reinterpret_cast<const char*>(data), size));
  } catch (const Error&) {
  }
  return 0;
}

/// What must hold of an input that was accepted.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace gladius::fuzz
