// Text in YAML.
#pragma once

#include <string>
#include <string_view>

namespace gladius::train {

/// `text` as a YAML string in double quotes, on one line: every reader of YAML 1.1 or 1.2 gives
/// back the same characters. What is not UTF-8 becomes U+FFFD.
std::string yaml_string(std::string_view text);

}  // namespace gladius::train
