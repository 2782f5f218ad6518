#include "gladius/tensor/base/mapped_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

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

TEST(MappedFile, ForgettingKeepsTheBytes) {
  const TemporaryDirectory directory;
  const std::string contents(100'000, 'y');
  testing::write_file(directory / "file", contents);
  const auto file = MappedFile::open(directory / "file");
  const std::span<const std::byte> bytes = file->bytes();
  const auto text = [&] {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  EXPECT_EQ(text(), contents);
  const auto resident = [&] {  // in KiB
    std::ifstream maps("/proc/self/smaps");
    const auto start = fmt::format("{:x}-", reinterpret_cast<std::uintptr_t>(bytes.data()));
    for (std::string line; std::getline(maps, line) && !line.starts_with(start);) {
    }
    for (std::string word; maps >> word;) {
      if (word == "Rss:") return maps >> word, std::stoi(word);
    }
    return -1;
  };
  EXPECT_GT(resident(), 0);
  file->forget();
  EXPECT_EQ(resident(), 0);
  EXPECT_EQ(text(), contents);
}

TEST(MappedFile, EmptyFileHasNoBytes) {
  const TemporaryDirectory directory;
  testing::write_file(directory / "empty", "");
  const auto file = MappedFile::open(directory / "empty");
  EXPECT_TRUE(file->bytes().empty());
  file->forget();
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
