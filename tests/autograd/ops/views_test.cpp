// Views, joins and picks against central differences in float64, once and twice differentiated,
// over random shapes and strides; their wrong uses.
#include "gladius/autograd/ops/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "support/gradients.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using Values = std::vector<double>;

Tensor random_index(Rng& rng, const Shape& shape, std::int64_t size) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(numel(shape)));
  for (std::int64_t& value : values) value = random_int(rng, 0, size - 1);
  return Tensor::from(values, shape);
}

TEST(Views, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    Rng rng(seed);
    const Shape shape = random_shape(rng, 3, seed % 4 == 0 ? 0 : 1);
    const std::int64_t d = random_int(rng, -3, 2);
    const Inputs x = leaves({random_view(rng, shape)});
    const std::int64_t size = x[0].size(d), start = random_int(rng, 0, size);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + to_string(shape) + " along " +
                 std::to_string(d) + " from " + std::to_string(start));
    expect_gradients([&](const Inputs& in) { return reshape(in[0], {x[0].numel()}); }, x);
    expect_gradients([&](const Inputs& in) { return view(in[0], shape); }, x);
    expect_gradients([&](const Inputs& in) { return permute(in[0], {2, 0, -2}); }, x);
    expect_gradients([&](const Inputs& in) { return transpose(in[0], d, 1); }, x);
    expect_gradients([&](const Inputs& in) { return narrow(in[0], d, start, size - start); }, x);
    expect_gradients([&](const Inputs& in) { return slice(in[0], d, start - size, size, 2); }, x);
    expect_gradients(
        [&](const Inputs& in) {
          return expand(unsqueeze(in[0], 1), {2, shape[0], 2, shape[1], shape[2]});
        },
        x);
    expect_gradients([&](const Inputs& in) { return squeeze(unsqueeze(in[0], d), d); }, x);
    expect_gradients([&](const Inputs& in) { return split(in[0], 2, d).back(); }, x);
    if (size > 0) expect_gradients([&](const Inputs& in) { return select(in[0], d, -1); }, x);
  }
}

TEST(Views, OfScalars) {
  const Inputs x = leaves({Tensor::scalar(3, Dtype::F64)});
  expect_gradients([](const Inputs& in) { return reshape(in[0], {1, 1}); }, x);
  expect_gradients([](const Inputs& in) { return unsqueeze(in[0], 0); }, x);
  expect_gradients([](const Inputs& in) { return expand(in[0], {2, 3}); }, x);
  expect_gradients([](const Inputs& in) { return stack({in[0], in[0]}); }, x);
}

TEST(Joins, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const Shape shape = random_shape(rng, 3, seed % 4 == 0 ? 0 : 1);
    const std::int64_t d = random_int(rng, -3, 2);
    Shape longer = shape;
    longer[static_cast<std::size_t>(d < 0 ? d + 3 : d)] += 2;
    const Tensor a = random_view(rng, shape), b = random_view(rng, longer);
    expect_gradients(
        [&](const Inputs& in) {
          return cat({in[0], in[1], in[0]}, d);
        },
        leaves({a, b}, seed % 3 + 1));
    expect_gradients(
        [&](const Inputs& in) {
          return stack({in[0], in[1]}, d);
        },
        leaves({a, random_view(rng, shape)}, seed % 3 + 1));
  }
}

TEST(Indexing, GradientsAgreeWithDifferences) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const Shape shape = random_shape(rng, 3, 2, 4);
    const Tensor x = random_view(rng, shape);
    const std::int64_t d = random_int(rng, 0, 2);
    const Tensor list = random_index(rng, {random_int(rng, 0, 5)}, x.size(d));
    expect_gradients([&](const Inputs& in) { return index_select(in[0], d, list); }, leaves({x}));
    Shape smaller = shape;
    for (std::int64_t& size : smaller) size = random_int(rng, seed % 4 == 0 ? 0 : 1, size);
    const Tensor index = random_index(rng, smaller, x.size(d));
    expect_gradients([&](const Inputs& in) { return gather(in[0], d, index); }, leaves({x}));
    expect_gradients([&](const Inputs& in) { return scatter_add(in[0], d, index, in[1]); },
                     leaves({x, random_view(rng, smaller)}, seed % 3 + 1));
  }
}

