#include "gladius/train/loop/gradient_parts.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace gladius::train {
namespace {

bool is_layer_number(std::string_view name) {
  return !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
}

// A layer's name ends with its number, any other part's is the parameter's without "weight".
std::string part_of(std::string_view parameter) {
  constexpr std::string_view kModel = "model.";
  if (parameter.starts_with(kModel)) parameter.remove_prefix(kModel.size());
  for (std::size_t begin = 0; begin < parameter.size();) {
    const std::size_t end = std::min(parameter.find('.', begin), parameter.size());
    if (is_layer_number(parameter.substr(begin, end - begin)))
      return std::string(parameter.substr(0, end));
    begin = end + 1;
  }
  return std::string(parameter.substr(0, parameter.rfind('.')));
}

}  // namespace

GradientParts::GradientParts(const NamedVariables& parameters) {
  for (const auto& [name, parameter] : parameters) {
    const std::string part = part_of(name);
    const auto found = std::ranges::find(names_, part);
    part_of_.push_back(static_cast<std::size_t>(found - names_.begin()));
    if (found == names_.end()) names_.push_back(part);
  }
}

std::vector<std::pair<std::string, double>> GradientParts::norms(
    const std::vector<double>& squares) const {
  std::vector<std::pair<std::string, double>> norms;
  for (const std::string& name : names_) norms.emplace_back(name, 0);
  for (std::size_t i = 0; i < part_of_.size(); ++i) norms[part_of_[i]].second += squares.at(i);
  for (auto& [name, norm] : norms) norm = std::sqrt(norm);
  return norms;
}

}  // namespace gladius::train
