// A template's syntax tree.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gladius/models/chat_template/functions.h"
#include "gladius/models/chat_template/operations.h"
#include "gladius/models/chat_template/value.h"

namespace gladius::text::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<const Expr>;

struct CallArguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
};

struct Literal {
  Value value;
};
struct Variable {
  std::string name;
};
struct BlockContent {};  // what a filter or set block captured
struct ListOf {
  std::vector<ExprPtr> items;
  SequenceKind kind;
};
struct DictOf {
  std::vector<std::pair<ExprPtr, ExprPtr>> items;
};
struct Negation {  // `not x`
  ExprPtr operand;
};
struct Sign {  // `-x`, `+x`
  bool minus;
  ExprPtr operand;
};
struct Binary {
  BinaryOperator op;
  ExprPtr left, right;
};
struct Logical {
  bool conjunction;
  ExprPtr left, right;
};
struct Concatenation {  // a ~ b ~ c
  std::vector<ExprPtr> parts;
};
struct Comparison {  // a < b <= c
  ExprPtr first;
  std::vector<std::pair<CompareOperator, ExprPtr>> rest;
};
struct Conditional {                   // a if condition else b
  ExprPtr condition, then, otherwise;  // otherwise may be null
};
struct Attribute {
  ExprPtr object;
  std::string name;
};
struct Subscript {
  ExprPtr object, key;
};
struct Slice {
  ExprPtr object;
  ExprPtr start, stop, step;  // null where left out
};
struct Call {
  ExprPtr callee;
  CallArguments arguments;
};
struct FilterCall {
  ExprPtr input;
  Function filter;
  CallArguments arguments;
};
struct TestCall {
  ExprPtr input;
  Test test;
  CallArguments arguments;
};

struct Expr {
  using Node = std::variant<Literal, Variable, BlockContent, ListOf, DictOf, Negation, Sign, Binary,
                            Logical, Concatenation, Comparison, Conditional, Attribute, Subscript,
                            Slice, Call, FilterCall, TestCall>;
  std::size_t offset;  // in the source
  int depth;           // of the tree below
  Node node;
};

/// Of the deepest of these; 0 where there is none.
int depth_of(const ExprPtr& expr);
int depth_of(const std::vector<ExprPtr>& exprs);
int depth_of(const CallArguments& arguments);

/// What `set` and `for` assign to: a name, a namespace's attribute, or a tuple of targets.
struct Target {
  std::string name;
  std::string attribute;      // of the namespace `name`, else ""
  std::vector<Target> parts;  // a tuple, when `name` is ""
};

struct Statement;
using Body = std::vector<Statement>;

struct Data {
  std::string text;
};
struct Output {
  ExprPtr value;
};
struct If {
  std::vector<std::pair<ExprPtr, Body>> branches;
  Body otherwise;
};
struct For {
  Target target;
  ExprPtr items;
  ExprPtr filter;  // may be null
  Body body;
  Body otherwise;
};
struct Set {
  Target target;
  ExprPtr value;
};
struct SetBlock {
  Target target;
  ExprPtr value;  // filters over BlockContent
  Body body;
};
struct FilterBlock {
  ExprPtr value;  // filters over BlockContent
  Body body;
};
struct Macro {
  std::string name;
  std::vector<std::pair<std::string, ExprPtr>> parameters;  // with defaults, or null
  Body body;
};
struct With {
  std::vector<std::pair<Target, ExprPtr>> bindings;
  Body body;
};
struct Generation {  // what the assistant writes
  Body body;
};
struct Break {};
struct Continue {};

struct Statement {
  using Node = std::variant<Data, Output, If, For, Set, SetBlock, FilterBlock, Macro, With,
                            Generation, Break, Continue>;
  std::size_t offset;
  Node node;
};

struct Template {
  Body body;
  bool marks_generation = false;  // has {% generation %} blocks
};

}  // namespace gladius::text::jinja
