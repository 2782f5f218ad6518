#include "gladius/tensor/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "support/message_of.h"

namespace gladius {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;

// Applies random views beside the same index arithmetic on an explicit list of flat indices.
TEST(Tensor, RandomChainsOfViewsReadTheSameElementsAsIndexArithmetic) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 gen(seed);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(gen);
  };
  for (int round = 0; round < 300; ++round) {
    Shape shape{pick(1, 5), pick(1, 5), pick(1, 5)};
    Tensor base = Tensor::arange(numel(shape)).reshape(shape);
    const std::int64_t a = pick(0, 2), b = pick(0, 2), cut = pick(0, 2);
    std::vector<std::int64_t> axes{0, 1, 2};
    std::swap(axes[a], axes[b]);
    Tensor view = base.transpose(a, b);
    const std::int64_t start = pick(0, view.size(cut) - 1);
    const std::int64_t step = pick(1, 2);
    const std::int64_t length = pick(1, (view.size(cut) - 1 - start) / step + 1);
    view = view.narrow(cut, start, length, step);
    std::vector<std::int64_t> expected;
    Shape from(3, 0), by(3, 1);
    from[cut] = start;
    by[cut] = step;
    for (std::int64_t i = 0; i < view.size(0); ++i)
      for (std::int64_t j = 0; j < view.size(1); ++j)
        for (std::int64_t k = 0; k < view.size(2); ++k) {
          const Shape at{from[0] + i * by[0], from[1] + j * by[1], from[2] + k * by[2]};
          Shape source(3);
          for (int d = 0; d < 3; ++d) source[axes[d]] = at[d];
          expected.push_back((source[0] * shape[1] + source[1]) * shape[2] + source[2]);
        }
    EXPECT_EQ(view.to_vector<std::int64_t>(), expected);
    EXPECT_EQ(view.clone().to_vector<std::int64_t>(), expected);
    EXPECT_EQ(view.reshape({-1}).to_vector<std::int64_t>(), expected);
    EXPECT_EQ(view.reshape({view.size(0), -1, 1}).to_vector<std::int64_t>(), expected);
    EXPECT_EQ(view.reshape({view.size(0) * view.size(1), -1}).to_vector<std::int64_t>(), expected);
  }
}

TEST(Tensor, ViewsShareStorageAndWritesBumpItsVersion) {
  Tensor t = Tensor::zeros({2, 3});
  const std::uint64_t before = t.version();
  t.select(0, 1).fill_(7);
  EXPECT_THAT(t.to_vector<float>(), ElementsAre(0, 0, 0, 7, 7, 7));
  EXPECT_EQ(t.version(), before + 1);
}

TEST(Tensor, CopyBroadcastsConvertsAndToleratesOverlap) {
  Tensor t = Tensor::zeros({2, 3}, Dtype::F64);
  t.copy_(Tensor::from(std::vector<std::int32_t>{1, 2, 3}, {3}));
  EXPECT_THAT(t.to_vector<double>(), ElementsAre(1, 2, 3, 1, 2, 3));
  Tensor line = Tensor::arange(5);
  line.narrow(0, 1, 4).copy_(line.narrow(0, 0, 4));
  EXPECT_THAT(line.to_vector<int64_t>(), ElementsAre(0, 0, 1, 2, 3));
}

