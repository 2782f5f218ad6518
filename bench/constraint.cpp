// What a constraint costs a token: constraint_bench TOKENIZER [ANSWERS], whose logits are random.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "gladius/models/tokenizer/token_bytes.h"
#include "gladius/train/constraint/grammar_constraint.h"
#include "gladius/train/constraint/schema_grammar.h"

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

const char* const kSchema = R"({"type": "object", "properties": {
  "title": {"type": "string", "maxLength": 80}, "notes": {"type": "string"},
  "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
  "price": {"type": "number", "minimum": 0}, "amount": {"type": "integer", "minimum": 1, "maximum": 99},
  "kind": {"enum": ["book", "record", "film"]}, "seller": {"type": "object", "properties": {
    "name": {"type": "string"}, "mail": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "required": ["name"]}}, "required": ["title", "price", "kind"]})";

// The microseconds of each token.
std::vector<double> time_answer(gladius::train::GrammarConstraint& constraint, std::int64_t size,
                                std::mt19937_64& rng) {
  std::vector<double> times;
  std::vector<float> logits(static_cast<std::size_t>(size));
  constraint.restart();
  for (std::int64_t left = 200; left > 0; --left) {
    std::ranges::fill(logits, 0.0F);
    const auto start = Clock::now();
    if (constraint.is_finished(left)) break;
    constraint.mask(logits, left);
    double time = microseconds_since(start);
    std::vector<std::int32_t> possible;
    for (std::int32_t id = 0; id < size; ++id) {
      if (logits[static_cast<std::size_t>(id)] == 0) possible.push_back(id);
    }
    const auto advance = Clock::now();
    constraint.advance(possible[rng() % possible.size()]);
    time += microseconds_since(advance);
    times.push_back(time);
  }
  return times;
}

void print_times(const char* name, std::vector<double> times) {
  std::ranges::sort(times);
  double sum = 0;
  for (const double time : times) sum += time;
  const auto n = times.size();
  fmt::print(
      "{:<22} {:>6} tokens, us a token: mean {:.0f}, median {:.0f}, 99% {:.0f}, most {:.0f}\n",
      name, n, sum / static_cast<double>(n), times[n / 2], times[n * 99 / 100], times.back());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: constraint_bench TOKENIZER [ANSWERS]\n");
    return 2;
  }
  const int answers = argc > 2 ? std::stoi(argv[2]) : 200;
  const gladius::text::TokenBytes tokens(argv[1]);
  auto start = Clock::now();
  const auto vocabulary = std::make_shared<const gladius::train::TokenVocabulary>(tokens);
  fmt::print("{} tokens, arranged in {:.0f} ms\n", vocabulary->size(),
             microseconds_since(start) / 1000);
  start = Clock::now();
  gladius::train::GrammarConstraint constraint(
      vocabulary, gladius::train::grammar_of_schema(Json::parse(kSchema)), {});
  fmt::print("the schema compiled in {:.1f} ms\n", microseconds_since(start) / 1000);
  std::mt19937_64 rng(1);
  print_times("the first answer", time_answer(constraint, vocabulary->size(), rng));
  std::vector<double> others;
  for (int i = 0; i < answers; ++i) {
    const auto times = time_answer(constraint, vocabulary->size(), rng);
    others.insert(others.end(), times.begin(), times.end());
  }
  print_times("further answers", others);
  return 0;
}
