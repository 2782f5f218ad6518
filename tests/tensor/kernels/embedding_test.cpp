#include "gladius/tensor/kernels/embedding.h"

#include <gtest/gtest.h>

#include "gladius/tensor/dispatch.h"
#include "support/arrays.h"
#include "support/simd_targets.h"

namespace gladius {
namespace {

using namespace testing;

constexpr std::size_t V = 7, C = 19;
const std::vector<std::int64_t> ids{6, 0, 3, 3, 6, 3};

template <class T>
class Embedding : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Embedding, Types);

template <class T, class W>
void expect_rows_of(const OffsetArray<W>& table) {
  OffsetArray<T> y(ids.size() * C);
  kernels::embedding(table.data(), ids.data(), y.data(), ids.size(), C);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    for (std::size_t c = 0; c < C; ++c) {
      EXPECT_EQ(y[t * C + c], convert_element<T>(table[static_cast<std::size_t>(ids[t]) * C + c]));
    }
  }
}

template <class Half>
OffsetArray<Half> halves_of(const OffsetArray<float>& values) {
  OffsetArray<Half> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i] = Half(values[i]);
  return result;
}

TYPED_TEST(Embedding, GathersRowsOfEveryTableType) {
  for_each_simd_target([] {
    std::mt19937_64 random(1);
    const auto values = random_array<float>(random, V * C);
    expect_rows_of<TypeParam>(OffsetArray<TypeParam>(values.to()));
    expect_rows_of<TypeParam>(halves_of<bfloat16>(values));
    expect_rows_of<TypeParam>(halves_of<float16>(values));
  });
}

TYPED_TEST(Embedding, BackwardAddsInTokenOrderWhateverTheColumnRanges) {
  using T = TypeParam;
  std::mt19937_64 random(2);
  const auto dy = random_array<T>(random, ids.size() * C), before = random_array<T>(random, V * C);
  auto expected = before.template to<T>();
  for (std::size_t t = 0; t < ids.size(); ++t) {
    for (std::size_t c = 0; c < C; ++c) {
      expected[static_cast<std::size_t>(ids[t]) * C + c] += dy[t * C + c];
    }
  }
  for (const std::int64_t split : {0, 1, 8, 19}) {
    OffsetArray<T> dtable(before);
    kernels::embedding_backward(dy.data(), ids.data(), dtable.data(), ids.size(), C, split, C);
    kernels::embedding_backward(dy.data(), ids.data(), dtable.data(), ids.size(), C, 0, split);
    EXPECT_EQ(dtable.template to<T>(), expected) << "split at " << split;
  }
}

}  // namespace
}  // namespace gladius
