#include "gladius/tensor/base/sha256.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <array>
#include <vector>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/file_descriptor.h"

namespace gladius {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

void require(int success) {
  if (success != 1) throw Error("sha256: libcrypto offers no SHA-256 here");
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  require(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

void Sha256::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

std::string Sha256::digest() const {
  const Sha256 copy;
  std::array<unsigned char, 32> digest{};
  require(EVP_MD_CTX_copy_ex(copy.context_.get(), context_.get()));
  require(EVP_DigestFinal_ex(copy.context_.get(), digest.data(), nullptr));
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string sha256(std::span<const std::byte> bytes) {
  Sha256 sum;
  sum.update(bytes);
  return sum.digest();
}

std::string sha256_file(const std::filesystem::path& path) {
  const FileDescriptor file = open_regular_file(path);
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  Sha256 sum;
  std::vector<std::byte> piece(kPieceBytes);
  while (const std::size_t count = read_some(file, piece, path)) {
    sum.update(std::span(piece).first(count));
  }
  return sum.digest();
}

}  // namespace gladius
