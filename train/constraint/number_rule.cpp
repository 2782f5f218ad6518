#include "gladius/train/constraint/number_rule.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <tuple>

#include "gladius/tensor/base/error.h"

namespace gladius::train {
namespace {

constexpr int kMostDigits = 15;

// A bound of numbers without their sign, in decimal.
struct Magnitude {
  std::string whole, fraction;  // "0" and "" for zero: no zeros in front or behind
  bool open = false;
};

Magnitude magnitude_of(const NumberBound& bound) {
  const std::string text = fmt::format("{:.{}e}", std::abs(bound.value), kMostDigits - 1);
  double read = 0;
  std::from_chars(text.data(), text.data() + text.size(), read);
  if (read != std::abs(bound.value)) {
    throw FormatError(
        fmt::format("the bound {} has more than {} digits; an answer is constrained "
                    "to bounds of fewer",
                    bound.value, kMostDigits));
  }
  const std::size_t e = text.find('e');
  std::string digits = text.substr(0, 1) + text.substr(2, e - 2);
  const int point = 1 + std::atoi(text.c_str() + e + 1);  // digits before it
  if (point <= 0) digits.insert(0, static_cast<std::size_t>(1 - point), '0');
  const auto whole = static_cast<std::size_t>(std::max(point, 1));
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  Magnitude result{digits.substr(0, whole), digits.substr(whole), bound.open};
  result.fraction.erase(result.fraction.find_last_not_of('0') + 1);
  return result;
}

// What the numbers of one sign have to be, without it.
struct Range {
  bool possible = true;
  std::optional<Magnitude> low, high;
};

// Of those that are not negative, between `low` and `high`.
Range range_of(const std::optional<NumberBound>& low, const std::optional<NumberBound>& high) {
  Range range;
  if (low && (low->value > 0 || (low->value == 0 && low->open))) range.low = magnitude_of(*low);
  if (range.low && range.low->whole.size() > kMostDigits) {
    throw FormatError(
        fmt::format("the bound {} is beyond the {} digits that numbers of a "
                    "constrained answer have",
                    low->value, kMostDigits));
  }
  if (high && (high->value < 0 || (high->value == 0 && high->open))) range.possible = false;
  if (high && range.possible) range.high = magnitude_of(*high);
  return range;
}

std::optional<NumberBound> negated(const std::optional<NumberBound>& bound) {
  return bound ? std::optional(NumberBound{-bound->value, bound->open}) : std::nullopt;
}

enum class Phase : std::uint8_t {
  begin,
  minus,
  zero,
  whole,
  point,
  fraction,
  exponent,         // behind e
  signed_exponent,  // behind its sign
  one_digit,        // of the exponent
  two_digits
};

struct Place {
  Phase phase = Phase::begin;
  bool negative = false;
  int digits = 0;    // in all
  int fraction = 0;  // behind the point
  // How the digits so far compare with as many of the bound: -1, 0 or 1.
  int low = 0, high = 0;

  auto key() const { return std::tuple(phase, negative, digits, fraction, low, high); }
};

int compared(char digit, char other) { return digit < other ? -1 : digit > other ? 1 : 0; }

// After one more digit before the point.
int after_whole_digit(int so_far, const std::optional<Magnitude>& bound, int digits, char digit) {
  if (!bound || so_far != 0) return so_far;
  const auto at = static_cast<std::size_t>(digits);
  return at < bound->whole.size() ? compared(digit, bound->whole[at]) : 1;
}

// Of the whole number that ends here: one of fewer digits is less.
int whole_compared(int so_far, const Magnitude& bound, int digits) {
  const int size = static_cast<int>(bound.whole.size());
  return digits < size ? -1 : digits > size ? 1 : so_far;
}

int after_fraction_digit(int so_far, const std::optional<Magnitude>& bound, int at, char digit) {
  if (!bound || so_far != 0) return so_far;
  const auto place = static_cast<std::size_t>(at);
  return compared(digit, place < bound->fraction.size() ? bound->fraction[place] : '0');
}

// Of a number that is equal so far and has `digits` behind the point.
int ended(int so_far, const Magnitude& bound, int digits) {
  if (so_far != 0) return so_far;
  return digits < static_cast<int>(bound.fraction.size()) ? -1 : 0;
}

class NumberRule {
 public:
  explicit NumberRule(const NumberBounds& bounds)
      : whole_(bounds.whole),
        exponents_(!bounds.whole && !bounds.low && !bounds.high),
        ranges_{range_of(bounds.low, bounds.high),
                range_of(negated(bounds.high), negated(bounds.low))} {
    Range& negative = ranges_[1];  // without -0
    if (bounds.low && bounds.low->value >= 0) negative.possible = false;
    if (!negative.low) negative.low = Magnitude{.whole = "0", .fraction = "", .open = true};
  }

