// Behaviour suites: cases, and what is right in each.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "gladius/models/chat_template/conversation.h"
#include "gladius/train/behaviour/call_rules.h"
#include "gladius/train/behaviour/pattern.h"

namespace gladius::train {

/// These calls and no others, in any order.
struct ExpectedCalls {
  std::vector<ExpectedCall> calls;  // one or more
};
/// One of these texts, compared as folded().
struct ExpectedText {
  std::vector<std::string> right;
};
/// JSON that fits the schema.
struct ExpectedSchema {
  nlohmann::ordered_json schema;
};
/// A match anywhere in the answer.
struct ExpectedMatch {
  Pattern pattern;
};
/// An answer that refuses (sounds_like_refusal) and makes no call.
struct ExpectedRefusal {};

using Expectation = std::variant<ExpectedCall, ExpectedCalls, ExpectedText, ExpectedSchema,
                                 ExpectedMatch, ExpectedRefusal>;

/// The calls that are expected; none where something else is.
std::span<const ExpectedCall> expected_calls(const Expectation& expected);

struct Case {
  std::string id, category;
  text::Conversation conversation;  // to be answered
  Expectation expected;
};

struct Suite {
  std::vector<Case> cases;
  /// How many cases of the file are no part of it, by why not.
  std::map<std::string, std::int64_t> skipped;
};

/// A line {"id", "category", "messages", "tools", "expect"} of a suite (docs/evaluation.md), with
/// the names of members that are passed over added to `unknown`. One case; of a line whose "expect"
/// is a list, one for each turn of the assistant that is to be checked, "ID/1" and so on, whose
/// conversation is what the line has before it. FormatError.
std::vector<Case> parse_cases(const std::string& line, std::vector<std::string>& unknown);

/// A suite's file, or one of the Berkeley Function Calling Leaderboard with its `answers` (see
/// bfcl_suite.h; "" for none). What is passed over is told to `warn`. IoError; FormatError
/// "FILE:LINE: ..." for a bad line and for an id that is there twice; ConfigError for answers that
/// are missing or not needed; FormatError for a file without a case.
Suite read_suite(const std::filesystem::path& file, const std::filesystem::path& answers,
                 const std::function<void(const std::string&)>& warn);

}  // namespace gladius::train
