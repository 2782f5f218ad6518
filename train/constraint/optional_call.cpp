#include "gladius/train/constraint/optional_call.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "gladius/train/behaviour/call_reader.h"

namespace gladius::train {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

bool is_blank(std::string_view text) { return text.find_first_not_of(kBlank) == text.npos; }

}  // namespace

OptionalCallConstraint::OptionalCallConstraint(std::shared_ptr<const TokenVocabulary> vocabulary,
                                               const nlohmann::ordered_json& tools, CallForm form,
                                               std::vector<std::int32_t> end_tokens)
    : vocabulary_(std::move(vocabulary)),
      form_(form),
      end_tokens_(std::move(end_tokens)),
      call_(vocabulary_,
            grammar_of_calls(tools, form == CallForm::tagged ? CallForm::behind_tag : form),
            form == CallForm::tagged ? std::vector<std::int32_t>() : end_tokens_) {
  find_openers();
  restart();
}

void OptionalCallConstraint::restart() {
  mode_ = Mode::free;
  tail_.clear();
  at_start_ = may_begin_ = true;
  call_.restart(/*at_start=*/false);
}

// A tag ends in one of these, or the first bracket stands in it.
void OptionalCallConstraint::find_openers() {
  const char mark = form_ == CallForm::tagged ? kOpenCall.back() : '{';
  for (std::int32_t id = 0; id < vocabulary_->size(); ++id) {
    const std::string& bytes = vocabulary_->bytes(id, /*at_start=*/false);
    if (bytes.find(mark) != bytes.npos) openers_.push_back(id);
  }
}

std::optional<std::string> OptionalCallConstraint::begun_call(std::string_view token) const {
  if (form_ == CallForm::tagged) {
    const std::string text = tail_ + std::string(token);
    const std::size_t tag = text.find(kOpenCall);
    if (tag == text.npos) return std::nullopt;
    return text.substr(tag + kOpenCall.size());
  }
  const std::size_t first = token.find_first_not_of(kBlank);
  if (!may_begin_ || first == token.npos || token[first] != '{') return std::nullopt;
  return std::string(token.substr(first));
}

bool OptionalCallConstraint::is_finished(std::int64_t left) {
  return mode_ == Mode::call && call_.is_finished(left);
}

void OptionalCallConstraint::mask(std::span<float> logits, std::int64_t left) {
  if (mode_ == Mode::call) return call_.mask(logits, left);
  if (form_ == CallForm::plain && !may_begin_) return;
  for (const std::int32_t id : openers_) {
    if (id >= std::ssize(logits)) continue;
    const auto call = begun_call(vocabulary_->bytes(id, at_start_));
    if (!call) continue;
    if (call_.fewest_tokens_behind(*call) >= left) {
      logits[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
    }
  }
}

void OptionalCallConstraint::advance(std::int32_t id) {
  if (std::ranges::count(end_tokens_, id) > 0 && mode_ == Mode::free) return;
  if (mode_ == Mode::call) {
    call_.advance(id);
  } else {
    const bool known = id >= 0 && id < vocabulary_->size();
    const std::string_view bytes = known ? std::string_view(vocabulary_->bytes(id, at_start_)) : "";
    at_start_ = false;
    if (const auto call = begun_call(bytes)) {
      mode_ = Mode::call;
      call_.restart(/*at_start=*/false);
      call_.advance_bytes(*call);
    } else {
      may_begin_ = may_begin_ && is_blank(bytes);
      tail_ += bytes;
      if (tail_.size() >= kOpenCall.size()) tail_.erase(0, tail_.size() - kOpenCall.size() + 1);
    }
  }
  // Nothing is left to be said within the tags.
  if (form_ == CallForm::tagged && mode_ == Mode::call && call_.is_whole()) {
    mode_ = Mode::free;
    tail_.clear();
    call_.restart(/*at_start=*/false);
  }
}

}  // namespace gladius::train
