// A teacher that is certain of the text: its student must be shown the text's own tokens.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "gladius/train/data/example_parser.h"
#include "gladius/train/teacher/aligned_teacher.h"
#include "train/teacher/softmax_rows.h"

namespace gladius::train {

// What a student sees of a teacher that is certain of its own next token.
struct Seen {
  std::int64_t positions = 0, aligned = 0;
  std::vector<double> probabilities;  // of the student's next token, where there is a teacher
};

inline LogitRows certain(const Batch& read) {
  constexpr std::int64_t kWidth = 151936;  // padding included
  const auto ids = read.ids.to_vector<std::int64_t>();
  return [ids](std::int64_t begin, std::int64_t end) {
    Tensor logits = Tensor::full({end - begin, kWidth}, -200);
    for (std::int64_t i = begin; i < end && i + 1 < std::ssize(ids); ++i) {
      logits.select(0, i - begin).select(0, ids[static_cast<std::size_t>(i) + 1]).fill_(200);
    }
    return logits;
  };
}

// On lines of data, of tokenizers in these directories; the student gives single bytes no
// probability of their own.
inline std::vector<Seen> see_certain(const std::filesystem::path& student_directory,
                                     const std::filesystem::path& teacher,
                                     const std::vector<nlohmann::ordered_json>& lines) {
  const auto encoder = std::make_shared<const TextEncoder>(student_directory);
  const std::int64_t V = encoder->tokenizer().vocab_size();
  const ExampleParser parser(encoder, 100000, LossOn::all, V, /*keep_conversations=*/true);
  const AlignedTeacher aligned({.name = "t", .model = teacher}, encoder, student_directory, 1,
                               certain);
  Tensor student = Tensor::zeros({1, V});
  if (const auto first = encoder->tokenizer().token_to_id("<0x00>"); first >= 0) {
    student.narrow(1, first, 256).fill_(-100);
  }
  std::vector<Seen> all;
  for (const nlohmann::ordered_json& line : lines) {
    const Example example = parser.parse(line.dump());
    const Batch batch = pack({&example});
    const AlignedTargets targets = aligned.targets(batch);
    Seen seen{.positions = batch.tokens(), .aligned = targets.aligned, .probabilities = {}};
    for (std::int64_t i = 0; i + 1 < batch.tokens(); ++i) {
      const Tensor target = targets.rows(student, i);
      if (target.to_vector<double>() == student.to_vector<double>()) continue;  // no teacher
      const auto next = static_cast<std::size_t>(example.labels[static_cast<std::size_t>(i)]);
      seen.probabilities.push_back(testing::softmax_rows(target, 1)[0][next]);
    }
    all.push_back(seen);
  }
  return all;
}

}  // namespace gladius::train