TEST(Indexing, SumsTheGradientsOfAnElementThatIsPickedManyTimes) {
  Rng rng(1);
  const std::int64_t n = 20'000;
  const Tensor list = random_index(rng, {n}, 3), seed = random_tensor(rng, {n});
  const std::vector<std::int64_t> picks = list.to_vector<std::int64_t>();
  const Values weights = seed.to_vector<double>();
  Values sums(3);
  for (std::size_t i = 0; i < picks.size(); ++i) {
    sums[static_cast<std::size_t>(picks[i])] += weights[i];
  }
  const Tensor expected = Tensor::from(sums, {3});
  const Variable x(random_tensor(rng, {3}), true), zero(Tensor::zeros({3}, Dtype::F64));
  const auto gradient = [&](const Variable& y) {
    return grad({y}, {x}, {Variable(seed)})[0].value();
  };
  expect_near(gradient(index_select(x, 0, list)), expected, 1e-12);
  expect_near(gradient(gather(x, 0, list)), expected, 1e-12);
  expect_near(scatter_add(zero, 0, list, Variable(seed)).value(), expected, 1e-12);
  const Variable row(random_tensor(rng, {1}), true);
  const double total = sums[0] + sums[1] + sums[2];
  expect_near(grad({expand(row, {n})}, {row}, {Variable(seed)})[0].value(),
              Tensor::from<double>({total}, {1}), 1e-12);
}

// What Python gives for list(range(5))[start:end:step].
TEST(Slice, CutsAsPython) {
  constexpr std::int64_t end_of_all = std::numeric_limits<std::int64_t>::max();
  struct Cut {
    std::int64_t start, end, step;
    Values expected;
  };
  const Variable x(Tensor::arange(5).to(Dtype::F64));
  for (const Cut& cut :
       {Cut{1, 4, 1, {1, 2, 3}}, Cut{-3, -1, 1, {2, 3}}, Cut{0, 100, 1, {0, 1, 2, 3, 4}},
        Cut{-100, 2, 1, {0, 1}}, Cut{3, 1, 1, {}}, Cut{1, 5, 2, {1, 3}}, Cut{-4, 100, 3, {1, 4}},
        Cut{5, 9, 1, {}}, Cut{-100, 100, 10, {0}}, Cut{2, end_of_all, 1, {2, 3, 4}},
        Cut{0, 5, end_of_all, {0}}}) {
    SCOPED_TRACE(std::to_string(cut.start) + ":" + std::to_string(cut.end) + ":" +
                 std::to_string(cut.step));
    EXPECT_EQ(slice(x, -1, cut.start, cut.end, cut.step).value().to_vector<double>(), cut.expected);
  }
}

TEST(Split, GivesTheLastPieceWhatIsLeft) {
  const Variable x(Tensor::arange(5).to(Dtype::F32));
  const std::vector<Variable> pieces = split(x, 2);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[1].value().to_vector<double>(), (Values{2, 3}));
  EXPECT_EQ(pieces[2].value().to_vector<double>(), (Values{4}));
  const std::vector<Variable> of_nothing =
      split(Variable(Tensor::zeros({0, 3})), 2);  // as PyTorch's
  ASSERT_EQ(of_nothing.size(), 1u);
  EXPECT_EQ(of_nothing[0].shape(), (Shape{0, 3}));
}

