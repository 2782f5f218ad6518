// SHA-256 (FIPS 180-4), through OpenSSL's libcrypto.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;  // libcrypto's

namespace gladius {

/// Of bytes that come one after the other.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> bytes);
  /// Of all bytes so far, in 64 lower-case hexadecimal digits; more may follow.
  std::string digest() const;

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

/// 64 lower-case hexadecimal digits.
std::string sha256(std::span<const std::byte> bytes);

/// The digest of a file's contents, read in pieces. Throws IoError.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace gladius
