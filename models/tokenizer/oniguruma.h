// Regular expressions of a tokenizer.json, which are written for Oniguruma, in PCRE2's syntax.
#pragma once

#include <string>
#include <string_view>

namespace gladius::text {

/// `pattern` so that PCRE2 (UTF, UCP, MULTILINE, newline LF) matches what Oniguruma (Ruby syntax)
/// does. ConfigError names a construct that is not known to mean the same in both.
std::string oniguruma_to_pcre2(std::string_view pattern);

}  // namespace gladius::text
