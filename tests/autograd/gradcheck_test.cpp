#include "gladius/autograd/gradcheck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/autograd/node.h"
#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/functions.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/tensor/elementwise.h"
#include "support/message_of.h"
#include "support/random.h"

namespace gladius {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Inputs = std::vector<Variable>;

// x^2, whose gradient is off by `error` at element 1.
Variable faulty_square(const Variable& x, double error) {
  Tensor faults = Tensor::zeros(x.shape(), x.dtype());
  faults.select(0, 1).fill_(error);
  return record("faulty_square", mul(x.value(), x.value()), {x},
                [=, saved = SavedVariable(x)](const Variable& g, const BackwardContext& context) {
                  return std::vector{g * (saved.unpack(context) * 2 + Variable(faults))};
                });
}

// x^2, whose gradient is right but does not depend on x.
Variable forgetful_square(const Variable& x) {
  return record("forgetful_square", mul(x.value(), x.value()), {x},
                [=](const Variable& g, const BackwardContext&) {
                  return std::vector{g * Variable(mul(x.value(), 2))};
                });
}

Inputs three_numbers() { return {Variable(Tensor::from<double>({1, 2, 3}, {3}), true)}; }

TEST(Gradcheck, PassesRightGradients) {
  EXPECT_NO_THROW(
      gradcheck([](const Inputs& in) { return faulty_square(in[0], 0); }, three_numbers()));
}

TEST(Gradcheck, NamesTheElementThatIsWrong) {
  EXPECT_THAT(message_of<GraphError>([] {
                gradcheck([](const Inputs& in) { return in[0] * faulty_square(in[1], 1e-3); },
                          {Variable(Tensor::ones({3}, Dtype::F64)), three_numbers()[0]});
              }),
              AllOf(HasSubstr("gradcheck: input 1 F64 [3], element 1: gradient "),
                    HasSubstr("difference ")));
}

TEST(Gradcheck, KnowsTheToleranceItIsGiven) {
  const auto check = [](double atol) {
    gradcheck([](const Inputs& in) { return faulty_square(in[0], 1e-3); }, three_numbers(),
              {.atol = atol, .rtol = 0});
  };
  EXPECT_THROW(check(1e-4), GraphError);
  EXPECT_NO_THROW(check(1e-2));
}

TEST(Gradcheck, CountsAMissingGradientAsZero) {
  EXPECT_NO_THROW(gradcheck([](const Inputs& in) { return in[0] + 0.0 * in[1].detach(); },
                            {three_numbers()[0], three_numbers()[0]}));
  EXPECT_THAT(message_of<GraphError>([] {
                gradcheck([](const Inputs& in) { return in[0] * in[1].detach(); },
                          {three_numbers()[0], three_numbers()[0]});
              }),
              HasSubstr("input 1 F64 [3], element 0: gradient 0,"));
}

TEST(Gradcheck, CatchesGradientsThatAreNoNumbers) {
  EXPECT_THROW(gradcheck([](const Inputs& in) { return faulty_square(in[0], std::nan("")); },
                         three_numbers()),
               GraphError);
}

TEST(Gradcheck, TakesExpandedInputsAndLeavesThemAlone) {
  const Tensor x = Tensor::from<double>({2}, {1}).expand({4});
  EXPECT_NO_THROW(gradcheck([](const Inputs& in) { return in[0] * in[0]; }, {Variable(x, true)}));
  EXPECT_THAT(x.to_vector<double>(), ::testing::Each(2));
}

TEST(Gradcheck, NeedsDoubles) {
  EXPECT_THAT(message_of<DtypeError>([] {
                gradcheck([](const Inputs& in) { return in[0]; },
                          {Variable(Tensor::ones({2}), true)});
              }),
              HasSubstr("input F32 [2] is not F64"));
}

TEST(Gradgradcheck, CatchesASecondDerivativeThatIsMissing) {
  const auto forgetful = [](const Inputs& in) { return forgetful_square(in[0]); };
  EXPECT_NO_THROW(gradcheck(forgetful, three_numbers()));
  EXPECT_THAT(message_of<GraphError>([&] { gradgradcheck(forgetful, three_numbers()); }),
              HasSubstr("element 0: gradient 0, difference 3.02"));  // 2, weighted twice
  EXPECT_NO_THROW(
      gradgradcheck([](const Inputs& in) { return faulty_square(in[0], 0); }, three_numbers()));
}

}  // namespace
}  // namespace gladius