TEST(Tensor, ConversionsRefuseWhatTheTypeCannotHold) {
  const auto to = [](double value, Dtype from, Dtype dtype) {
    return message_of([=] { Tensor::full({}, value, from).to(dtype); });
  };
  const Tensor broken = Tensor::from<float>({1, 2, 3, 4, NAN, 6}, {3, 2});
  EXPECT_EQ(message_of([&] { broken.to(Dtype::I64); }),
            "to: nan at [2, 0] of F32 [3, 2] does not fit I64");
  EXPECT_EQ(message_of([&] { broken.transpose(0, 1).to(Dtype::U8); }),
            "to: nan at [0, 2] of F32 [2, 3] does not fit U8");
  EXPECT_EQ(message_of([&] { broken.to_vector<std::int32_t>(); }),
            "to: nan at [2, 0] of F32 [3, 2] does not fit I32");
  Tensor whole = Tensor::zeros({3, 2}, Dtype::I16);
  EXPECT_EQ(message_of([&] { whole.copy_(broken); }),
            "copy_: nan at [2, 0] of F32 [3, 2] does not fit I16");
  EXPECT_THAT(whole.to_vector<int>(), ::testing::Each(0)) << "nothing is written";
  EXPECT_THAT(to(INFINITY, Dtype::F16, Dtype::I32), HasSubstr("to: inf at [] of F16 []"));
  EXPECT_THAT(to(-INFINITY, Dtype::BF16, Dtype::U64), HasSubstr("to: -inf at []"));

  // The last that fit, and the first that do not; fractions are cut off.
  for (const auto& [dtype, first, last] : std::initializer_list<std::tuple<Dtype, double, double>>{
           {Dtype::U8, -0.99, 255.99},
           {Dtype::I8, -128.99, 127.99},
           {Dtype::U16, -0.99, 65535.99},
           {Dtype::I16, -32768.99, 32767.99},
           {Dtype::U32, -0.99, 0x1p32 - 0.01},
           {Dtype::I32, -0x1p31 - 0.99, 0x1p31 - 0.01},
           {Dtype::U64, -0.99, 0x1p64 - 2048},
           {Dtype::I64, -0x1p63, 0x1p63 - 1024}}) {
    for (const double fits : {first, last}) {
      EXPECT_EQ(Tensor::full({}, fits, Dtype::F64).to(dtype).item(), std::trunc(fits)) << fits;
    }
    const double step = dtype == Dtype::U64 || dtype == Dtype::I64 ? 2048 : 1;
    EXPECT_THAT(to(first - step, Dtype::F64, dtype), HasSubstr("does not fit")) << first;
    EXPECT_THAT(to(last + step, Dtype::F64, dtype), HasSubstr("does not fit")) << last;
  }
  // Between integers: another number is no answer.
  EXPECT_EQ(message_of([] {
              Tensor::from<std::int64_t>({7, 1L << 40}, {2}).to(Dtype::I32);
            }),
            "to: 1099511627776 at [1] of I64 [2] does not fit I32");
  EXPECT_EQ(message_of([] { Tensor::from<std::int32_t>({-100}, {1}).to(Dtype::U16); }),
            "to: -100 at [0] of I32 [1] does not fit U16");
  EXPECT_EQ(message_of([] { Tensor::from<std::uint64_t>({UINT64_MAX}, {1}).to(Dtype::I64); }),
            "to: 18446744073709551615 at [0] of U64 [1] does not fit I64");
  // It is not 0, as in PyTorch.
  EXPECT_EQ(Tensor::full({}, NAN, Dtype::F32).to(Dtype::BOOL).item(), 1);
}

