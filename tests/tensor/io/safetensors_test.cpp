#include "gladius/tensor/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>

#include "support/message_of.h"
#include "support/temporary_directory.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using ::testing::Pair;
using ::testing::StartsWith;
using testing::TemporaryDirectory;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string text_of(const Tensor& tensor) {
  return text_of({tensor.contiguous().raw_data(), tensor.nbytes()});
}

// Random choices of one test.
class Chooser {
 public:
  explicit Chooser(unsigned seed) : gen_(seed) {}

  std::int64_t number(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(gen_);
  }
  std::string bytes(std::size_t count, int largest) {
    std::string result(count, '\0');
    for (char& c : result) c = static_cast<char>(number(0, largest));
    return result;
  }
  Shape shape() {
    Shape result(static_cast<std::size_t>(number(0, 4)));
    for (std::int64_t& size : result) size = number(number(0, 9) == 0 ? 0 : 1, 5);
    return result;
  }
  std::string name() {
    static const std::vector<std::string> kParts{"a",    "\"",     "\\",         "/",       "\n",
                                                 "\x01", "\u00e9", "\U0001F600", ".weight", "10",
                                                 "2",    " ",      "\x7f"};
    std::string result;
    for (std::int64_t i = number(0, 6); i > 0; --i) {
      result += kParts[static_cast<std::size_t>(number(0, std::ssize(kParts) - 1))];
    }
    return result;
  }
  Tensor tensor() {
    const auto dtype = stored_dtypes()[static_cast<std::size_t>(number(0, 21))].dtype;
    if (!dtype) return tensor();
    Tensor result = Tensor::empty(shape(), *dtype);
    const std::string data = bytes(result.nbytes(), *dtype == Dtype::BOOL ? 1 : 255);
    std::copy(data.begin(), data.end(), reinterpret_cast<char*>(result.raw_data()));
    if (result.dim() >= 2 && number(0, 1)) result = result.transpose(0, 1);
    if (result.numel() > 0 && result.dim() >= 1 && result.size(0) > 1 && number(0, 1)) {
      result = result.narrow(0, 1, result.size(0) - 1);
    }
    return result;
  }

 private:
  std::mt19937 gen_;
};

TEST(Safetensors, RoundTripsTensorsOfAnyDtypeShapeAndName) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Chooser choose(seed);
  const TemporaryDirectory directory;
  for (int round = 0; round < 60; ++round) {
    std::map<std::string, Tensor> tensors;
    for (std::int64_t i = choose.number(0, 8); i > 0; --i) {
      tensors.insert_or_assign(choose.name(), choose.tensor());
    }
    const SafetensorsMetadata metadata{{choose.name(), choose.name()}, {"format", "pt"}};
    write_safetensors(directory / "file", {tensors.rbegin(), tensors.rend()}, metadata);

    const SafetensorsFile file = SafetensorsFile::open(directory / "file");
    EXPECT_EQ(file.metadata(), metadata);
    EXPECT_EQ(file.entries().size(), tensors.size());
    for (const auto& [name, tensor] : tensors) {
      const Tensor read = file.tensor(name);
      EXPECT_EQ(read.describe(), tensor.describe());
      EXPECT_EQ(text_of(read), text_of(tensor));
      EXPECT_EQ(text_of(file.bytes(name)), text_of(tensor));
    }
  }
}

TEST(Safetensors, WritesTheReferencesBytes) {
  const TemporaryDirectory directory;
  write_safetensors(directory / "file", {{"b", Tensor::from<std::uint8_t>({1, 2}, {2})},
                                         {"a", Tensor::from<float>({1, 0.5F}, {2, 1})}});
  const std::string json =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"U8","shape":[2],"data_offsets":[8,10]}})";
  using namespace std::string_literals;
  EXPECT_EQ(testing::read_file(directory / "file"),
            "\x90\0\0\0\0\0\0\0"s + json + "    " + "\0\0\x80\x3f\0\0\0\x3f\1\2"s);
}

