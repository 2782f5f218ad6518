#include "gladius/train/loop/growth.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/elementwise.h"
#include "gladius/tensor/reduce.h"
#include "gladius/train/loop/init_from.h"

namespace gladius::train {
namespace {

// What the rows or columns of a tensor stand for.
enum class Axis { hidden, query, key, inner, vocabulary, all };

// The tensors of a layer: what their dimensions are, and whether they write to the residual stream.
struct Kind {
  std::string_view name;
  std::array<Axis, 2> axes;
  bool writes = false;
};

constexpr std::array kKinds{
    Kind{".self_attn.q_proj.weight", {Axis::query, Axis::hidden}},
    Kind{".self_attn.k_proj.weight", {Axis::key, Axis::hidden}},
    Kind{".self_attn.v_proj.weight", {Axis::key, Axis::hidden}},
    Kind{".self_attn.q_proj.bias", {Axis::query, Axis::all}},
    Kind{".self_attn.k_proj.bias", {Axis::key, Axis::all}},
    Kind{".self_attn.v_proj.bias", {Axis::key, Axis::all}},
    Kind{".self_attn.q_norm.weight", {Axis::all, Axis::all}},
    Kind{".self_attn.k_norm.weight", {Axis::all, Axis::all}},
    Kind{".self_attn.o_proj.weight", {Axis::hidden, Axis::query}, true},
    Kind{".self_attn.o_proj.bias", {Axis::hidden, Axis::all}, true},
    Kind{".mlp.gate_proj.weight", {Axis::inner, Axis::hidden}},
    Kind{".mlp.up_proj.weight", {Axis::inner, Axis::hidden}},
    Kind{".mlp.gate_proj.bias", {Axis::inner, Axis::all}},
    Kind{".mlp.up_proj.bias", {Axis::inner, Axis::all}},
    Kind{".mlp.down_proj.weight", {Axis::hidden, Axis::inner}, true},
    Kind{".mlp.down_proj.bias", {Axis::hidden, Axis::all}, true},
};

Kind kind_of(const nn::NamedParameter& own) {
  using enum nn::ParameterRole;
  if (own.role == embedding || own.role == head) return {"", {Axis::vocabulary, Axis::hidden}};
  if (const auto place = LayerName::of(own.name)) {
    const auto found = std::ranges::find(kKinds, place->after, &Kind::name);
    if (found != kKinds.end()) return *found;
  }
  return {"", {Axis::hidden, Axis::all}};  // the norms
}

// Neighbours that stay neighbours.
struct Run {
  std::int64_t from, to, length;
};

std::vector<Run> runs_of(Axis axis, std::int64_t length, const ModelConfig& student,
                         const ModelConfig& model) {
  if (axis != Axis::query) return {{0, 0, length}};
  // The queries of a key stay with it.
  const std::int64_t own = student.num_attention_heads / student.num_key_value_heads,
                     theirs = model.num_attention_heads / model.num_key_value_heads;
  std::vector<Run> runs;
  for (std::int64_t key = 0; key < model.num_key_value_heads; ++key) {
    runs.push_back(
        {key * theirs * model.head_dim, key * own * model.head_dim, theirs * model.head_dim});
  }
  return runs;
}

void place(Tensor into, const Tensor& theirs, const Kind& kind, const ModelConfig& student,
           const ModelConfig& model) {
  for (const Run& rows : runs_of(kind.axes[0], theirs.size(0), student, model)) {
    const Tensor to = into.narrow(0, rows.to, rows.length);
    const Tensor from = theirs.narrow(0, rows.from, rows.length);
    if (theirs.dim() == 1) {
      Tensor(to).copy_(from);
      continue;
    }
    for (const Run& columns : runs_of(kind.axes[1], theirs.size(1), student, model)) {
      to.narrow(1, columns.to, columns.length).copy_(from.narrow(1, columns.from, columns.length));
    }
  }
}

// Rows of the ids that the model has, silent in the dimensions that it lacks; where the table is
// the head, ids that it lacks get the mean of its rows, as transformers' resize_token_embeddings
// does.
void place_table(Tensor own, const Tensor& theirs, bool embeds, bool heads) {
  const std::int64_t ids = std::min(own.size(0), theirs.size(0)), width = theirs.size(1);
  Tensor known = own.narrow(0, 0, ids);
  if (embeds) known.zero_();
  known.narrow(1, 0, width).copy_(theirs.narrow(0, 0, ids));
  if (!heads || ids == own.size(0)) return;
  Tensor unknown = own.narrow(0, ids, own.size(0) - ids);
  if (embeds) unknown.zero_();
  unknown.narrow(1, 0, width)
      .copy_(mean(theirs, {0}, /*keepdim=*/true).expand({unknown.size(0), width}));
}

void require(bool fits, const std::string& what) {
  if (fits) return;
  throw ConfigError("student.init_from.grow: " + what);
}

void require_room(const char* key, std::int64_t own, std::int64_t theirs) {
  require(
      own >= theirs,
      fmt::format("the student's {} is {}, the model's {}; a student that grows from a model is "
                  "at least as large",
                  key, own, theirs));
}

template <typename T>
void require_equal(const char* key, const T& own, const T& theirs) {
  require(own == theirs, fmt::format("the student's {} is {}, the model's {}; they must be equal",
                                     key, own, theirs));
}

void check_places(const ModelConfig& student, const ModelConfig& model,
                  const std::vector<std::int64_t>& layers) {
  std::vector<std::int64_t> used;
  std::ranges::copy_if(layers, std::back_inserter(used),
                       [](std::int64_t layer) { return layer != kNoLayer; });
  std::vector<std::int64_t> all(static_cast<std::size_t>(model.num_hidden_layers));
  std::ranges::generate(all, [next = std::int64_t{0}]() mutable { return next++; });
  require(
      std::ssize(layers) == student.num_hidden_layers && used == all,
      fmt::format("layers must have a number for each of the student's {} layers: the model's 0 "
                  "to {}, each once and in order, and -1 for those that add nothing at first",
                  student.num_hidden_layers, model.num_hidden_layers - 1));
}

bool has_windows(const ModelConfig& config) {
  return std::ranges::any_of(config.attention_windows, [](std::int64_t w) { return w != 0; });
}

}  // namespace

std::vector<std::int64_t> spread_growth(std::int64_t count, std::int64_t available) {
  std::vector<std::int64_t> layers(static_cast<std::size_t>(count), kNoLayer);
  const std::vector<std::int64_t> places =
      available > 1 ? spread_layers(available, count) : std::vector<std::int64_t>{0};
  for (std::size_t i = 0; i < places.size() && std::ssize(places) <= count; ++i) {
    layers[static_cast<std::size_t>(places[i])] = static_cast<std::int64_t>(i);
  }
  return layers;
}

void check_growth(const ModelConfig& student, const ModelConfig& model,
                  const std::vector<std::int64_t>& layers) {
  require_equal("head_dim", student.head_dim, model.head_dim);
  require_room("hidden_size", student.hidden_size, model.hidden_size);
  require_room("intermediate_size", student.intermediate_size, model.intermediate_size);
  require_room("num_hidden_layers", student.num_hidden_layers, model.num_hidden_layers);
  require_room("num_key_value_heads", student.num_key_value_heads, model.num_key_value_heads);
  require_room("number of heads a key", student.num_attention_heads / student.num_key_value_heads,
               model.num_attention_heads / model.num_key_value_heads);
  require_room("vocab_size", student.vocab_size, model.vocab_size);
  require_equal("rms_norm_eps", student.rms_norm_eps, model.rms_norm_eps);
  require_equal("model_type", student.model_type, model.model_type);
  require(
      !student.tie_word_embeddings || model.tie_word_embeddings,
      "the student's head is its embedding (tie_word_embeddings), and the model has two tables");
  require_equal("attention bias", student.qkv_bias, model.qkv_bias);
  require_equal("rope type", student.rope.type, model.rope.type);
  require_equal("rope_theta", student.rope.theta, model.rope.theta);
  require(student.rope.type == "default", "positions with a scaling of their own do not grow");
  require(!has_windows(student) && !has_windows(model), "windows of attention do not grow");
  check_places(student, model, layers);
}

Grown grow(const nn::NamedParameter& own, const ModelConfig& student, const ModelConfig& model,
           const ModelSource& source) {
  using enum nn::ParameterRole;
  const Kind kind = kind_of(own);
  Tensor value = own.value.value(), theirs = source.find(own);
  if (kind.writes) value.zero_();
  if (!theirs.defined()) return {.silent = kind.writes};
  theirs = theirs.to(Dtype::F32);
  if (kind.axes[0] == Axis::vocabulary) {
    const bool tied = student.tie_word_embeddings;
    place_table(value, theirs, tied || own.role == embedding, tied || own.role == head);
  } else if (own.role == norm && kind.axes[0] == Axis::hidden) {
    // The mean of squares is over more dimensions, of which the new ones are zero.
    const double ratio =
        static_cast<double>(model.hidden_size) / static_cast<double>(student.hidden_size);
    value.narrow(0, 0, theirs.size(0)).copy_(mul(theirs, std::sqrt(ratio)));
  } else {
    place(value, theirs, kind, student, model);
  }
  return {.taken = theirs.numel()};
}

}  // namespace gladius::train
