#include "gladius/autograd/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/autograd/grad_mode.h"
#include "gladius/autograd/gradcheck.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/autograd/ops/softmax.h"
#include "gladius/tensor/allocator.h"
#include "gladius/tensor/random.h"
#include "support/message_of.h"
#include "support/random.h"

namespace gladius {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::message_of;
using testing::Rng;
using Inputs = std::vector<Variable>;

// A block of a network: two captured weights, values saved by input and by output.
struct Block {
  Block(Rng& rng, std::int64_t width, Dtype dtype)
      : first(testing::random_tensor(rng, {width, width}, -0.3, 0.3, dtype), true),
        second(testing::random_tensor(rng, {width, width}, -0.3, 0.3, dtype), true) {}

  Variable operator()(const Inputs& in) const {
    const Variable hidden = tanh(linear(in[0], first));
    return in[0] + softmax(matmul(hidden * sigmoid(hidden), second));
  }
  Variable first, second;
};

struct Network {
  Network(Rng& rng, int depth, std::int64_t width, Dtype dtype = Dtype::F32) {
    for (int i = 0; i < depth; ++i) blocks.emplace_back(rng, width, dtype);
  }
  Variable operator()(Variable x, bool checkpointed) const {
    for (const Block& block : blocks) {
      x = checkpointed ? checkpoint(block, {x}) : block({x});
    }
    return x;
  }
  // One for each weight, of two passes that add up.
  std::vector<Tensor> gradients(const Variable& x, bool checkpointed) const {
    for (int pass = 0; pass < 2; ++pass) mean((*this)(x, checkpointed)).backward();
    std::vector<Tensor> result;
    for (const Block& block : blocks) {
      for (Variable weight : {block.first, block.second}) {
        result.push_back(weight.grad());
        weight.zero_grad();
      }
    }
    return result;
  }
  std::vector<Block> blocks;
};

void expect_same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].to_vector<float>(), b[i].to_vector<float>()) << "gradient " << i;
  }
}

TEST(Checkpoint, GradientsAreTheSameToTheBit) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    const std::int64_t width = testing::random_int(rng, 1, 40);
    const Network network(rng, 4, width);
    const Variable x(
        testing::random_tensor(rng, {testing::random_int(rng, 1, 20), width}, -1, 1, Dtype::F32));
    expect_same_bits(network.gradients(x, true), network.gradients(x, false));
  }
}

TEST(Checkpoint, NestsAndServesGrad) {
  Rng rng(3);
  const Network network(rng, 6, 8);
  const Variable x(testing::random_tensor(rng, {5, 8}, -1, 1, Dtype::F32), true);
  const Function half = [&](const Inputs& in) {
    Variable y = in[0];
    for (int i = 0; i < 3; ++i) y = checkpoint(network.blocks[static_cast<std::size_t>(i)], {y});
    return y;
  };
  const auto tail = [&](Variable y) {
    for (std::size_t i = 3; i < 6; ++i) y = network.blocks[i]({y});
    return mean(y);
  };
  const Inputs wanted{x, network.blocks[0].second, network.blocks[5].first};
  const Inputs nested = grad({tail(checkpoint(half, {x}))}, wanted);
  const Inputs plain = grad({mean(network(x, false))}, wanted);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_FALSE(wanted[i].grad().defined());
    EXPECT_EQ(nested[i].value().to_vector<float>(), plain[i].value().to_vector<float>());
  }
}

TEST(Checkpoint, IsDifferentiableTwice) {
  Rng rng(4);
  const Variable x(testing::random_view(rng, {3, 4}), true);
  const Variable y(testing::random_view(rng, {4}), true);
  const Function function = [](const Inputs& in) {
    return checkpoint([](const Inputs& of) { return exp(of[0] * of[1]) * tanh(of[0]); }, in);
  };
  EXPECT_NO_THROW(gradcheck(function, {x, y}));
  EXPECT_NO_THROW(gradgradcheck(function, {x, y}, {.step = 1e-5, .atol = 1e-5, .rtol = 1e-4}));
}

