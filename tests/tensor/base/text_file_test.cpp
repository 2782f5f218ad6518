#include "gladius/tensor/base/text_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>

#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::TemporaryDirectory;

TEST(TextFile, ReadsWhatWasWrittenWhateverItsSizeAndBytes) {
  const TemporaryDirectory directory;
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 gen(seed);
  for (const std::size_t size : {0, 1, 65'535, 65'536, 65'537, 300'000}) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(gen());
    write_text_file(directory / "file", text);
    EXPECT_TRUE(read_text_file(directory / "file") == text) << size;
  }
}

TEST(TextFile, ReadsFilesThatHaveNoSize) {
  EXPECT_THAT(read_text_file("/proc/self/status"), HasSubstr("VmPeak"));
}

TEST(TextFile, RefusesWhatIsNotARegularFile) {
  const TemporaryDirectory directory;
  const auto failure = [](const std::filesystem::path& path) {
    return message_of<IoError>([&] { read_text_file(path); });
  };
  const std::string absent = (directory / "absent").string();
  EXPECT_EQ(failure(absent), "cannot open " + absent + ": No such file or directory");
  EXPECT_EQ(failure(directory.path()),
            "cannot read " + directory.path().string() + ": Is a directory");
  const std::string pipe = (directory / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(failure(pipe), "cannot read " + pipe + ": not a regular file");
  EXPECT_EQ(failure("/dev/zero"), "cannot read /dev/zero: not a regular file");
}

}  // namespace
}  // namespace gladius
