#include "gladius/tensor/base/sha256.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using testing::TemporaryDirectory;

std::string digest_of(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

// FIPS 180-2, appendix B.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, ReadsFilesOfManyPieces) {
  const TemporaryDirectory directory;
  const std::string contents(5'000'001, 'q');
  testing::write_file(directory / "file", contents);
  EXPECT_EQ(sha256_file(directory / "file"), digest_of(contents));
  testing::write_file(directory / "empty", "");
  EXPECT_EQ(sha256_file(directory / "empty"), digest_of(""));
  // The published digest of a million letters a.
  testing::write_file(directory / "million", std::string(1'000'000, 'a'));
  EXPECT_EQ(sha256_file(directory / "million"),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, NamesTheFileThatIsNotThere) {
  EXPECT_EQ(testing::message_of<IoError>([] { sha256_file("/absent"); }),
            "cannot open /absent: No such file or directory");
}

}  // namespace
}  // namespace gladius
