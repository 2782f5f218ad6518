// Joins, picks and scatters against index arithmetic on lists.
#include "gladius/tensor/indexing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/message_of.h"
#include "support/random.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Tensor ids(const std::vector<std::int64_t>& list) {
  return Tensor::from(list, {static_cast<std::int64_t>(list.size())});
}

// I64 or I32.
Tensor random_ids(Rng& rng, const Shape& shape, std::int64_t size) {
  std::vector<std::int64_t> list(static_cast<std::size_t>(numel(shape)));
  for (std::int64_t& id : list) id = random_int(rng, 0, size - 1);
  return Tensor::from(list, shape).to(size % 2 == 0 ? Dtype::I32 : Dtype::I64);
}

double element(const Tensor& x, const Shape& index) {
  Tensor at = x;
  for (const std::int64_t i : index) at = at.select(0, i);
  return at.item();
}

// Calls visit(index) for every index of the shape, in row-major order.
template <class Visit>
void for_each_index(const Shape& shape, Visit visit) {
  for (std::int64_t i = 0; i < numel(shape); ++i) {
    Shape index(shape.size());
    std::int64_t rest = i;
    for (std::size_t d = shape.size(); d-- > 0; rest /= shape[d]) index[d] = rest % shape[d];
    visit(index);
  }
}

struct Situation {
  Shape shape;
  std::int64_t dim;
  std::size_t d;

  explicit Situation(Rng& rng) : shape(random_shape(rng, random_int(rng, 1, 4), 1, 4)) {
    const auto rank = static_cast<std::int64_t>(shape.size());
    dim = random_int(rng, -rank, rank - 1);
    d = static_cast<std::size_t>(dim < 0 ? dim + rank : dim);
  }
};

TEST(Cat, JoinsAlongAnyDimension) {
  Rng rng(1);
  for (int round = 0; round < 30; ++round) {
    const Situation s(rng);
    std::vector<Tensor> parts;
    for (int i = 0; i < 3; ++i) {
      Shape shape = s.shape;
      shape[s.d] = random_int(rng, 0, 3);
      parts.push_back(random_view(rng, shape));
    }
    const Tensor y = cat(parts, s.dim);
    for_each_index(y.shape(), [&](Shape index) {
      const double actual = element(y, index);
      std::size_t part = 0;
      while (index[s.d] >= parts[part].size(s.dim)) index[s.d] -= parts[part++].size(s.dim);
      EXPECT_EQ(actual, element(parts[part], index));
    });
    EXPECT_EQ(y.size(s.dim), parts[0].size(s.dim) + parts[1].size(s.dim) + parts[2].size(s.dim));
  }
}

TEST(Cat, WrongUse) {
  EXPECT_EQ(message_of<ShapeError>([] { cat({}); }), "cat: no tensors");
  const auto join = [](const Tensor& b) { return [=] { cat({Tensor::ones({2, 3}), b}, 0); }; };
  EXPECT_EQ(message_of<ShapeError>(join(Tensor::ones({2, 4}))),
            "cat: F32 [2, 4] does not fit F32 [2, 3] along dimension 0");
  EXPECT_THAT(message_of<ShapeError>(join(Tensor::ones({3}))), HasSubstr("F32 [3]"));
  EXPECT_EQ(message_of<DtypeError>(join(Tensor::ones({2, 3}, Dtype::F64))),
            "cat: F32 [2, 3] and F64 [2, 3] have different types; convert one with to()");
  EXPECT_EQ(message_of<ShapeError>([] { stack({}); }), "stack: no tensors");
  EXPECT_EQ(message_of<ShapeError>([] {
              stack({Tensor::ones({2}), Tensor::ones({3})});
            }),
            "stack: F32 [3] has not the shape of F32 [2]");
}

