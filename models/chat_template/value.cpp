#include "gladius/models/chat_template/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "gladius/models/chat_template/text.h"
#include "gladius/models/tokenizer/utf8.h"

namespace gladius::text::jinja {
namespace {

int depth_of(const Value& value) {
  if (const Sequence* sequence = value.sequence()) return sequence->depth;
  if (const Dict* dict = value.dict()) return dict->depth();
  return 0;
}

int deeper(int depth) {
  if (depth >= kMaxValueDepth) fail("lists or dicts are nested more than 200 deep");
  return depth + 1;
}

// Exact, as in Python: a large integer is not rounded to a float first.
std::partial_ordering order_numbers(const Value& a, const Value& b) {
  const auto ia = as_integer(a);
  const auto ib = as_integer(b);
  if (ia && ib) return *ia <=> *ib;
  if (ib) {
    const auto reversed = order_numbers(b, a);
    return 0 <=> reversed;
  }
  const double fb = *as_number(b);
  if (!ia || std::isnan(fb)) return *as_number(a) <=> fb;
  if (fb >= 0x1p63) return std::partial_ordering::less;
  if (fb < -0x1p63) return std::partial_ordering::greater;
  const auto whole = static_cast<std::int64_t>(fb);
  if (*ia != whole) return *ia <=> whole;
  return 0.0 <=> fb - static_cast<double>(whole);
}

bool same_elements(Budget& budget, const Values& a, const Values& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [&](const Value& x, const Value& y) { return equal(budget, x, y); });
}

bool same_entries(Budget& budget, const Dict& a, const Dict& b) {
  return a.items().size() == b.items().size() &&
         std::all_of(a.items().begin(), a.items().end(), [&](const auto& item) {
           const Value* other = b.find(item.first);
           return other != nullptr && equal(budget, item.second, *other);
         });
}

Values characters(Budget& budget, const std::string& text) {
  budget.step(text.size());
  Values out;
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t length = utf8::char_length(text[pos]);
    out.emplace_back(text.substr(pos, length));
    pos += length;
  }
  return out;
}

}  // namespace

bool Dict::can_be_key(const Value& value) {
  return value.is_none() || value.text() || as_number(value);
}

std::size_t Dict::Hash::operator()(const Value& key) const {
  if (const std::string* text = key.text()) return std::hash<std::string>()(*text);
  return std::hash<double>()(as_number(key).value_or(0.5));
}

bool Dict::Equal::operator()(const Value& a, const Value& b) const {
  if (a.text() && b.text()) return *a.text() == *b.text();
  if (as_number(a) && as_number(b)) return order_numbers(a, b) == 0;
  return a.is_none() && b.is_none();
}

void Dict::set(Value key, Value value) {
  if (!can_be_key(key)) fail(fmt::format("a dict's key cannot be of type '{}'", type_name(key)));
  depth_ = std::max(depth_, deeper(depth_of(value)));
  const auto [entry, added] = index_.try_emplace(key, items_.size());
  if (added) {
    items_.emplace_back(std::move(key), std::move(value));
  } else {
    items_[entry->second].second = std::move(value);
  }
}

const Value* Dict::find(const Value& key) const {
  if (!can_be_key(key)) return nullptr;
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &items_[found->second].second;
}

Value make_sequence(Values items, SequenceKind kind) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, depth_of(item));
  return Value(std::make_shared<const Sequence>(Sequence{kind, std::move(items), deeper(depth)}));
}

Value make_dict(Dict dict) { return Value(std::make_shared<const Dict>(std::move(dict))); }

Value from_json(Budget& budget, const nlohmann::ordered_json& json, int depth) {
  using Type = nlohmann::ordered_json::value_t;
  budget.step();
  switch (json.type()) {
    case Type::null:
      return {};
    case Type::boolean:
      return json.get<bool>();
    case Type::number_unsigned:
      if (json.get<std::uint64_t>() > INT64_MAX) fail("an integer does not fit 64 bits");
      return json.get<std::int64_t>();
    case Type::number_integer:
      return json.get<std::int64_t>();
    case Type::number_float:
      return json.get<double>();
    case Type::string: {
      const auto& text = json.get_ref<const std::string&>();
      budget.text(text.size());
      if (utf8::find_invalid(text) != std::string::npos) fail("a string of the data is not UTF-8");
      return text;
    }
    case Type::array: {
      Values items;
      for (const auto& item : json) items.push_back(from_json(budget, item, deeper(depth)));
      return make_sequence(std::move(items));
    }
    case Type::object: {
      Dict dict;
      for (const auto& [key, item] : json.items()) {
        if (utf8::find_invalid(key) != std::string::npos) fail("a key of the data is not UTF-8");
        dict.set(key, from_json(budget, item, deeper(depth)));
      }
      return make_dict(std::move(dict));
    }
    default:
      fail("the data hold what JSON cannot");
  }
}

std::optional<std::int64_t> as_integer(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value.data())) return *integer;
  if (const auto* flag = std::get_if<bool>(&value.data())) return *flag ? 1 : 0;
  return std::nullopt;
}

std::optional<double> as_number(const Value& value) {
  if (const auto* number = std::get_if<double>(&value.data())) return *number;
  if (const auto integer = as_integer(value)) return static_cast<double>(*integer);
  return std::nullopt;
}

