// Vocabularies, random schemas and answers. For the tests of this folder.
#pragma once

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gladius/models/generation/sampling.h"
#include "gladius/train/constraint/grammar_constraint.h"
#include "support/random.h"

namespace gladius::testing {

using Json = nlohmann::ordered_json;

inline constexpr std::int32_t kEndToken = 0;

/// A token for the end and one for each byte, then pieces of JSON and words, some of which are
/// parts of characters or go over their ends. Of the byte-fallback kind a piece of a space and
/// letters loses its space at the beginning of a text.
inline std::shared_ptr<const train::TokenVocabulary> toy_vocabulary(Rng& rng, bool byte_fallback) {
  std::vector<std::string> within{""};
  for (int byte = 0; byte < 256; ++byte) within.emplace_back(1, static_cast<char>(byte));
  for (const char* piece :
       {"{\"",       "\":",         "\": ",        "\": \"",   "\",",    "\", \"",  "\"}",
        "\"}\n",     "}}",          "[[",          "]]",       "[]",     "{}",      ": ",
        ", ",        " ",           "  ",          "    ",     "\n",     "\n  ",    "\n\n",
        "\t",        "true",        "false",       "null",     "tr",     "12",      "123",
        "-1",        "0.",          ".5",          "1e5",      "00",     "a",       "ab",
        "abc",       "name",        " the",        " a",       "the",    "\\n",     "\\\"",
        "\\u",       "\\u00",       "</",          "<",        "/>",     "é",       "\xC3",
        "\xA9\"",    "日",          "日本",        "\xE6\x97", "\xA5x",  "😀",       "\xF0\x9F",
        "\x98\x80",  "a\"b",        "x\",\"",      "\"a\"",    "\"b\":", "{\"a\":", "e\xCC",
        "tool_call", "<tool_call>", "</tool_call>"}) {
    within.emplace_back(piece);
  }
  constexpr std::string_view kLetters = "abcdef \",:{}[]0123456789-.\\nu";
  for (int i = 0; i < 200; ++i) {
    std::string piece;
    for (auto n = random_int(rng, 2, 5); n > 0; --n) {
      piece += kLetters[static_cast<std::size_t>(random_int(rng, 0, std::ssize(kLetters) - 1))];
    }
    within.push_back(piece);
  }
  std::vector<std::string> at_start = within;
  for (std::string& text : at_start) {
    if (byte_fallback && text.starts_with(' ')) text.erase(0, 1);
  }
  return std::make_shared<const train::TokenVocabulary>(within, at_start);
}

/// The text that tokens stand for.
inline std::string text_of(const train::TokenVocabulary& vocabulary,
                           const std::vector<std::int32_t>& ids) {
  std::string text;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != kEndToken) text += vocabulary.bytes(ids[i], i == 0);
  }
  return text;
}

/// What a model writes whose logits are equal but for some random ones, by up to `peak`.
inline std::vector<std::int32_t> random_answer(Rng& rng, train::GrammarConstraint& constraint,
                                               std::int64_t vocab_size, std::int64_t most_tokens,
                                               float peak, std::int32_t end_token = kEndToken) {
  constraint.restart();
  std::vector<std::int32_t> ids;
  Generator generator(rng());
  std::uniform_real_distribution<float> more(0, peak);
  std::vector<float> logits(static_cast<std::size_t>(vocab_size));
  for (std::int64_t left = most_tokens; left > 0; --left) {
    if (constraint.is_finished(left)) break;
    std::ranges::fill(logits, 0.0F);
    for (int i = 0; i < 200; ++i) {
      logits[static_cast<std::size_t>(random_int(rng, 0, vocab_size - 1))] += more(rng);
    }
    constraint.mask(logits, left);
    const std::int32_t id = sample(logits, ids, {.greedy = random_int(rng, 0, 1) == 0}, generator);
    constraint.advance(id);
    ids.push_back(id);
    if (id == end_token) break;
  }
  return ids;
}

// --- random schemas of the kinds that an answer can be constrained to

inline Json random_schema(Rng& rng, int depth);

inline std::string random_text(Rng& rng) {
  constexpr const char* kTexts[] = {"",     "a",    "ab",        "é", "日本", "x\"y",
                                    "a\\b", "</b>", "new\nline", "😀", "name", "\x01"};
  return kTexts[random_int(rng, 0, std::ssize(kTexts) - 1)];
}

inline Json random_value(Rng& rng, int depth = 2) {
  switch (random_int(rng, 0, depth > 0 ? 7 : 5)) {
    case 0:
      return nullptr;
    case 1:
      return random_int(rng, 0, 1) == 0;
    case 2:
      return random_int(rng, -100, 100);
    case 3:
      return static_cast<double>(random_int(rng, -100, 100)) / 8;
    case 4:
    case 5:
      return random_text(rng);
    case 6: {
      Json list = Json::array();
      for (auto n = random_int(rng, 0, 3); n > 0; --n) list.push_back(random_value(rng, depth - 1));
      return list;
    }
    default: {
      Json object = Json::object();
      for (auto n = random_int(rng, 0, 3); n > 0; --n) {
        object[random_text(rng)] = random_value(rng, depth - 1);
      }
      return object;
    }
  }
}

