#include "gladius/tensor/base/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <random>

#include "gladius/tensor/base/text_file.h"
#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::read_file;
using testing::TemporaryDirectory;

std::size_t files_in(const TemporaryDirectory& directory) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(directory.path()),
                    std::filesystem::directory_iterator()));
}

// Files cannot grow past a size while this lives, as if the disk were full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST(AtomicFile, JoinsPiecesOfAnySize) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 gen(seed);
  const TemporaryDirectory directory;
  std::string expected;
  AtomicFile file(directory / "file");
  for (const std::size_t largest : {10, 5'000'000, 100, 1 << 20, 2'000'000, 3}) {
    const auto size = std::uniform_int_distribution<std::size_t>(largest / 2, largest)(gen);
    std::string piece(size, '\0');
    for (char& c : piece) c = static_cast<char>(gen());
    file.write(piece);
    expected += piece;
  }
  file.commit();
  EXPECT_TRUE(read_file(directory / "file") == expected);
  EXPECT_EQ(files_in(directory), 1u);
}

TEST(AtomicFile, WithoutCommitTheOlderFileStaysAndNothingElse) {
  const TemporaryDirectory directory;
  testing::write_file(directory / "file", "older");
  {
    AtomicFile file(directory / "file");
    file.write(std::string(3'000'000, 'x'));
    EXPECT_EQ(files_in(directory), 2u);
    EXPECT_EQ(read_file(directory / "file"), "older");
  }
  EXPECT_EQ(read_file(directory / "file"), "older");
  EXPECT_EQ(files_in(directory), 1u);
}

TEST(AtomicFile, TwoWritersOfOneTargetDoNotMix) {
  const TemporaryDirectory directory;
  AtomicFile first(directory / "file");
  AtomicFile second(directory / "file");
  first.write(std::string_view("first"));
  second.write(std::string_view("second"));
  first.commit();
  EXPECT_EQ(read_file(directory / "file"), "first");
  second.commit();
  EXPECT_EQ(read_file(directory / "file"), "second");
}

TEST(AtomicFile, FollowsTheUmask) {
  const TemporaryDirectory directory;
  const mode_t before = ::umask(027);
  write_text_file(directory / "file", "text");
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat((directory / "file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(AtomicFile, RelativeTargetStaysWhereItWas) {
  const TemporaryDirectory directory;
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path());
  AtomicFile file("file");
  std::filesystem::current_path(before);
  file.commit();
  EXPECT_EQ(read_file(directory / "file"), "");
}

TEST(AtomicFile, FailedWriteLeavesTheOlderFile) {
  const TemporaryDirectory directory;
  testing::write_file(directory / "file", "older");
  const std::string text(3'000'000, 'x');
  const std::string small(1'000, 'x');
  {
    const FileSizeLimit limit(500);
    EXPECT_THAT(message_of<IoError>([&] { write_text_file(directory / "file", text); }),
                AllOf(HasSubstr("cannot write " + (directory / "file").string()),
                      HasSubstr("File too large")));
    // One that only meets the disk at commit.
    EXPECT_THAT(message_of<IoError>([&] { write_text_file(directory / "file", small); }),
                HasSubstr("File too large"));
  }
  EXPECT_EQ(read_file(directory / "file"), "older");
  EXPECT_EQ(files_in(directory), 1u);
}

TEST(AtomicFile, FailedRenameIsReportedAndCleanedUp) {
  const TemporaryDirectory directory;
  {
    AtomicFile file(directory / "file");
    std::filesystem::create_directories(directory / "file/inner");
    EXPECT_THAT(message_of<IoError>([&] { file.commit(); }),
                HasSubstr("cannot replace " + (directory / "file").string()));
  }
  EXPECT_EQ(files_in(directory), 1u);
}

TEST(AtomicFile, RefusesTargetsThatCannotBeFiles) {
  const TemporaryDirectory directory;
  const auto failure = [](const std::filesystem::path& path) {
    const std::string message = message_of<IoError>([&] { AtomicFile file(path); });
    EXPECT_THAT(message, HasSubstr(path.string()));
    return message;
  };
  EXPECT_THAT(failure(directory.path()), HasSubstr("Is a directory"));
  EXPECT_THAT(failure(directory / "absent/file"), HasSubstr("No such file or directory"));
  EXPECT_THAT(failure("/dev/null"), HasSubstr("not a regular file"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(AtomicFile, RefusesADirectoryThatCannotBeWritten) {
  const TemporaryDirectory directory;
  std::filesystem::permissions(directory.path(), std::filesystem::perms{0500});
  // Permissions do not bind root; /proc does.
  const std::filesystem::path target = ::geteuid() == 0 ? "/proc/file" : directory / "file";
  EXPECT_THAT(message_of<IoError>([&] { AtomicFile file(target); }),
              HasSubstr("cannot create a temporary file beside " + target.string()));
  std::filesystem::permissions(directory.path(), std::filesystem::perms{0700});
}

}  // namespace
}  // namespace gladius
