#include "gladius/models/chat_template/interpreter.h"

#include <fmt/format.h>

#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "gladius/models/chat_template/marked_text.h"
#include "gladius/models/chat_template/print.h"

namespace gladius::text::jinja {
namespace {

// The variables of one block; names belong to the syntax tree.
struct Scope {
  std::shared_ptr<Scope> parent;
  std::unordered_map<std::string_view, Value> variables;
};

enum class Flow { kNormal, kBreak, kContinue };

class Interpreter {
 public:
  Interpreter(const Source& source, const nlohmann::ordered_json& context)
      : source_(source), scope_(std::make_shared<Scope>()) {
    try {
      context_ = from_json(runtime_.budget, context);
      messages_ = Messages(context_.dict()->find(Value("messages")));
    } catch (const Failure& failure) {
      source_.raise(failure, 0);
    }
  }

  ~Interpreter() {
    // Namespaces and the scopes that macros hold can own one another.
    for (const auto& space : runtime_.namespaces) space->attributes.clear();
    for (const auto& scope : captured_) scope->variables.clear();
  }

  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  Rendering run(const Body& body) {
    execute(body);
    return out_.take();
  }

  // --- statements ---

  Flow operator()(const Data& node) {
    write(node.text);
    return Flow::kNormal;
  }

  Flow operator()(const Output& node) {
    write_value(evaluate(node.value));
    return Flow::kNormal;
  }

  Flow operator()(const If& node) {
    for (const auto& [condition, body] : node.branches) {
      if (truthy(evaluate(condition))) return execute(body);
    }
    return execute(node.otherwise);
  }

  Flow operator()(const For& node) {
    const auto items = loop_items(node);
    const auto outer = out_.message();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const ScopeGuard guard(*this, scope_);
      scope_->variables["loop"] = Value(std::make_shared<const Loop>(Loop{items, i}));
      assign(node.target, items[i]);
      out_.set_message(messages_.of_turn(items, i, outer));
      const Flow flow = execute(node.body);
      out_.set_message(outer);
      if (flow == Flow::kBreak) break;
    }
    if (!items.empty()) return Flow::kNormal;
    const ScopeGuard guard(*this, scope_);
    return execute(node.otherwise);
  }

  Flow operator()(const Set& node) {
    assign(node.target, evaluate(node.value));
    return Flow::kNormal;
  }

  Flow operator()(const SetBlock& node) {
    const auto [text, flow] = capture(node.body);
    if (flow != Flow::kNormal) return flow;
    block_content_ = text;
    assign(node.target, evaluate(node.value));
    return Flow::kNormal;
  }

  Flow operator()(const FilterBlock& node) {
    const auto [text, flow] = capture(node.body);
    if (flow != Flow::kNormal) return flow;
    block_content_ = text;
    write_value(evaluate(node.value));
    return Flow::kNormal;
  }

  Flow operator()(const Macro& node) {
    runtime_.budget.step(kKeptSteps);
    captured_.insert(scope_);
    auto call = [this, &node, closure = scope_](Runtime&, Arguments arguments) {
      return call_macro(node, closure, std::move(arguments));
    };
    scope_->variables[node.name] =
        Value(std::make_shared<const Callable>(Callable{node.name, std::move(call)}));
    return Flow::kNormal;
  }

  Flow operator()(const With& node) {
    Values values;  // evaluated outside the new scope
    for (const auto& [target, value] : node.bindings) values.push_back(evaluate(value));
    const ScopeGuard guard(*this, scope_);
    for (std::size_t i = 0; i < values.size(); ++i) assign(node.bindings[i].first, values[i]);
    return execute(node.body);
  }

  Flow operator()(const Generation& node) {
    const ScopeGuard guard(*this, scope_);
    const std::size_t begin = out_.size();
    const Flow flow = execute(node.body);
    out_.mark_generated(begin);
    return flow;
  }

  Flow operator()(const Break&) { return Flow::kBreak; }
  Flow operator()(const Continue&) { return Flow::kContinue; }

  // --- expressions ---

  Value operator()(const Literal& node) { return node.value; }

  Value operator()(const Variable& node) {
    for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
      const auto found = scope->variables.find(node.name);
      if (found != scope->variables.end()) return found->second;
    }
    if (const Value* given = context_.dict()->find(Value(node.name))) return *given;
    if (auto global = find_global(node.name)) return *global;
    return Value::undefined(fmt::format("'{}' is undefined", node.name));
  }