TEST(Safetensors, TheSizeOfAHeaderMayLookLikeTheMarkOfAPickle) {
  const TemporaryDirectory directory;
  using namespace std::string_literals;
  testing::write_file(directory / "file", "\x80\x02\0\0\0\0\0\0{}"s + std::string(638, ' '));
  EXPECT_EQ(SafetensorsFile::open(directory / "file").entries().size(), 0u);
  testing::write_file(directory / "pickle", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j"s);
  EXPECT_THAT(testing::message_of([&] { SafetensorsFile::open(directory / "pickle"); }),
              ::testing::HasSubstr("pickle: this is a pickle"));
}

TEST(Safetensors, TensorsViewTheMappingAndKeepIt) {
  const TemporaryDirectory directory;
  write_safetensors(directory / "file", {{"w", Tensor::arange(6).reshape({2, 3})}});
  std::optional<SafetensorsFile> file = SafetensorsFile::open(directory / "file");
  Tensor w = file->tensor("w");
  EXPECT_EQ(w.raw_data(), file->bytes("w").data());
  EXPECT_EQ(file->tensor("w").raw_data(), w.raw_data());
  file.reset();
  std::filesystem::remove(directory / "file");
  EXPECT_THAT(w.to_vector<std::int64_t>(), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(message_of([&] { w.fill_(1); }), HasSubstr("read-only"));
}

// Writers need not pad the header, nor put wide elements first.
TEST(Safetensors, UnalignedElementsAreCopied) {
  const TemporaryDirectory directory;
  const std::string json = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                           R"("d":{"dtype":"F64","shape":[2],"data_offsets":[1,17]}})";
  const std::uint64_t length = json.size();
  const std::array<double, 2> values{1.5, -2};
  testing::write_file(directory / "file", text_of(std::as_bytes(std::span(&length, 1))) + json +
                                              "x" + text_of(std::as_bytes(std::span(values))));
  Tensor d = SafetensorsFile::open(directory / "file").tensor("d");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(d.raw_data()) % sizeof(double), 0u);
  EXPECT_THAT(d.to_vector<double>(), ElementsAre(1.5, -2));
  EXPECT_THAT(message_of([&] { d.fill_(1); }), HasSubstr("read-only"));
}

TEST(Safetensors, StoredDtypesOfAllKindsPassAsBytes) {
  const TemporaryDirectory directory;
  std::vector<SafetensorsSpec> specs;
  std::vector<std::string> contents;
  std::vector<std::span<const std::byte>> bytes;
  for (const StoredDtype& dtype : stored_dtypes()) {
    specs.push_back({"t." + std::string(dtype.name), dtype, {2, 4}});
    contents.emplace_back(dtype.bits, static_cast<char>(contents.size() % 2));
  }
  for (const std::string& text : contents) bytes.push_back(std::as_bytes(std::span(text)));
  write_safetensors_bytes(directory / "file", specs, bytes);

  const SafetensorsFile file = SafetensorsFile::open(directory / "file");
  for (std::size_t i = 0; i < specs.size(); ++i) {
    SCOPED_TRACE(specs[i].name);
    EXPECT_EQ(file.entry(specs[i].name).dtype, specs[i].dtype);
    EXPECT_EQ(text_of(file.bytes(specs[i].name)), contents[i]);
    if (specs[i].dtype.dtype) {
      EXPECT_EQ(dtype_name(file.tensor(specs[i].name).dtype()), specs[i].dtype.name);
    } else {
      EXPECT_THAT(message_of<DtypeError>([&] { file.tensor(specs[i].name); }),
                  AllOf(StartsWith(file.path().string() + ": tensor \"" + specs[i].name),
                        HasSubstr("use bytes()")));
    }
  }
}

TEST(Safetensors, DataMadeWhileWrittenIsTheSameFile) {
  const TemporaryDirectory directory;
  const std::vector<std::pair<std::string, Tensor>> tensors{{"c", Tensor::ones({0})},
                                                            {"b", Tensor::ones({3, 5}, Dtype::F64)},
                                                            {"a", Tensor::arange(7, Dtype::F32)}};
  write_safetensors(directory / "whole", tensors);
  std::vector<SafetensorsSpec> specs;
  for (const auto& [name, tensor] : tensors) {
    specs.push_back({name, stored_dtype(tensor.dtype()), tensor.shape()});
  }
  std::vector<std::size_t> asked;
  const auto data = [&](std::size_t i, const SafetensorsSink& sink) {
    asked.push_back(i);
    const Tensor& tensor = tensors[i].second;
    for (std::size_t at = 0; at < tensor.nbytes(); at += 5) {
      sink({tensor.raw_data() + at, std::min<std::size_t>(5, tensor.nbytes() - at)});
    }
  };
  write_safetensors_data(directory / "pieces", specs, data);
  EXPECT_THAT(asked, ::testing::UnorderedElementsAre(0, 1, 2));
  EXPECT_EQ(testing::read_file(directory / "pieces"), testing::read_file(directory / "whole"));
}

TEST(Safetensors, RefusesBytesThatDoNotFitAndLeavesTheOlderFile) {
  const TemporaryDirectory directory;
  testing::write_file(directory / "file", "older");
  const std::string text(7, 'x');
  EXPECT_THAT(message_of<FormatError>([&] {
                write_safetensors_bytes(directory / "file", {{"a", stored_dtype(Dtype::F32), {2}}},
                                        {std::as_bytes(std::span(text))});
              }),
              StartsWith((directory / "file").string() +
                         ": TensorInvalidInfo(\"a\"): F32 [2] takes 8 bytes, 7 were given"));
  EXPECT_THAT(
      message_of<FormatError>([&] {
        const auto twice = [&](std::size_t, const SafetensorsSink& sink) {
          for (int i = 0; i < 2; ++i) sink(std::as_bytes(std::span(text)));
        };
        write_safetensors_data(directory / "file", {{"a", stored_dtype(Dtype::F32), {2}}}, twice);
      }),
      HasSubstr("takes 8 bytes, 14 were given"));
  EXPECT_THAT(message_of<FormatError>([&] {
                const Tensor one = Tensor::ones({1});
                write_safetensors(directory / "file", {{"a", one}, {"a", one}});
              }),
              AllOf(StartsWith((directory / "file").string() + ": "), HasSubstr("name is taken")));
  EXPECT_THAT(message_of([&] {
                write_safetensors(directory / "file", {{"a", Tensor()}});
              }),
              HasSubstr("\"a\" is undefined"));
  EXPECT_THAT(message_of([&] { write_safetensors_bytes(directory / "file", {}, {{}}); }),
              HasSubstr("1 spans of bytes for 0 tensors"));
  EXPECT_EQ(testing::read_file(directory / "file"), "older");
}

TEST(Safetensors, ErrorsNameTheFile) {
  const TemporaryDirectory directory;
  const std::string path = (directory / "file").string();
  EXPECT_THAT(message_of<IoError>([&] { SafetensorsFile::open(path); }),
              HasSubstr("cannot open " + path));
  testing::write_file(path, "");
  EXPECT_THAT(message_of<FormatError>([&] { SafetensorsFile::open(path); }),
              StartsWith(path + ": HeaderTooSmall: "));

  write_safetensors(path, {{"a", Tensor::zeros({4, 4})}});
  const SafetensorsFile file = SafetensorsFile::open(path);
  EXPECT_EQ(file.file_size(), std::filesystem::file_size(path));
  EXPECT_TRUE(file.contains("a"));
  EXPECT_FALSE(file.contains("b"));
  EXPECT_THAT(message_of<FormatError>([&] { file.tensor("b"); }),
              StartsWith(path + ": TensorNotFound: no tensor \"b\""));

  std::string contents = testing::read_file(path);
  testing::write_file(path + "2", contents.substr(0, contents.size() - 1));
  EXPECT_THAT(message_of<FormatError>([&] { SafetensorsFile::open(path + "2"); }),
              AllOf(StartsWith(path + "2: MetadataIncompleteBuffer: "), HasSubstr("truncated?")));
}

TEST(Safetensors, BooleansOtherThanZeroAndOneAreRefused) {
  const TemporaryDirectory directory;
  const std::string text("\0\1\2", 3);
  write_safetensors_bytes(directory / "file", {{"mask", stored_dtype(Dtype::BOOL), {3}}},
                          {std::as_bytes(std::span(text))});
  const SafetensorsFile file = SafetensorsFile::open(directory / "file");
  EXPECT_EQ(text_of(file.bytes("mask")), text);
  EXPECT_THAT(message_of<FormatError>([&] { file.tensor("mask"); }),
              HasSubstr("\"mask\" is BOOL but has bytes other than 0 and 1"));
}

}  // namespace
}  // namespace gladius