TEST(Tensor, FromListsAsTheyAreWritten) {
  const Tensor line = Tensor::from({1, -2, 0.1});
  EXPECT_EQ(line.describe(), "F32 [3]");
  EXPECT_THAT(line.to_vector<float>(), ElementsAre(1, -2, 0.1f));
  const Tensor table = Tensor::from({{1, 2, 3}, {4, 5, 6}}, Dtype::I64);
  EXPECT_EQ(table.describe(), "I64 [2, 3]");
  EXPECT_THAT(table.to_vector<std::int64_t>(), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(Tensor::from({0.1}, Dtype::F64).item(), 0.1);
  EXPECT_EQ(message_of<ShapeError>([] {
              Tensor::from({{1, 2}, {3, 4, 5}});
            }),
            "from: row 1 has 3 values, row 0 has 2");
  EXPECT_THAT(message_of([] { Tensor::from({1, 300}, Dtype::U8); }), HasSubstr("does not fit U8"));
}

TEST(Tensor, ExpandHasStrideZeroAndReshapeOfItCopies) {
  const Tensor t = Tensor::arange(3).expand({2, 3});
  EXPECT_THAT(t.strides(), ElementsAre(0, 1));
  EXPECT_THAT(t.reshape({6}).to_vector<std::int64_t>(), ElementsAre(0, 1, 2, 0, 1, 2));
}

TEST(Tensor, EmptyAndScalarShapes) {
  EXPECT_EQ(Tensor::scalar(2.5).item(), 2.5);
  EXPECT_EQ(Tensor::empty({0, 3}).reshape({3, 0}).numel(), 0);
  EXPECT_TRUE(Tensor::empty({4, 0}).transpose(0, 1).to_vector<float>().empty());
}

TEST(Tensor, WrongUseNamesTheOperationAndTheShapes) {
  const Tensor t = Tensor::zeros({2, 3});
  EXPECT_THAT(message_of([&] { t.reshape({4, 2}); }), HasSubstr("reshape: [2, 3] has 6 elements"));
  EXPECT_THAT(message_of([&] { t.transpose(0, 1).view({6}); }), HasSubstr("use reshape"));
  EXPECT_THAT(message_of([&] { t.narrow(1, 2, 2); }), HasSubstr("narrow: start 2, length 2"));
  EXPECT_THAT(message_of([&] { t.select(0, 2); }), HasSubstr("select: index 2"));
  EXPECT_THAT(message_of([&] {
                t.expand({3, 3});
              }),
              HasSubstr("expand: [2, 3] does not broadcast to [3, 3]"));
  EXPECT_THAT(message_of([&] { t.data<double>(); }), HasSubstr("F32 [2, 3] read as F64"));
  EXPECT_THAT(message_of([&] { t.item(); }), HasSubstr("item: F32 [2, 3]"));
  EXPECT_THAT(message_of([&] { t.size(2); }), HasSubstr("dimension 2"));
  EXPECT_THAT(message_of([&] { Tensor::empty({-1}); }), HasSubstr("negative size"));
  EXPECT_THROW(Tensor(t.storage(), {7}, {1}, 0, Dtype::F32), ShapeError);
}

TEST(Tensor, ReadOnlyStorageRefusesWrites) {
  auto owner = std::make_shared<std::vector<float>>(4, 1.0f);
  auto storage = Storage::borrow(reinterpret_cast<std::byte*>(owner->data()), 16, owner, true);
  Tensor t(storage, {4}, {1}, 0, Dtype::F32);
  EXPECT_THAT(message_of([&] { t.zero_(); }),
              HasSubstr("fill_: F32 [4] is read-only; clone() it first"));
  EXPECT_THAT(message_of([&] { t.copy_(Tensor::ones({4})); }),
              HasSubstr("copy_: F32 [4] is read-"));
  EXPECT_THAT(message_of([&] { t.narrow(0, 1, 2).fill_(1); }), HasSubstr("read-only"));
  EXPECT_EQ(t.version(), 0u);
}

TEST(Tensor, ExpandedTensorsRefuseWrites) {
  const Tensor t = Tensor::zeros({3, 1});
  Tensor expanded = t.expand({2, 3, 4});
  const std::string message = message_of([&] { expanded.fill_(1); });
  EXPECT_EQ(message,
            "fill_: F32 [2, 3, 4] is expanded along dimension 0, where its elements share memory; "
            "clone() it first");
  EXPECT_THAT(message_of([&] { expanded.copy_(t); }), HasSubstr("copy_: F32 [2, 3, 4]"));
  EXPECT_THAT(message_of([&] { expanded.select(0, 0).zero_(); }), HasSubstr("along dimension 1"));
  expanded.select(0, 0).select(1, 0).fill_(5);  // these elements are apart
  EXPECT_THAT(t.to_vector<float>(), ElementsAre(5, 5, 5));
  t.expand({3, 1}).zero_();
  EXPECT_THAT(message_of([&] { Tensor::zeros({2}).copy_(t); }),
              HasSubstr("copy_: [3, 1] does not broadcast to [2]"));
  EXPECT_THAT(message_of([] { Tensor().mark_written(); }),
              HasSubstr("mark_written: the undefined tensor"));
}

TEST(Arange, StepsUpToButNotTheEnd) {
  EXPECT_THAT(arange(2, 5).to_vector<double>(), ElementsAre(2, 3, 4));
  EXPECT_THAT(arange(5, 1, -2).to_vector<double>(), ElementsAre(5, 3));
  EXPECT_THAT(arange(1, 0, -0.25, Dtype::F32).to_vector<double>(), ElementsAre(1, 0.75, 0.5, 0.25));
  EXPECT_THAT(arange(0, 2.5).to_vector<double>(), ElementsAre(0, 1, 2));
  EXPECT_EQ(arange(3, 3).shape(), (Shape{0}));
  EXPECT_EQ(arange(0, 3).dtype(), Dtype::I64);
  EXPECT_EQ(message_of([] { arange(1, 0); }),
            "arange: from 1 to 0 by 1 in I64: the step leads away from the end");
  EXPECT_EQ(message_of([] { arange(0, 1, 0); }),
            "arange: from 0 to 1 by 0 in I64: the steps have no end");
  EXPECT_EQ(message_of([] { arange(0, 1, 0.5); }),
            "arange: from 0 to 1 by 0.5 in I64: an integer type takes whole numbers");
  EXPECT_THAT(message_of([] { arange(0, INFINITY); }), HasSubstr("no end"));
  EXPECT_THAT(message_of([] { arange(0, 1e300); }), HasSubstr("too many elements"));
}

// The definition: the nearest representable value, ties to the even mantissa.
template <class Half>
void expect_nearest(float value) {
  const Half rounded(value);
  const double error = std::abs(static_cast<double>(static_cast<float>(rounded)) - value);
  for (const int step : {-1, 1}) {
    Half other = rounded;
    other.bits = static_cast<std::uint16_t>(other.bits + step);
    const float neighbour = static_cast<float>(other);
    if (!std::isfinite(neighbour) || std::signbit(neighbour) != std::signbit(value)) continue;
    const double distance = std::abs(static_cast<double>(neighbour) - value);
    EXPECT_LE(error, distance) << value;
    if (error == distance) {
      EXPECT_EQ(rounded.bits & 1, 0) << value;
    }
  }
}

TEST(Half, RoundsToNearestEvenAndEveryValueSurvivesTheRoundTrip) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 gen(seed);
  for (int i = 0; i < 200000; ++i) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(gen()));
    if (std::isfinite(value) && std::abs(value) < 3e38f) expect_nearest<bfloat16>(value);
    const float small =
        std::ldexp(static_cast<float>(gen()) * 0x1p-32f, static_cast<int>(gen() % 42) - 26);
    expect_nearest<float16>(i % 2 ? small : -small);
  }
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    float16 half;
    half.bits = static_cast<std::uint16_t>(bits);
    bfloat16 brain;
    brain.bits = static_cast<std::uint16_t>(bits);
    const float wide = static_cast<float>(half);
    if (!std::isnan(wide)) {
      EXPECT_EQ(float16(wide).bits, half.bits);
    }
    if (!std::isnan(static_cast<float>(brain))) {
      EXPECT_EQ(bfloat16(static_cast<float>(brain)).bits, brain.bits);
    }
  }
}

TEST(Dtype, NamesGoBothWaysAndUnknownOnesAreRefused) {
  for (int i = 0; i <= static_cast<int>(Dtype::U64); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype);
  }
  EXPECT_EQ(dtype_from_name("torch.bfloat16"), Dtype::BF16);
  EXPECT_THAT(message_of([] { dtype_from_name("F31"); }), HasSubstr("F31"));
}

}  // namespace
}  // namespace gladius
