// Files of other formats that stand where one of ours is expected.
#pragma once

#include <string>
#include <string_view>

namespace gladius {

/// What a file that begins with `head` is instead, and what to do; "" if that is not known. Knows
/// git-lfs pointers, GGUF, PyTorch's zip files and pickles, HDF5, and web pages.
std::string foreign_format(std::string_view head);

}  // namespace gladius