inline bool chance(Rng& rng, int percent) { return random_int(rng, 0, 99) < percent; }

inline void add_sizes(Rng& rng, Json& schema, const char* least, const char* most) {
  const auto low = random_int(rng, 0, 3);
  if (chance(rng, 40)) schema[least] = low;
  if (chance(rng, 40)) schema[most] = low + random_int(rng, 0, 3);
}

inline void add_bounds(Rng& rng, Json& schema, bool whole) {
  const auto bound = [&](std::int64_t from, std::int64_t to) -> Json {
    const auto number = random_int(rng, from, to);
    if (whole) return number;
    return static_cast<double>(number) / (chance(rng, 50) ? 1 : 100);
  };
  const bool narrow = chance(rng, 50);
  const auto size = narrow ? 20 : 100'000;
  if (chance(rng, 50)) {
    schema[chance(rng, 50) ? "minimum" : "exclusiveMinimum"] = bound(-size, 0);
  }
  if (chance(rng, 50)) {
    schema[chance(rng, 50) ? "maximum" : "exclusiveMaximum"] = bound(1, size);
  }
}

inline Json random_object_schema(Rng& rng, int depth) {
  constexpr const char* kNames[] = {"a", "ab", "abc", "name", "é", "", "x y", "q\"", "</", "b"};
  Json schema{{"type", "object"}};
  if (chance(rng, 85)) {
    Json& properties = schema["properties"] = Json::object();
    for (auto n = random_int(rng, 0, 4); n > 0; --n) {
      properties[kNames[random_int(rng, 0, std::ssize(kNames) - 1)]] =
          random_schema(rng, depth - 1);
    }
    Json required = Json::array();
    for (const auto& [name, part] : properties.items()) {
      if (chance(rng, 50)) required.push_back(name);
    }
    if (!required.empty()) schema["required"] = required;
  }
  if (chance(rng, 40)) {
    schema["additionalProperties"] =
        chance(rng, 50) ? Json(chance(rng, 50)) : random_schema(rng, depth - 1);
  }
  if (chance(rng, 20)) schema["minProperties"] = random_int(rng, 0, 2);
  if (chance(rng, 20)) schema["maxProperties"] = random_int(rng, 1, 5);
  return schema;
}

inline Json random_schema_of_type(Rng& rng, int depth) {
  Json schema = Json::object();
  switch (random_int(rng, 0, depth > 0 ? 7 : 4)) {
    case 0:
      schema["type"] = chance(rng, 50) ? "boolean" : "null";
      break;
    case 1:
      schema["type"] = "string";
      add_sizes(rng, schema, "minLength", "maxLength");
      if (chance(rng, 30)) {
        constexpr const char* kPatterns[] = {"a",           "^[a-c]*$",   "^.{0,3}$", "\\d|é",
                                             "^(ab|<\\/)*", "[^\\x00-~]", "\"$",      "^\\W?\\w*$"};
        schema["pattern"] = kPatterns[random_int(rng, 0, std::ssize(kPatterns) - 1)];
      }
      break;
    case 2:
      schema["type"] = "integer";
      add_bounds(rng, schema, true);
      break;
    case 3:
      schema["type"] = "number";
      add_bounds(rng, schema, false);
      break;
    case 4:
      schema["type"] = Json::array({"string", "null", "integer"});
      if (chance(rng, 50)) schema["maxLength"] = 3;
      break;
    case 5:
      schema["type"] = "array";
      if (chance(rng, 80)) schema["items"] = random_schema(rng, depth - 1);
      add_sizes(rng, schema, "minItems", "maxItems");
      break;
    default:
      return random_object_schema(rng, depth);
  }
  return schema;
}

inline Json random_schema(Rng& rng, int depth) {
  if (chance(rng, 4)) return true;
  if (chance(rng, 4)) return Json::object();
  if (chance(rng, 8)) {
    Json values = Json::array();
    for (auto n = random_int(rng, 1, 4); n > 0; --n) values.push_back(random_value(rng));
    return {{"enum", values}};
  }
  if (chance(rng, 4)) return {{"const", random_value(rng)}};
  if (depth > 0 && chance(rng, 12)) {
    Json choices = Json::array();
    for (auto n = random_int(rng, 1, 3); n > 0; --n)
      choices.push_back(random_schema(rng, depth - 1));
    return {{"anyOf", choices}, {"description", "one of them"}};
  }
  if (chance(rng, 5)) {  // without a type
    Json schema = random_schema_of_type(rng, depth);
    schema.erase("type");
    return schema;
  }
  return random_schema_of_type(rng, depth);
}

}  // namespace gladius::testing
