// SHA-256 (FIPS 180-4), through OpenSSL's libcrypto.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace gladius {

/// 64 lower-case hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);

/// The digest of a file's contents, read in pieces. Throws IoError.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace gladius
