#include "gladius/autograd/graph_export.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "gladius/autograd/node.h"

namespace gladius {
namespace {

std::string escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// All nodes at and above `output`, the oldest first.
std::vector<const Node*> nodes_above(const Node* output) {
  std::vector<const Node*> nodes{output};
  std::unordered_set<const Node*> seen{output};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const auto& input : nodes[i]->inputs()) {
      if (input && seen.insert(input.get()).second) nodes.push_back(input.get());
    }
  }
  std::ranges::sort(nodes, {}, &Node::sequence);
  return nodes;
}

}  // namespace

std::string graph_to_dot(const Variable& output, const NamedVariables& names) {
  if (!output.requires_grad()) {
    throw GraphError(
        fmt::format("graph_to_dot: {} has no graph: nothing it is made of requires a "
                    "gradient",
                    output.value().describe()));
  }
  std::unordered_map<const Node*, std::string> titles;
  for (const auto& [name, variable] : names) titles.emplace(variable.node().get(), escape(name));

  const std::vector<const Node*> nodes = nodes_above(output.node().get());
  std::unordered_map<const Node*, std::size_t> ids;
  std::string dot = "digraph gladius {\n  node [fontname=\"Helvetica\"];\n";
  for (const Node* node : nodes) {
    const std::size_t id = ids.emplace(node, ids.size()).first->second;
    const auto title = titles.find(node);
    dot += fmt::format("  n{} [shape={}, label=\"{}\\n{} {}\"];\n", id,
                       node->is_leaf() ? "box" : "ellipse",
                       title == titles.end() ? node->name() : title->second,
                       dtype_name(node->dtype()), to_string(node->shape()));
    for (const auto& input : node->inputs()) {
      if (input) dot += fmt::format("  n{} -> n{};\n", ids.at(input.get()), id);
    }
  }
  return dot + "}\n";
}

}  // namespace gladius