std::string type_name(const Value& value) {
  if (const Sequence* sequence = value.sequence()) {
    constexpr std::array names{"list",        "tuple",      "range",    "dict_keys",
                               "dict_values", "dict_items", "generator"};
    return names[static_cast<std::size_t>(sequence->kind)];
  }
  constexpr std::array names{"NoneType", "Undefined", "bool",      "int",      "float",      "str",
                             "list",     "dict",      "Namespace", "function", "LoopContext"};
  static_assert(names.size() == std::variant_size_v<Value::Variant>);
  return names[value.data().index()];
}

bool truthy(const Value& value) {
  if (value.is_none() || value.is_undefined()) return false;
  if (const auto number = as_number(value)) return *number != 0;
  if (const std::string* text = value.text()) return !text->empty();
  if (const Dict* dict = value.dict()) return !dict->items().empty();
  if (const Sequence* sequence = value.sequence()) {
    return sequence->kind == SequenceKind::kIterator || !sequence->items.empty();
  }
  return true;
}

void charge_text(Budget& budget, const Value& value) {
  if (const std::string* text = value.text()) budget.text(text->size());
}

bool equal(Budget& budget, const Value& a, const Value& b) {
  budget.step();
  if (as_number(a) && as_number(b)) return order_numbers(a, b) == 0;
  if (a.data().index() != b.data().index()) return false;
  if (a.is_undefined() || a.is_none()) return true;
  if (const std::string* text = a.text()) {
    budget.text(text->size());
    return *text == *b.text();
  }
  if (const Dict* dict = a.dict())
    return dict == b.dict() || same_entries(budget, *dict, *b.dict());
  if (const Sequence* sequence = a.sequence()) {
    if (sequence == b.sequence()) return true;
    return sequence->kind != SequenceKind::kIterator && sequence->kind == b.sequence()->kind &&
           same_elements(budget, sequence->items, b.sequence()->items);
  }
  if (a.name_space()) return a.name_space() == b.name_space();
  if (a.callable()) return a.callable() == b.callable();
  return a.loop() == b.loop();
}

std::partial_ordering order(Budget& budget, const Value& a, const Value& b) {
  budget.step();
  if (as_number(a) && as_number(b)) return order_numbers(a, b);
  if (const std::string* ta = a.text(), *tb = b.text(); ta && tb) {
    budget.text(std::min(ta->size(), tb->size()));
    return ta->compare(*tb) <=> 0;  // bytes of UTF-8 are in the order of code points
  }
  const Sequence *sa = a.sequence(), *sb = b.sequence();
  if (sa && sb && sa->kind == sb->kind && sa->kind <= SequenceKind::kTuple) {
    for (std::size_t i = 0; i < sa->items.size() && i < sb->items.size(); ++i) {
      if (!equal(budget, sa->items[i], sb->items[i])) {
        return order(budget, sa->items[i], sb->items[i]);
      }
    }
    return sa->items.size() <=> sb->items.size();
  }
  for (const Value& value : {a, b}) {
    if (value.is_undefined()) fail(*std::get<Undefined>(value.data()).why);
  }
  fail(fmt::format("'{}' and '{}' have no order", type_name(a), type_name(b)));
}

void require_hashable(Budget& budget, const Value& value) {
  budget.step();
  const Sequence* sequence = value.sequence();
  const bool view = sequence && (sequence->kind == SequenceKind::kList ||
                                 sequence->kind == SequenceKind::kDictKeys ||
                                 sequence->kind == SequenceKind::kDictItems);
  if (value.dict() || view) fail(fmt::format("unhashable type: '{}'", type_name(value)));
  if (!sequence || sequence->kind != SequenceKind::kTuple) return;
  for (const Value& item : sequence->items) require_hashable(budget, item);
}

bool contains(Budget& budget, const Value& haystack, const Value& needle) {
  if (const std::string* text = haystack.text()) {
    if (!needle.text()) {
      fail(fmt::format("'in' on a string takes a string, not '{}'", type_name(needle)));
    }
    budget.text(text->size());
    return find_text(*text, *needle.text()) != std::string::npos;
  }
  if (const Dict* dict = haystack.dict()) {
    require_hashable(budget, needle);
    charge_text(budget, needle);
    return dict->find(needle) != nullptr;
  }
  const auto items = iterate(budget, haystack);
  return std::any_of(items.begin(), items.end(),
                     [&](const Value& item) { return equal(budget, item, needle); });
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.text() || value.sequence() || value.dict();
}

Elements iterate(Budget& budget, const Value& value) {
  if (const auto* sequence = std::get_if<std::shared_ptr<const Sequence>>(&value.data())) {
    if ((*sequence)->kind == SequenceKind::kIterator &&
        std::exchange((*sequence)->consumed, true)) {
      return Values();
    }
    budget.step((*sequence)->items.size());
    return std::shared_ptr<const Values>(*sequence, &(*sequence)->items);
  }
  if (value.is_undefined()) return Values();
  if (const std::string* text = value.text()) {
    return characters(budget, *text);
  }
  if (const Dict* dict = value.dict()) {
    budget.step(dict->items().size());
    Values keys;
    for (const auto& item : dict->items()) keys.push_back(item.first);
    return keys;
  }
  fail(fmt::format("'{}' object is not iterable", type_name(value)));
}

}  // namespace gladius::text::jinja