  LeafRule make() {
    LeafRule rule;
    places_.push_back({});
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const Place place = places_[i];
      LeafRule::State state;
      if (is_end(place)) state.rest = 0;
      for (const char c : std::string_view("+-.0123456789Ee")) {
        const auto next = after(place, c);
        if (next) state.next.emplace_back(static_cast<unsigned char>(c), index_of(*next));
      }
      rule.states.push_back(std::move(state));
    }
    prune(rule);
    if (rule.states.front().rest >= kNever) rule.states.clear();
    return rule;
  }

 private:
  const Range& range(const Place& place) const { return ranges_[place.negative ? 1 : 0]; }

  std::uint32_t index_of(const Place& place) {
    const auto [known, added] =
        indices_.try_emplace(place.key(), static_cast<std::uint32_t>(places_.size()));
    if (added) places_.push_back(place);
    return known->second;
  }

  std::optional<Place> after(Place place, char c) const {
    if (place.phase >= Phase::exponent) return after_in_exponent(place, c);
    if (c == 'e' || c == 'E') {
      if (!exponents_ || !is_end(place)) return std::nullopt;
      return Place{.phase = Phase::exponent};
    }
    if (c == '+') return std::nullopt;
    if (c == '-') {
      if (place.phase != Phase::begin || !ranges_[1].possible) return std::nullopt;
      return Place{.phase = Phase::minus, .negative = true};
    }
    if (c == '.') return after_point(place);
    if (place.digits == kMostDigits || place.phase == Phase::zero) return std::nullopt;
    if (place.phase == Phase::begin && !ranges_[0].possible) return std::nullopt;
    const bool behind = place.phase == Phase::point || place.phase == Phase::fraction;
    return behind ? after_behind(place, c) : after_whole(place, c);
  }

  static std::optional<Place> after_in_exponent(Place place, char c) {
    const bool digit = c >= '0' && c <= '9';
    if (place.phase == Phase::exponent && (c == '+' || c == '-')) {
      place.phase = Phase::signed_exponent;
    } else if (digit && place.phase < Phase::one_digit) {
      place.phase = Phase::one_digit;
    } else if (digit && place.phase == Phase::one_digit) {
      place.phase = Phase::two_digits;
    } else {
      return std::nullopt;
    }
    return place;
  }

  std::optional<Place> after_point(Place place) const {
    const bool ends = place.phase == Phase::whole || place.phase == Phase::zero;
    if (whole_ || !ends || place.digits == kMostDigits) return std::nullopt;
    const Range& bounds = range(place);
    place.phase = Phase::point;
    if (bounds.low) place.low = whole_compared(place.low, *bounds.low, place.digits);
    if (bounds.high) place.high = whole_compared(place.high, *bounds.high, place.digits);
    return place;
  }

  std::optional<Place> after_whole(Place place, char c) const {
    const bool first = place.digits == 0;
    const Range& bounds = range(place);
    place.low = after_whole_digit(place.low, bounds.low, place.digits, c);
    place.high = after_whole_digit(place.high, bounds.high, place.digits, c);
    place.phase = first && c == '0' ? Phase::zero : Phase::whole;
    ++place.digits;
    return place;
  }

  std::optional<Place> after_behind(Place place, char c) const {
    const Range& bounds = range(place);
    place.low = after_fraction_digit(place.low, bounds.low, place.fraction, c);
    place.high = after_fraction_digit(place.high, bounds.high, place.fraction, c);
    place.phase = Phase::fraction;
    ++place.digits;
    ++place.fraction;
    return place;
  }

  bool is_end(const Place& place) const {
    if (place.phase >= Phase::exponent) return place.phase >= Phase::one_digit;
    const bool whole = place.phase == Phase::whole || place.phase == Phase::zero;
    if (!whole && place.phase != Phase::fraction) return false;
    const Range& bounds = range(place);
    const auto compare = [&](int so_far, const Magnitude& bound) {
      if (whole) so_far = whole_compared(so_far, bound, place.digits);
      return ended(so_far, bound, place.fraction);
    };
    if (bounds.low) {
      const int low = compare(place.low, *bounds.low);
      if (low < 0 || (low == 0 && bounds.low->open)) return false;
    }
    if (!bounds.high) return true;
    const int high = compare(place.high, *bounds.high);
    return high < 0 || (high == 0 && !bounds.high->open);
  }

  bool whole_;
  bool exponents_;
  Range ranges_[2];  // of numbers that are not negative, and of those that are
  std::vector<Place> places_;
  std::map<decltype(Place().key()), std::uint32_t> indices_;
};

}  // namespace

LeafRule number_rule(const NumberBounds& bounds) { return NumberRule(bounds).make(); }

}  // namespace gladius::train
