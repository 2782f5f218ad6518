// The operations that run_operations compares with PyTorch.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/autograd/variable.h"

namespace gladius {

using Json = nlohmann::json;
using Variables = std::vector<Variable>;

// The attributes of a case, by name.
class AttributeMap {
 public:
  explicit AttributeMap(const Json& json) : json_(json) {}
  std::int64_t integer(const char* name) const { return json_.at(name).get<std::int64_t>(); }
  double number(const char* name) const { return json_.at(name).get<double>(); }
  bool flag(const char* name) const { return json_.at(name).get<bool>(); }
  std::string text(const char* name) const { return json_.at(name).get<std::string>(); }
  std::vector<std::int64_t> list(const char* name) const {
    return json_.at(name).get<std::vector<std::int64_t>>();
  }

 private:
  const Json& json_;
};

using Inputs = const Variables&;
using Attributes = const AttributeMap&;
using Operation = std::function<Variables(Inputs, Attributes)>;

/// Every operation by the name that the cases give it.
const std::map<std::string, Operation>& operations();

}  // namespace gladius
