#define PCRE2_CODE_UNIT_WIDTH 8
#include "gladius/train/behaviour/pattern.h"

#include <fmt/format.h>
#include <pcre2.h>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/quoted.h"

namespace gladius::train {
namespace {

PCRE2_SPTR code_units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

std::string pcre2_message(int error) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

}  // namespace

struct Pattern::Code {
  explicit Code(pcre2_code* compiled) : code(compiled) {}
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() { pcre2_code_free(code); }

  pcre2_code* code;
};

Pattern::Pattern(const std::string& expression) : expression_(expression) {
  int error = 0;
  std::size_t offset = 0;
  pcre2_code* const code = pcre2_compile(code_units(expression), expression.size(),
                                         PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (code == nullptr) {
    throw FormatError(fmt::format("the regular expression {} cannot be used: {} (at byte {})",
                                  in_quotes(expression), pcre2_message(error), offset));
  }
  code_ = std::make_shared<const Code>(code);
}

bool Pattern::matches(std::string_view text) const {
  constexpr std::uint32_t kMostSteps = 1'000'000, kMostKibibytes = 64 * 1024;
  const std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)> context(
      pcre2_match_context_create(nullptr), pcre2_match_context_free);
  pcre2_set_match_limit(context.get(), kMostSteps);
  pcre2_set_heap_limit(context.get(), kMostKibibytes);
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create_from_pattern(code_->code, nullptr), pcre2_match_data_free);
  return pcre2_match(code_->code, code_units(text), text.size(), 0, 0, data.get(), context.get()) >=
         0;
}

}  // namespace gladius::train
