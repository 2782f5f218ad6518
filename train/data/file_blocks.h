// A file's bytes, block by block.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace gladius::train {

/// Gives the bytes of a regular file in order, up to `end` or the file's end, with the offset of
/// each piece. IoError.
void for_each_block(const std::filesystem::path& path, std::uint64_t end,
                    const std::function<void(std::uint64_t, std::string_view)>& use);

}  // namespace gladius::train
