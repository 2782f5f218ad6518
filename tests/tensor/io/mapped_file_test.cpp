#include "gladius/tensor/io/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryDirectory;

TEST(MappedFile, HoldsTheBytesEvenAfterTheNameIsGone) {
  const TemporaryDirectory directory;
  const std::string contents = "nine byte" + std::string(10'000, 'x');
  testing::write_file(directory / "file", contents);
  const auto file = MappedFile::open(directory / "file");
  std::filesystem::remove(directory / "file");
  const std::span<const std::byte> bytes = file->bytes();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), contents);
  EXPECT_EQ(file->path(), directory / "file");
}

TEST(MappedFile, EmptyFileHasNoBytes) {
  const TemporaryDirectory directory;
  testing::write_file(directory / "empty", "");
  EXPECT_TRUE(MappedFile::open(directory / "empty")->bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNotARegularFile) {
  const TemporaryDirectory directory;
  const auto failure = [](const std::filesystem::path& path) {
    const std::string message = message_of<IoError>([&] { MappedFile::open(path); });
    EXPECT_THAT(message, HasSubstr(path.string()));
    return message;
  };
  EXPECT_THAT(failure(directory / "absent"), HasSubstr("No such file or directory"));
  EXPECT_THAT(failure(directory.path()), HasSubstr("Is a directory"));
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(failure(directory / "pipe"), HasSubstr("not a regular file"));
  EXPECT_THAT(failure("/dev/zero"), HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace gladius
