#include "gladius/train/loop/sharded_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

using Json = nlohmann::ordered_json;

std::string slice_name(const std::string& parameter, std::int64_t begin) {
  return fmt::format("{}#{}", parameter, begin);
}

// Puts "NAME#BEGIN.KEY" where it belongs in "NAME.KEY".
class Merger {
 public:
  explicit Merger(const std::vector<nn::NamedParameter>& parameters) {
    for (const auto& parameter : parameters) shapes_[parameter.name] = parameter.value.shape();
  }
  void add(const std::string& name, const Tensor& tensor) {
    const std::size_t hash = name.rfind('#'), dot = name.find('.', hash);
    const auto shape = shapes_.find(name.substr(0, hash));
    if (hash == std::string::npos || dot == std::string::npos || shape == shapes_.end()) {
      throw FormatError(fmt::format("optimizer: no state of a slice is called {}", name));
    }
    const std::string whole = shape->first + name.substr(dot);
    if (name.substr(dot) == ".step") {
      tensors_[whole] = tensor;
      return;
    }
    Tensor& all = tensors_[whole];
    if (!all.defined()) all = Tensor::zeros(shape->second, tensor.dtype());
    const std::int64_t begin = std::stoll(name.substr(hash + 1, dot - hash - 1));
    Tensor part = all.reshape({-1}).narrow(0, begin, tensor.numel());
    part.copy_(tensor);
  }
  NamedTensors take() { return {tensors_.begin(), tensors_.end()}; }

 private:
  std::map<std::string, Shape> shapes_;
  std::map<std::string, Tensor> tensors_;
};

std::span<std::byte> bytes_of(const Tensor& tensor) { return {tensor.raw_data(), tensor.nbytes()}; }

}  // namespace

std::vector<nn::NamedParameter> slice_parameters(const std::vector<nn::NamedParameter>& parameters,
                                                 const Slices& slices) {
  std::vector<nn::NamedParameter> sliced;
  for (const auto& [index, begin, end] : slices) {
    const nn::NamedParameter& whole = parameters.at(index);
    const Tensor part = whole.value.value().reshape({-1}).narrow(0, begin, end - begin);
    sliced.push_back({slice_name(whole.name, begin), Variable(part, true), whole.role});
  }
  return sliced;
}

void slice_gradients(const std::vector<nn::NamedParameter>& sliced, const Slices& slices,
                     const std::vector<Variable>& parameters) {
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const auto& [index, begin, end] = slices[i];
    const Tensor gradient = parameters.at(index).grad();
    Variable slice = sliced[i].value;
    if (gradient.defined()) {
      slice.set_grad(gradient.reshape({-1}).narrow(0, begin, end - begin));
    } else {
      slice.zero_grad();
    }
  }
}

NamedTensors slice_state(const NamedTensors& state,
                         const std::vector<nn::NamedParameter>& parameters, const Slices& slices) {
  NamedTensors own;
  for (const auto& [index, begin, end] : slices) {
    const std::string& parameter = parameters.at(index).name;
    for (const auto& [name, tensor] : state) {
      const std::size_t dot = name.rfind('.');
      if (name.substr(0, dot) != parameter) continue;
      const std::string key = name.substr(dot);
      const bool is_step = key == ".step";
      if (!is_step && tensor.numel() != parameters[index].value.numel()) {
        throw FormatError(fmt::format("optimizer: state {} is {}", name, tensor.describe()));
      }
      own.emplace_back(slice_name(parameter, begin) + key,
                       is_step ? tensor : tensor.reshape({-1}).narrow(0, begin, end - begin));
    }
  }
  return own;
}

NamedTensors gather_state(cluster::Communicator& ranks, const NamedTensors& own,
                          const std::vector<nn::NamedParameter>& parameters) {
  if (ranks.rank() != 0) {
    Json list = Json::array();
    for (const auto& [name, tensor] : own) {
      list.push_back({name, dtype_name(tensor.dtype()), tensor.numel()});
    }
    ranks.send_text(0, list.dump());
    for (const auto& [name, tensor] : own) ranks.send(0, bytes_of(tensor.contiguous()));
    return {};
  }
  Merger merger(parameters);
  for (const auto& [name, tensor] : own) merger.add(name, tensor);
  for (int rank = 1; rank < ranks.size(); ++rank) {
    for (const Json& one : Json::parse(ranks.receive_text(rank))) {
      const Tensor tensor = Tensor::empty({one.at(2).get<std::int64_t>()},
                                          dtype_from_name(one.at(1).get<std::string>()));
      ranks.receive(rank, bytes_of(tensor));
      merger.add(one.at(0).get<std::string>(), tensor);
    }
  }
  return merger.take();
}

}  // namespace gladius::train