TEST(Checkpoint, RetainedGraphGivesTheSameAgain) {
  Rng rng(5);
  const Block block(rng, 6, Dtype::F32);
  const Variable x(testing::random_tensor(rng, {2, 6}, -1, 1, Dtype::F32), true);
  const Variable y = sum(checkpoint(block, {x}));
  const Variable first = grad({y}, {x}, {}, /*retain_graph=*/true)[0];
  EXPECT_EQ(grad({y}, {x})[0].value().to_vector<float>(), first.value().to_vector<float>());
  EXPECT_THAT(message_of<GraphError>([&] { y.backward(); }), HasSubstr("retain_graph"));
}

TEST(Checkpoint, PutsTheDefaultGeneratorBack) {
  const Variable x(Tensor::full({64}, 2, Dtype::F64), true);
  Tensor noise;
  const Function function = [&](const Inputs& in) {
    noise = Tensor::empty({64}, Dtype::F64);
    fill_uniform_(noise, default_generator());
    return exp(in[0] * Variable(noise));
  };
  const Variable y = sum(checkpoint(function, {x}));
  const std::vector<double> first = noise.to_vector<double>();
  const Generator::State state = default_generator().state();
  noise = Tensor();
  y.backward();
  EXPECT_EQ(noise.to_vector<double>(), first);
  EXPECT_EQ(default_generator().state(), state);
}

TEST(Checkpoint, RunsTheFunctionOnceMoreAndOnlyIfNeeded) {
  int runs = 0;
  const Function function = [&](const Inputs& in) {
    ++runs;
    return exp(in[0]) * in[0];
  };
  const Variable x(Tensor::ones({3}, Dtype::F64), true);
  { checkpoint(function, {x}); }
  EXPECT_EQ(runs, 1);
  sum(checkpoint(function, {x})).backward();
  EXPECT_EQ(runs, 3);
  const NoGrad no_grad;
  EXPECT_FALSE(checkpoint(function, {x}).requires_grad());
  EXPECT_EQ(runs, 4);
}

TEST(Checkpoint, HoldsTheInputsOfBlocksOnly) {
  Rng rng(6);
  const std::int64_t width = 256, rows = 256;  // 512 KiB each activation
  // BLAS multiplies doubles: products of floats would leave their working memory behind.
  const Network network(rng, 8, width, Dtype::F64);
  const Variable x(testing::random_tensor(rng, {rows, width}, -1, 1, Dtype::F64));
  const auto held = [&](bool checkpointed) {
    const std::size_t before = memory_use().live;
    const Variable y = network(x, checkpointed);
    return memory_use().live - before;
  };
  const std::size_t activation = sizeof(double) * static_cast<std::size_t>(rows * width);
  EXPECT_EQ(held(true), 8 * activation);       // the results of the blocks
  EXPECT_GE(held(false), 8 * 5 * activation);  // tanh, sigmoid, product, softmax, result
}

TEST(Checkpoint, SaysThatAnInputWasModified) {
  const Variable x(Tensor::ones({3}, Dtype::F64), true);
  const Variable middle = x * 2;
  const Variable y = sum(checkpoint([](const Inputs& in) { return exp(in[0]); }, {middle}));
  Tensor(middle.value()).fill_(0);
  EXPECT_THAT(message_of<GraphError>([&] { y.backward(); }),
              AllOf(HasSubstr("checkpoint: F64 [3] was saved"), HasSubstr("modified in place")));
}

TEST(Checkpoint, SaysThatTheSecondRunDiffers) {
  const Variable x(Tensor::ones({3}, Dtype::F64), true);
  int run = 0;
  const auto backward_of = [&](const Function& function) {
    run = 0;
    return message_of<GraphError>([&] { sum(checkpoint(function, {x})).backward(); });
  };
  EXPECT_THAT(backward_of([&](const Inputs& in) { return run++ ? exp(exp(in[0])) : exp(in[0]); }),
              HasSubstr("checkpoint: the function saved 2 values or more in its second run and 1"));
  EXPECT_THAT(backward_of([&](const Inputs& in) { return run++ ? exp(in[0]) : exp(exp(in[0])); }),
              HasSubstr("checkpoint: the function saved 1 values"));
  EXPECT_THAT(backward_of([&](const Inputs& in) {
                return run++ ? exp(Variable(Tensor::ones({2}, Dtype::F64))) : exp(in[0]);
              }),
              HasSubstr("checkpoint: the function saved F64 [2] where it had saved F64 [3]"));
}

}  // namespace
}  // namespace gladius
