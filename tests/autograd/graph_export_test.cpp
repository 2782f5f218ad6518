#include "gladius/autograd/graph_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/matmul.h"
#include "gladius/autograd/ops/reduce.h"
#include "support/message_of.h"

namespace gladius {
namespace {

using ::testing::HasSubstr;
using testing::message_of;

TEST(GraphToDot, DrawsWhatHasGradients) {
  const Variable x(Tensor::ones({2, 3}));
  const Variable w(Tensor::ones({4, 3}), true);
  const Variable b(Tensor::ones({4}), true);
  const Variable y = linear(x, w) + b;
  EXPECT_EQ(graph_to_dot(sum(y * y), {{"layer.weight", w}, {"a \"b\"", b}}),
            "digraph gladius {\n"
            "  node [fontname=\"Helvetica\"];\n"
            "  n0 [shape=box, label=\"layer.weight\\nF32 [4, 3]\"];\n"
            "  n1 [shape=box, label=\"a \\\"b\\\"\\nF32 [4]\"];\n"
            "  n2 [shape=ellipse, label=\"linear\\nF32 [2, 4]\"];\n"
            "  n0 -> n2;\n"
            "  n3 [shape=ellipse, label=\"add\\nF32 [2, 4]\"];\n"
            "  n2 -> n3;\n"
            "  n1 -> n3;\n"
            "  n4 [shape=ellipse, label=\"mul\\nF32 [2, 4]\"];\n"
            "  n3 -> n4;\n"
            "  n3 -> n4;\n"
            "  n5 [shape=ellipse, label=\"sum\\nF32 []\"];\n"
            "  n4 -> n5;\n"
            "}\n");
}

TEST(GraphToDot, OfADeepGraph) {
  Variable y(Tensor::ones({}), true);
  for (int i = 0; i < 200'000; ++i) y = y + 1;
  EXPECT_THAT(graph_to_dot(y), HasSubstr("  n199999 -> n200000;\n"));
}

TEST(GraphToDot, NeedsAGraph) {
  EXPECT_THAT(message_of<GraphError>([] { graph_to_dot(Variable(Tensor::ones({2}))); }),
              HasSubstr("graph_to_dot: F32 [2] has no graph"));
}

}  // namespace
}  // namespace gladius
