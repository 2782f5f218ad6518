#include "gladius/models/chat_template/ast.h"

#include <algorithm>

namespace gladius::text::jinja {

int depth_of(const ExprPtr& expr) { return expr ? expr->depth : 0; }

int depth_of(const std::vector<ExprPtr>& exprs) {
  int depth = 0;
  for (const ExprPtr& expr : exprs) depth = std::max(depth, depth_of(expr));
  return depth;
}

int depth_of(const CallArguments& arguments) {
  int depth = depth_of(arguments.positional);
  for (const auto& [name, value] : arguments.named) depth = std::max(depth, depth_of(value));
  return depth;
}

}  // namespace gladius::text::jinja