  Value operator()(const BlockContent&) { return std::exchange(block_content_, Value()); }

  Value operator()(const ListOf& node) { return make_sequence(evaluate(node.items), node.kind); }

  Value operator()(const DictOf& node) {
    Dict dict;
    for (const auto& [key, value] : node.items) {
      Value name = evaluate(key);
      charge_text(runtime_.budget, name);
      dict.set(std::move(name), evaluate(value));
    }
    return make_dict(std::move(dict));
  }

  Value operator()(const Negation& node) { return !truthy(evaluate(node.operand)); }

  Value operator()(const Sign& node) {
    const Value value = evaluate(node.operand);
    if (node.minus) return negate(value);
    return apply(runtime_.budget, BinaryOperator::kAdd, Value(0), value);
  }

  Value operator()(const Binary& node) {
    const Value left = evaluate(node.left);
    return apply(runtime_.budget, node.op, left, evaluate(node.right));
  }

  Value operator()(const Logical& node) {
    Value left = evaluate(node.left);
    return truthy(left) == node.conjunction ? evaluate(node.right) : left;
  }

  Value operator()(const Concatenation& node) {
    std::string out;
    for (const ExprPtr& part : node.parts) {
      out += to_text(runtime_.budget, evaluate(part));
      runtime_.budget.text(out.size());
    }
    return out;
  }