TEST(Views, WrongUse) {
  const Variable x(Tensor::ones({2, 3}), true);
  struct Use {
    std::function<void()> call;
    std::string message;
  };
  for (const Use& use : std::vector<Use>{
           {[&] {
              reshape(x, {4, 2});
            },
            "reshape: [2, 3] has 6 elements and cannot become [4, 2]"},
           {[&] {
              reshape(x, {-1, -1});
            },
            "reshape: [2, 3] has 6 elements and cannot become [-1, -1]"},
           {[&] {
              reshape(x, {-1, 0});
            },
            "reshape: [2, 3] has 6 elements and cannot become [-1, 0]"},
           {[&] {
              reshape(x, {1LL << 32, 1LL << 32, 6});
            },
            "reshape: [2, 3] has 6 elements and cannot become [4294967296, 4294967296, 6]"},
           {[&] { view(x, {5}); }, "view: [2, 3] has 6 elements and cannot become [5]"},
           {[&] { view(transpose(x, 0, 1), {6}); },
            "view: F32 [3, 2] with strides [1, 3] cannot be seen as [6]; use reshape"},
           {[&] {
              permute(x, {0, 0});
            },
            "permute: dimension 0 of F32 [2, 3] is named twice"},
           {[&] { permute(x, {0}); }, "permute: 1 dimensions named for F32 [2, 3]"},
           {[&] {
              permute(x, {0, 2});
            },
            "permute: dimension 2 of a tensor with 2 dimensions"},
           {[&] { transpose(x, 0, -3); }, "transpose: dimension -3 of a tensor with 2 dimensions"},
           {[&] { narrow(x, 1, 2, 2); },
            "narrow: start 2, length 2, step 1 in dimension 1 of F32 [2, 3]"},
           {[&] { narrow(x, 1, -1, 1); },
            "narrow: start -1, length 1, step 1 in dimension 1 of F32 [2, 3]"},
           {[&] { slice(x, 2, 0, 1); }, "slice: dimension 2 of a tensor with 2 dimensions"},
           {[&] { slice(x, 1, 0, 1, 0); },
            "slice: a step of 0 in dimension 1 of F32 [2, 3]; expected at least 1"},
           {[&] { select(x, 1, 3); }, "select: index 3 in dimension 1 of F32 [2, 3]"},
           {[&] { select(x, 1, -4); }, "select: index -4 in dimension 1 of F32 [2, 3]"},
           {[&] {
              expand(x, {3, 3});
            },
            "expand: [2, 3] does not broadcast to [3, 3]"},
           {[&] { expand(x, {3}); }, "expand: [2, 3] does not broadcast to [3]"},
           {[&] { unsqueeze(x, 3); }, "unsqueeze: dimension 3 of a tensor with 3 dimensions"},
           {[&] { squeeze(x, 1); }, "squeeze: dimension 1 of F32 [2, 3] is not 1"},
           {[&] { cat({}); }, "cat: no tensors"},
           {[&] {
              cat({x, Variable(Tensor::ones({2, 4}))});
            },
            "cat: F32 [2, 4] does not fit F32 [2, 3] along dimension 0"},
           {[&] { stack({}); }, "stack: no tensors"},
           {[&] {
              stack({x, Variable(Tensor::ones({2}))});
            },
            "stack: F32 [2] has not the shape of F32 [2, 3]"},
           {[&] { split(x, 0); }, "split: pieces of length 0 of F32 [2, 3]; expected at least 1"},
           {[&] { split(x, 1, 2); }, "split: dimension 2 of a tensor with 2 dimensions"},
       }) {
    EXPECT_EQ(message_of<ShapeError>(use.call), use.message);
  }
  EXPECT_THAT(message_of<DtypeError>([&] {
                stack({x, Variable(Tensor::ones({2, 3}, Dtype::F64))});
              }),
              HasSubstr("stack: F32 [2, 3] and F64 [2, 3] have different types"));
}

TEST(Indexing, WrongUse) {
  const Variable x(Tensor::ones({2, 3}), true), wide(Tensor::ones({2, 1}, Dtype::F64));
  const Tensor index = Tensor::zeros({2, 1}, Dtype::I64),
               beyond = Tensor::full({2, 1}, 3, Dtype::I64);
  EXPECT_THAT(message_of<ShapeError>([&] { index_select(x, 0, beyond.reshape({2})); }),
              HasSubstr("index_select: index 3 is out of range for a dimension of size 2"));
  EXPECT_THAT(message_of<ShapeError>([&] { gather(x, 1, beyond); }),
              HasSubstr("gather: index 3 is out of range for a dimension of size 3"));
  EXPECT_THAT(message_of<ShapeError>([&] { scatter_add(x, 1, beyond, x); }),
              HasSubstr("scatter_add_: index [2, 1] does not fit"));
  EXPECT_THAT(message_of<DtypeError>([&] { gather(x, 1, index.to(Dtype::U8)); }),
              HasSubstr("gather: index U8 [2, 1]; expected I64 or I32"));
  EXPECT_THAT(message_of<DtypeError>([&] { scatter_add(x, 1, index, wide); }),
              HasSubstr("scatter_add_: F32 [2, 3] and F64 [2, 1] have different types"));
  const Variable y = sum(gather(x, 1, index));
  Tensor(index).fill_(1);
  EXPECT_THAT(message_of<GraphError>([&] { y.backward(); }),
              HasSubstr("backward of gather: I64 [2, 1] was saved"));
}

}  // namespace
}  // namespace gladius
