#include "gladius/tensor/base/record_file.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "gladius/tensor/base/sha256.h"
#include "support/random.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

namespace fs = std::filesystem;
using testing::random_int;
using testing::read_file;
using testing::Rng;
using testing::TemporaryDirectory;
using testing::write_file;

using Bytes = std::vector<std::byte>;
using Records = std::map<std::string, Bytes>;

std::string key(int number) { return sha256(std::as_bytes(std::span(&number, 1))); }

Bytes random_bytes(Rng& rng, std::int64_t size) {
  Bytes bytes(static_cast<std::size_t>(size));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random_int(rng, 0, 255));
  return bytes;
}

// How many are there; those must be the ones that were written.
int count(RecordFile& file, const Records& records) {
  int found = 0;
  for (const auto& [name, bytes] : records) {
    Bytes read(bytes.size());
    if (!file.read(name, read)) continue;
    EXPECT_EQ(read, bytes);
    ++found;
  }
  return found;
}

TEST(RecordFile, GivesBackWhatWasWritten) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  Rng rng(seed);
  const TemporaryDirectory directory;
  Records records;
  for (int session = 0; session < 5; ++session) {
    RecordFile file(directory / "records");
    EXPECT_TRUE(file.writable());
    EXPECT_EQ(count(file, records), std::ssize(records));
    for (int i = 0; i < 20; ++i) {
      const std::string name = key(static_cast<int>(random_int(rng, 0, 60)));  // some once more
      const Bytes bytes = random_bytes(rng, random_int(rng, 0, 300));
      const std::uint64_t before = file.size();
      file.append(name, bytes);
      EXPECT_EQ(file.size(), before + RecordFile::record_bytes(bytes.size()));
      records[name] = bytes;
    }
    EXPECT_EQ(count(file, records), std::ssize(records));
    EXPECT_EQ(file.size(), fs::file_size(directory / "records"));
    Bytes none(3);
    EXPECT_FALSE(file.read(key(-1), none));
    Bytes longer(records.begin()->second.size() + 1);
    EXPECT_FALSE(file.read(records.begin()->first, longer));
  }
}

// A file of three records, and the file after some harm.
class Harmed : public ::testing::Test {
 protected:
  Harmed() {
    Rng rng(1);
    RecordFile file(path_);
    for (int i = 0; i < 3; ++i) {
      records_[key(i)] = random_bytes(rng, 11 + 8 * i);
      file.append(key(i), records_[key(i)]);
    }
    whole_ = read_file(path_);
  }
  // After what is lost is written again, nothing is lost.
  void expect_lost(int lost) {
    {
      RecordFile file(path_);
      EXPECT_EQ(count(file, records_), 3 - lost);
      for (const auto& [name, bytes] : records_) {
        Bytes read(bytes.size());
        if (!file.read(name, read)) file.append(name, bytes);
      }
      EXPECT_EQ(count(file, records_), 3);
    }
    RecordFile again(path_);
    EXPECT_EQ(count(again, records_), 3);
  }

  TemporaryDirectory directory_;
  fs::path path_ = directory_ / "records";
  Records records_;
  std::string whole_;
};

TEST_F(Harmed, EveryBitThatFlipsIsFound) {
  std::size_t begin = 0;
  for (int record = 0; record < 3; ++record) {
    const std::size_t content = records_[key(record)].size(), header = 200;
    for (std::size_t i = 0; i < header + content; ++i) {
      SCOPED_TRACE(::testing::Message() << "record " << record << ", byte " << i);
      std::string bytes = whole_;
      bytes[begin + i] = static_cast<char>(bytes[begin + i] ^ (1 << (i % 8)));
      write_file(path_, bytes);
      expect_lost(i < header ? 3 - record : 1);  // where the next one begins, a header says
    }
    begin += header + content;
  }
}

TEST_F(Harmed, AFileCutAnywhereKeepsWhatIsWhole) {
  for (std::size_t size = 0; size < whole_.size(); ++size) {
    SCOPED_TRACE(size);
    write_file(path_, whole_.substr(0, size));
    int kept = 0;
    std::size_t end = 0;
    while ((end += RecordFile::record_bytes(records_[key(kept)].size())) <= size) ++kept;
    expect_lost(3 - kept);
  }
}

TEST_F(Harmed, WhatFlipsWhileTheFileIsOpenIsFoundToo) {
  RecordFile file(path_);
  std::string bytes = whole_;
  bytes[205] = static_cast<char>(bytes[205] ^ 1);
  write_file(path_, bytes);
  EXPECT_EQ(count(file, records_), 2);
}

TEST(RecordFile, OneWritesAndOthersRead) {
  const TemporaryDirectory directory;
  Rng rng(2);
  Records records;
  {
    RecordFile first(directory / "records");
    records[key(1)] = random_bytes(rng, 9);
    first.append(key(1), records[key(1)]);
    RecordFile second(directory / "records");
    EXPECT_FALSE(second.writable());
    EXPECT_EQ(count(second, records), 1);
    records[key(2)] = random_bytes(rng, 9);
    first.append(key(2), records[key(2)]);
    EXPECT_EQ(count(second, records), 1);
    EXPECT_EQ(count(first, records), 2);
  }
  EXPECT_TRUE(RecordFile(directory / "records").writable());
}

}  // namespace
}  // namespace gladius
