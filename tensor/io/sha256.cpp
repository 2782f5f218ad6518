#include "gladius/tensor/io/sha256.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/evp.h>

#include <array>
#include <memory>
#include <vector>

#include "gladius/tensor/error.h"
#include "gladius/tensor/io/file_descriptor.h"

namespace gladius {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

class Digest {
 public:
  Digest() { require(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr)); }

  void update(std::span<const std::byte> bytes) {
    require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
  }

  std::string finish() {
    std::array<unsigned char, 32> digest{};
    require(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr));
    return fmt::format("{:02x}", fmt::join(digest, ""));
  }

 private:
  static void require(int success) {
    if (success != 1) throw Error("sha256: libcrypto offers no SHA-256 here");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free};
};

}  // namespace

std::string sha256(std::span<const std::byte> bytes) {
  Digest digest;
  digest.update(bytes);
  return digest.finish();
}

std::string sha256_file(const std::filesystem::path& path) {
  const FileDescriptor file = open_regular_file(path);
  ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  Digest digest;
  std::vector<std::byte> piece(kPieceBytes);
  while (const std::size_t count = read_some(file, piece, path)) {
    digest.update(std::span(piece).first(count));
  }
  return digest.finish();
}

}  // namespace gladius