  Value operator()(const Comparison& node) {
    Value left = evaluate(node.first);
    for (const auto& [op, operand] : node.rest) {
      Value right = evaluate(operand);
      if (!compare(runtime_.budget, op, left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  Value operator()(const Conditional& node) {
    if (truthy(evaluate(node.condition))) return evaluate(node.then);
    if (node.otherwise) return evaluate(node.otherwise);
    return Value::undefined("the inline if is false and has no else");
  }

  Value operator()(const Attribute& node) {
    return get_attribute(evaluate(node.object), node.name);
  }

  Value operator()(const Subscript& node) {
    const Value object = evaluate(node.object);
    const Value key = evaluate(node.key);
    charge_text(runtime_.budget, object);
    charge_text(runtime_.budget, key);
    return get_item(object, key);
  }

  Value operator()(const Slice& node) {
    const Value object = evaluate(node.object);
    const auto start = slice_part(node.start);
    const auto stop = slice_part(node.stop);
    return get_slice(runtime_.budget, object, start, stop, slice_part(node.step));
  }

  Value operator()(const Call& node) {
    const Value callee = evaluate(node.callee);
    require_defined(callee);
    if (!callee.callable()) fail(fmt::format("'{}' object is not callable", type_name(callee)));
    return callee.callable()->call(runtime_, evaluate(node.arguments));
  }

  Value operator()(const FilterCall& node) {
    const Value input = evaluate(node.input);
    return node.filter(runtime_, input, evaluate(node.arguments));
  }

  Value operator()(const TestCall& node) {
    const Value input = evaluate(node.input);
    return node.test(runtime_, input, evaluate(node.arguments));
  }

 private:
  // A new scope within `parent`, left at the end of the block.
  class ScopeGuard {
   public:
    ScopeGuard(Interpreter& interpreter, std::shared_ptr<Scope> parent)
        : interpreter_(interpreter), outer_(interpreter.scope_) {
      interpreter.scope_ = std::make_shared<Scope>(Scope{std::move(parent), {}});
    }
    ~ScopeGuard() { interpreter_.scope_ = std::move(outer_); }
    ScopeGuard(const ScopeGuard&) = delete;
    ScopeGuard& operator=(const ScopeGuard&) = delete;

   private:
    Interpreter& interpreter_;
    std::shared_ptr<Scope> outer_;
  };

  // Runs one node, counted; a failure within gets the node's place.
  template <class Node>
  auto at(const Node& node) {
    try {
      runtime_.budget.step();
      if (depth_ >= kMaxCallDepth) fail("the template calls itself too deeply");
      ++depth_;
      auto result = std::visit(*this, node.node);
      --depth_;
      return result;
    } catch (const Failure& failure) {
      source_.raise(failure, node.offset);
    }
  }

  Flow execute(const Body& body) {
    for (const Statement& statement : body) {
      if (const Flow flow = at(statement); flow != Flow::kNormal) return flow;
    }
    return Flow::kNormal;
  }

  Value evaluate(const ExprPtr& expr) { return at(*expr); }

  Values evaluate(const std::vector<ExprPtr>& exprs) {
    Values out;
    for (const ExprPtr& expr : exprs) out.push_back(evaluate(expr));
    return out;
  }

  Arguments evaluate(const CallArguments& arguments) {
    Arguments out{evaluate(arguments.positional), {}};
    for (const auto& [name, value] : arguments.named) out.named.emplace_back(name, evaluate(value));
    return out;
  }

  std::optional<std::int64_t> slice_part(const ExprPtr& expr) {
    if (!expr) return std::nullopt;
    const Value value = evaluate(expr);
    if (value.is_none()) return std::nullopt;
    require_defined(value);
    const auto index = as_integer(value);
    if (!index) fail("a slice takes integers or None");
    return index;
  }

  Elements loop_items(const For& node) {
    auto items = iterate(runtime_.budget, evaluate(node.items));
    if (!node.filter) return items;
    Values kept;
    for (const Value& item : items) {
      const ScopeGuard guard(*this, scope_);
      assign(node.target, item);
      if (truthy(evaluate(node.filter))) kept.push_back(item);
    }
    return kept;
  }

  void assign(const Target& target, const Value& value) {
    if (target.name.empty()) return unpack(target.parts, value);
    if (target.attribute.empty()) {
      scope_->variables[target.name] = value;
      return;
    }
    const Value object = (*this)(Variable{target.name});
    if (!object.name_space()) fail("cannot assign an attribute of what is no namespace");
    set_attribute(*object.name_space(), target.attribute, value);
  }

  void unpack(const std::vector<Target>& targets, const Value& value) {
    require_defined(value);
    const auto items = iterate(runtime_.budget, value);
    if (items.size() != targets.size()) {
      fail(fmt::format("cannot unpack {} values into {} names", items.size(), targets.size()));
    }
    for (std::size_t i = 0; i < targets.size(); ++i) assign(targets[i], items[i]);
  }

  void write(std::string_view text, const Origins& origins = {}) {
    runtime_.budget.text(text.size());
    out_.append(text, origins);
    if (out_.size() > kMaxText) fail("the template writes more than 64 MiB");
  }

  void write_value(const Value& value) {
    const std::string* text = value.text();
    if (text == nullptr) return write(to_text(runtime_.budget, value));
    write(*text, captured_texts_.origins_of(*text));
  }

  // What the body writes, in a scope of its own. The text as it is keeps its places.
  std::pair<Value, Flow> capture(const Body& body) {
    const ScopeGuard guard(*this, scope_);
    MarkedText outer = std::exchange(out_, {});
    const Flow flow = execute(body);
    Rendering part = std::exchange(out_, std::move(outer)).take();
    return {captured_texts_.keep(runtime_.budget, std::move(part)), flow};
  }

  Value call_macro(const Macro& macro, const std::shared_ptr<Scope>& closure, Arguments arguments) {
    const ScopeGuard guard(*this, closure);
    bind(macro, std::move(arguments));
    return capture(macro.body).first;
  }

  void bind(const Macro& macro, Arguments arguments) {
    std::vector<std::string_view> names;
    for (const auto& parameter : macro.parameters) names.push_back(parameter.first);
    const Parameters given(macro.name, names, std::move(arguments));
    for (std::size_t i = 0; i < names.size(); ++i) {
      const ExprPtr& fallback = macro.parameters[i].second;
      Value value =
          given.find(i) ? *given.find(i)
          : fallback    ? evaluate(fallback)
                     : Value::undefined(fmt::format("parameter '{}' was not provided", names[i]));
      scope_->variables[names[i]] = std::move(value);
    }
  }

  const Source& source_;
  Runtime runtime_;
  Value context_;
  Messages messages_{nullptr};
  std::shared_ptr<Scope> scope_;
  std::unordered_set<std::shared_ptr<Scope>> captured_;
  MarkedText out_;
  CapturedTexts captured_texts_;
  Value block_content_;
  int depth_ = 0;
};

}  // namespace

Rendering render(const Source& source, const Body& body, const nlohmann::ordered_json& context) {
  return Interpreter(source, context).run(body);
}

}  // namespace gladius::text::jinja
