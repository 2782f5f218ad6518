#define PCRE2_CODE_UNIT_WIDTH 8
#include "gladius/models/tokenizer/regex.h"

#include <fmt/core.h>
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "gladius/models/tokenizer/newer_characters.h"
#include "gladius/models/tokenizer/oniguruma.h"
#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::text {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using CodePointer = std::unique_ptr<pcre2_code, Freed<pcre2_code_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, Freed<pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Freed<pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Freed<pcre2_match_data_free>>;

std::string message_of(int error) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

bool knows_newer_characters() {
  char version[64];
  return pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, version) > 0 && std::atoi(version) >= 16;
}

// Bounds that a run of spaces of any length stays under, but not repeats within repeats.
MatchContext context_for(std::string_view text) {
  constexpr std::size_t kStepsAtLeast = 10'000'000, kStepsAByte = 16;
  constexpr std::uint32_t kMostKibibytes = 256 * 1024;
  MatchContext context(pcre2_match_context_create(nullptr));
  pcre2_set_heap_limit(context.get(), kMostKibibytes);
  pcre2_set_match_limit(
      context.get(), static_cast<std::uint32_t>(std::clamp(kStepsAByte * text.size(), kStepsAtLeast,
                                                           std::size_t{0xFFFFFFFF})));
  return context;
}

}  // namespace

struct Regex::Code {
  CodePointer code;
  std::string shown;

  // 0 when there is no match from `start` on.
  int match(std::string_view text, std::size_t start, pcre2_match_data* data,
            pcre2_match_context* context) const {
    const auto run = [&](std::uint32_t options) {
      return pcre2_match(code.get(), units(text), text.size(), start, PCRE2_NO_UTF_CHECK | options,
                         data, context);
    };
    int count = run(0);
    // Compiled code has a fixed stack; the interpreter takes the heap, up to its limit.
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) count = run(PCRE2_NO_JIT);
    if (count == PCRE2_ERROR_NOMATCH) return 0;
    if (count < 0) {
      throw Error(fmt::format("tokenizer: the regular expression {} failed at byte {}: {}", shown,
                              start, message_of(count)));
    }
    return count;
  }
};

Regex::Regex(const std::string& pattern, std::string_view shown, unsigned options) {
  const CompileContext context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  std::size_t offset = 0;
  auto code = std::make_shared<Code>();
  code->shown = shortened(shown);
  code->code.reset(pcre2_compile(units(pattern), pattern.size(), PCRE2_UTF | options, &error,
                                 &offset, context.get()));
  std::uint32_t matches_nothing = 0;
  if (code->code) {
    pcre2_pattern_info(code->code.get(), PCRE2_INFO_MATCHEMPTY, &matches_nothing);
  }
  if (!code->code || matches_nothing) {
    throw ConfigError(fmt::format("tokenizer: the regular expression {} is not supported: {}",
                                  code->shown,
                                  code->code ? "it can match nothing" : message_of(error)));
  }
  // Where there is no compiler for the machine, the interpreter does the same.
  pcre2_jit_compile(code->code.get(), PCRE2_JIT_COMPLETE);
  code_ = std::move(code);
}

Regex Regex::from_oniguruma(std::string_view pattern) {
  return {oniguruma_to_pcre2(pattern), pattern, PCRE2_UCP | PCRE2_MULTILINE};
}

Regex Regex::from_literal(std::string_view text) {
  return {std::string(text), text, PCRE2_LITERAL};
}

Regex Regex::from_pcre2(std::string_view pattern) {
  return {std::string(pattern), pattern, PCRE2_UCP};
}

std::vector<TextRange> Regex::find_all(std::string_view text) const {
  static const bool knows_newer = knows_newer_characters();
  std::string buffer;
  if (!knows_newer) text = replace_newer_characters(text, buffer);
  const MatchData data(pcre2_match_data_create_from_pattern(code_->code.get(), nullptr));
  const MatchContext context = context_for(text);
  const PCRE2_SIZE* found = pcre2_get_ovector_pointer(data.get());
  std::vector<TextRange> matches;
  for (std::size_t pos = 0;
       pos < text.size() && code_->match(text, pos, data.get(), context.get()) > 0;) {
    matches.push_back({found[0], found[1]});
    pos = found[1];
  }
  return matches;
}

}  // namespace gladius::text
