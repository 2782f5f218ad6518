// What cases are made of, in a suite's own form and in BFCL's. For this folder.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "gladius/train/behaviour/call_rules.h"

namespace gladius::train {

/// The text under the key. FormatError.
std::string required_text(const nlohmann::ordered_json& object, const char* key);

/// Adds the id. FormatError if it is there.
void require_new_id(std::set<std::string>& ids, const std::string& id);

/// With the parameters of the tool of that name; `tools` is a list of them, or null. FormatError
/// for arguments that are no lists of right values, and for a name that none of the tools has.
ExpectedCall make_expected_call(const std::string& name, const nlohmann::ordered_json& arguments,
                                const nlohmann::ordered_json& tools);

}  // namespace gladius::train
