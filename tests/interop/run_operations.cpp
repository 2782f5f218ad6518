// Runs operations, for the comparison with PyTorch (operations_test.py):
//   run_operations CASES.jsonl TENSORS.safetensors OUT.safetensors
// A case is a line {"op", "inputs", "attributes", "seeds", "weights"}:
//   inputs   null (undefined) or {"name", "views", "grad"}: a stored tensor seen through the views,
//            a leaf that requires a gradient or not
//   seeds    names, one an output; null for an output that is not differentiated
//   weights  names, one a gradient, for a second differentiation (of the gradients' weighted sum,
//            with respect to the inputs and the seeds); null for none
// Case i writes the tensors "i/output/n", "i/grad/n" (numbered as the inputs) and "i/second/n"
// (inputs with gradients, then seeds), undefined ones left out, and a line of standard output: {}
// or {"error", "message"}.
#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include "gladius/autograd/ops/arithmetic.h"
#include "gladius/autograd/ops/reduce.h"
#include "gladius/tensor/io/safetensors.h"
#include "interop/operations.h"

namespace gladius {
namespace {

Tensor seen_through(const Json& views, Tensor x) {
  for (const Json& view : views) {
    const auto name = view.at(0).get<std::string>();
    const auto number = [&](std::size_t i) { return view.at(i).get<std::int64_t>(); };
    if (name == "transpose") {
      x = x.transpose(number(1), number(2));
    } else if (name == "narrow") {
      x = x.narrow(number(1), number(2), number(3), number(4));
    } else if (name == "expand") {
      x = x.expand(view.at(1).get<Shape>());
    } else {
      throw ConfigError("run_operations: unknown view " + name);
    }
  }
  return x;
}

Variable leaf(const SafetensorsFile& file, const Json& input) {
  if (input.is_null()) return {};
  return Variable(seen_through(input.at("views"), file.tensor(input.at("name").get<std::string>())),
                  input.at("grad").get<bool>());
}

Variables named_leaves(const SafetensorsFile& file, const Json& names, bool requires_grad) {
  Variables leaves;
  for (const Json& name : names) {
    if (!name.is_null()) leaves.emplace_back(file.tensor(name.get<std::string>()), requires_grad);
  }
  return leaves;
}

// What a case leaves in the file.
class Recorder {
 public:
  explicit Recorder(std::size_t index) : index_(index) {}
  void add(const char* kind, std::size_t number, const Variable& x) {
    if (x.defined())
      tensors_.emplace_back(fmt::format("{}/{}/{}", index_, kind, number), x.value());
  }
  NamedTensors take() { return std::move(tensors_); }

 private:
  std::size_t index_;
  NamedTensors tensors_;
};

NamedTensors run(const Json& request, const SafetensorsFile& file, std::size_t index) {
  Variables inputs;
  for (const Json& input : request.at("inputs")) inputs.push_back(leaf(file, input));
  const Variables outputs = operations().at(request.at("op").get<std::string>())(
      inputs, AttributeMap(request.at("attributes")));
  Recorder recorder(index);
  for (std::size_t i = 0; i < outputs.size(); ++i) recorder.add("output", i, outputs[i]);

  const Json& seed_names = request.at("seeds");
  const bool second = !request.at("weights").is_null();
  const Variables seeds = named_leaves(file, seed_names, second);
  if (seeds.empty()) return recorder.take();
  Variables differentiated, wanted;
  std::vector<std::size_t> places;  // of the wanted inputs
  for (std::size_t i = 0; i < seed_names.size(); ++i) {
    if (!seed_names[i].is_null()) differentiated.push_back(outputs.at(i));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined() || !inputs[i].requires_grad()) continue;
    wanted.push_back(inputs[i]);
    places.push_back(i);
  }
  const Variables gradients = grad(differentiated, wanted, seeds, second, second);
  for (std::size_t i = 0; i < wanted.size(); ++i) recorder.add("grad", places[i], gradients[i]);
  if (!second) return recorder.take();

  const Variables weights = named_leaves(file, request.at("weights"), false);
  Variable total(Tensor::zeros({}, Dtype::F64));
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i].defined()) total = total + sum(gradients[i] * weights.at(i));
  }
  if (!total.requires_grad()) return recorder.take();  // it is constant
  wanted.insert(wanted.end(), seeds.begin(), seeds.end());
  const Variables second_gradients = grad({total}, wanted);
  for (std::size_t i = 0; i < wanted.size(); ++i) recorder.add("second", i, second_gradients[i]);
  return recorder.take();
}

const char* type_of(const std::exception& error) {
  if (dynamic_cast<const ShapeError*>(&error) != nullptr) return "ShapeError";
  if (dynamic_cast<const DtypeError*>(&error) != nullptr) return "DtypeError";
  if (dynamic_cast<const GraphError*>(&error) != nullptr) return "GraphError";
  if (dynamic_cast<const ConfigError*>(&error) != nullptr) return "ConfigError";
  return dynamic_cast<const Error*>(&error) != nullptr ? "Error" : "std::exception";
}

void run_all(const char* cases, const char* tensors, const char* out) {
  const SafetensorsFile file = SafetensorsFile::open(tensors);
  std::ifstream requests(cases);
  NamedTensors results;
  std::string line;
  for (std::size_t index = 0; std::getline(requests, line); ++index) {
    Json answer = Json::object();
    try {
      std::ranges::move(run(Json::parse(line), file, index), std::back_inserter(results));
    } catch (const std::exception& error) {  // one that is not ours is the test's to complain about
      answer = {{"error", type_of(error)}, {"message", error.what()}};
    }
    std::cout << answer.dump() << '\n';
  }
  write_safetensors(out, results);
}

}  // namespace
}  // namespace gladius

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: run_operations CASES.jsonl TENSORS.safetensors OUT.safetensors\n";
    return 2;
  }
  gladius::run_all(argv[1], argv[2], argv[3]);
  return 0;
}