TEST(Stack, AddsADimension) {
  const Tensor a = Tensor::arange(2), b = Tensor::arange(4).narrow(0, 2, 2);
  EXPECT_THAT(stack({a, b}).to_vector<int>(), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(stack({a, b}, -1).to_vector<int>(), ElementsAre(0, 2, 1, 3));
  EXPECT_EQ(stack({Tensor::scalar(1), Tensor::scalar(2)}).shape(), (Shape{2}));
}

TEST(IndexSelect, PicksSlicesAndIndexAddPutsThemBack) {
  Rng rng(2);
  for (int round = 0; round < 30; ++round) {
    const Situation s(rng);
    const Tensor x = random_view(rng, s.shape);
    const Tensor index = random_ids(rng, {random_int(rng, 0, 5)}, x.size(s.dim));
    const std::vector<std::int64_t> list = index.to_vector<std::int64_t>();
    const Tensor y = index_select(x, s.dim, index);
    EXPECT_EQ(y.size(s.dim), index.numel());
    Tensor target = random_view(rng, s.shape);
    const Tensor before = target.clone();
    index_add_(target, s.dim, index, y);
    Tensor expected = before.clone();
    for_each_index(y.shape(), [&](Shape at) {
      const double picked = element(y, at);
      at[s.d] = list[static_cast<std::size_t>(at[s.d])];
      EXPECT_EQ(picked, element(x, at));
      Tensor place = expected;
      for (const std::int64_t i : at) place = place.select(0, i);
      place.fill_(place.item() + picked);
    });
    EXPECT_EQ(target.to_vector<double>(), expected.to_vector<double>());
  }
}

TEST(Gather, PicksElementsAndScatterAddPutsThemBack) {
  Rng rng(3);
  for (int round = 0; round < 30; ++round) {
    const Situation s(rng);
    const Tensor x = random_view(rng, s.shape);
    Shape shape = s.shape;
    for (std::int64_t& size : shape) size = random_int(rng, 1, size);
    shape[s.d] = random_int(rng, 0, 5);
    const Tensor index = random_ids(rng, shape, x.size(s.dim));
    const Tensor y = gather(x, s.dim, index);
    Tensor target = random_view(rng, s.shape);
    Tensor expected = target.clone();
    scatter_add_(target, s.dim, index, y);
    for_each_index(shape, [&](Shape at) {
      const double picked = element(y, at);
      at[s.d] = static_cast<std::int64_t>(element(index, at));
      EXPECT_EQ(picked, element(x, at));
      Tensor place = expected;
      for (const std::int64_t i : at) place = place.select(0, i);
      place.fill_(place.item() + picked);
    });
    EXPECT_EQ(target.to_vector<double>(), expected.to_vector<double>());
  }
}

TEST(Indices, WrongUse) {
  const Tensor x = Tensor::ones({2, 3});
  EXPECT_EQ(message_of<ShapeError>([&] {
              index_select(x, 1, ids({0, 3}));
            }),
            "index_select: index 3 is out of range for a dimension of size 3");
  EXPECT_THAT(message_of<ShapeError>([&] { index_select(x, 1, ids({-1})); }),
              HasSubstr("index -1"));
  EXPECT_THAT(message_of<ShapeError>([&] {
                index_select(x, 0, Tensor::zeros({1, 1}, Dtype::I64));
              }),
              HasSubstr("I64 [1, 1], not one-dimensional"));
  EXPECT_THAT(message_of<DtypeError>([&] { index_select(x, 0, Tensor::ones({1})); }),
              HasSubstr("index_select: index F32 [1]; expected I64 or I32"));
  Tensor target = Tensor::zeros({2, 3});
  EXPECT_THAT(message_of<ShapeError>([&] {
                index_add_(target, 0, ids({2}), Tensor::ones({1, 3}));
              }),
              HasSubstr("index_add_: index 2"));
  EXPECT_THAT(message_of<ShapeError>([&] {
                index_add_(target, 0, ids({0}), Tensor::ones({2, 3}));
              }),
              HasSubstr("source F32 [2, 3] does not fit"));
  EXPECT_THAT(message_of<ShapeError>([&] {
                gather(x, 1, Tensor::full({2, 1}, 3, Dtype::I64));
              }),
              HasSubstr("gather: index 3 is out of range"));
  EXPECT_THAT(message_of<ShapeError>([&] {
                gather(x, 1, Tensor::zeros({3, 1}, Dtype::I64));
              }),
              HasSubstr("gather: index [3, 1] does not fit F32 [2, 3]"));
  EXPECT_THAT(message_of<ShapeError>([&] { gather(x, 1, ids({0})); }), HasSubstr("index [1]"));
  EXPECT_THAT(message_of<DtypeError>([&] { gather(x, 1, x); }), HasSubstr("expected I64 or I32"));
  const Tensor index = Tensor::zeros({2, 1}, Dtype::I64);
  EXPECT_THAT(message_of<ShapeError>([&] {
                scatter_add_(target, 1, index, Tensor::ones({1, 1}));
              }),
              HasSubstr("scatter_add_: index [2, 1] does not fit"));
  EXPECT_THAT(message_of<ShapeError>([&] {
                index_add_(target, 0, ids({0}), Tensor::ones({1, 1}));
              }),
              HasSubstr("source F32 [1, 1] does not fit"));
  EXPECT_THAT(message_of<DtypeError>([&] {
                index_add_(target, 0, ids({}), Tensor::ones({0, 3}, Dtype::F64));
              }),
              HasSubstr("index_add_: F32 [2, 3] and F64 [0, 3] have different types"));
  Tensor expanded = Tensor::zeros({1, 3}).expand({2, 3});
  EXPECT_THAT(message_of([&] {
                scatter_add_(expanded, 1, index, Tensor::ones({2, 1}));
              }),
              HasSubstr("scatter_add_: F32 [2, 3] is expanded"));
  // Nothing is added if one index is wrong.
  EXPECT_THAT(message_of<ShapeError>([&] {
                scatter_add_(target, 0, ids({0, 2}).reshape({2, 1}), Tensor::ones({2, 1}));
              }),
              HasSubstr("scatter_add_: index 2 is out of range"));
  EXPECT_THAT(target.to_vector<double>(), ::testing::Each(0));
  Tensor whole = Tensor::zeros({2, 1}, Dtype::I64);
  EXPECT_THAT(message_of<DtypeError>([&] { scatter_add_(whole, 1, index, index); }),
              HasSubstr("scatter_add_: arithmetic takes"));
}

TEST(Triangles, KeepOneSideOfADiagonal) {
  Rng rng(4);
  for (int round = 0; round < 30; ++round) {
    Shape shape = random_shape(rng, random_int(rng, 2, 4), round % 5 == 0 ? 0 : 1, 5);
    const Tensor x = random_view(rng, shape, 1, 2, round % 2 ? Dtype::F64 : Dtype::F16);
    const std::int64_t diagonal = random_int(rng, -6, 6);
    const Tensor lower = tril(x, diagonal), upper = triu(x, diagonal);
    for_each_index(shape, [&](const Shape& at) {
      const std::int64_t offset = at.back() - at[at.size() - 2];
      EXPECT_EQ(element(lower, at), offset <= diagonal ? element(x, at) : 0);
      EXPECT_EQ(element(upper, at), offset >= diagonal ? element(x, at) : 0);
    });
  }
  EXPECT_EQ(message_of<ShapeError>([] { tril(Tensor::ones({3})); }),
            "tril: F32 [3] is not a matrix");
}

}  // namespace
}  // namespace gladius
