// gladius align: two vocabularies compared, and what a teacher is worth through a student's.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bar.h"
#include "commands.h"
#include "gladius/models/model_directory.h"
#include "gladius/tensor/base/text_file.h"
#include "gladius/train/data/dataset.h"
#include "gladius/train/data/text_pieces.h"
#include "gladius/train/report/alignment_page.h"
#include "gladius/train/run/json_object.h"
#include "gladius/train/run/overwrite.h"
#include "gladius/train/teacher/alignment_study.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

constexpr std::int64_t kSampleTokens = 400;

struct AlignArguments {
  std::string teacher, student, text, html;
  std::int64_t max_seq_len = 512;
  std::int64_t max_tokens = 10'000;
};

// The first of the file's sequences, up to max_tokens.
std::vector<train::Example> read_texts(const AlignArguments& options,
                                       const std::shared_ptr<const train::TextEncoder>& encoder,
                                       const Common& common) {
  const std::filesystem::path file = options.text;
  const std::int64_t V = encoder->tokenizer().vocab_size();
  std::vector<train::Example> texts;
  std::int64_t tokens = 0;
  const auto take = [&](train::Example example) {
    tokens += std::ssize(example.ids);
    texts.push_back(std::move(example));
    return tokens < options.max_tokens;
  };
  if (file.extension() == ".jsonl") {
    const auto data = train::Dataset::open({file}, encoder,
                                           {.max_seq_len = options.max_seq_len,
                                            .vocab_size = V,
                                            .keep_conversations = true,
                                            .warn = warner(common)});
    for (std::int64_t i = 0; i < data.size() && take(*data.read(i)); ++i) {
    }
  } else {
    const train::TextPieces pieces(file, std::make_shared<const train::ExampleParser>(
                                             encoder, options.max_seq_len, train::LossOn::all, V));
    for (std::int64_t i = 0; i < pieces.size() && take(pieces.read(i)); ++i) {
    }
  }
  return texts;
}

// The teacher's weights as they read its own tokens, and cut to the student's ids.
struct LoadedTeacher {
  std::optional<train::Teacher> own, truncated;

  train::StudiedTeacher get() const {
    return {own ? &*own : nullptr, truncated ? &*truncated : nullptr};
  }
};

LoadedTeacher load_teacher(const AlignArguments& options, std::int64_t student_entries,
                           const Common& common) {
  LoadedTeacher teacher;
  train::ExpertConfig expert{.name = "teacher", .model = options.teacher};
  expert.vocabulary = train::VocabularyMode::align;
  teacher.own.emplace(expert, student_entries, warner(common));
  expert.vocabulary = train::VocabularyMode::truncate;
  teacher.truncated.emplace(expert, student_entries, [](const std::string&) {});
  return teacher;
}

train::AlignmentStudy study(const AlignArguments& options, const train::AlignedTeacher& aligned,
                            const LoadedTeacher& teacher,
                            const std::shared_ptr<const train::TextEncoder>& encoder,
                            const Common& common) {
  const std::vector<train::Example> texts = read_texts(options, encoder, common);
  Bar bar;
  const bool draws = is_terminal() && common.log_level >= LogLevel::info;
  return train::study_alignment(
      aligned, teacher.get(), texts, kSampleTokens, [&](std::size_t done) {
        if (draws) bar.draw("reading", static_cast<std::int64_t>(done), std::ssize(texts));
      });
}

nlohmann::ordered_json to_json(const train::VocabularyOverlap& overlap) {
  return {{"student_entries", overlap.student_entries},
          {"teacher_entries", overlap.teacher_entries},
          {"shared_byte_strings", overlap.shared_byte_strings},
          {"shared_entries", overlap.shared_entries},
          {"student_duplicates", overlap.student_duplicates},
          {"teacher_duplicates", overlap.teacher_duplicates},
          {"never_compared", overlap.never_compared},
          {"pieces_per_entry", overlap.pieces_per_entry}};
}

nlohmann::ordered_json to_json(const train::AlignmentStudy& study) {
  nlohmann::ordered_json json{{"bytes", study.bytes},
                              {"student_tokens", study.student_tokens},
                              {"teacher_tokens", study.teacher_tokens},
                              {"positions", study.positions},
                              {"aligned_positions", study.aligned},
                              {"impossible_positions", study.impossible},
                              {"negligible_positions", study.negligible},
                              {"shared_boundaries", study.shared_boundaries},
                              {"mean_rest", train::number_or_null(study.mean_rest)},
                              {"bits_per_byte", nullptr}};
  if (study.bits) {
    json["bits_per_byte"] = {{"teacher", study.bits->teacher},
                             {"aligned", study.bits->aligned},
                             {"truncate", train::number_or_null(study.bits->truncate)},
                             {"uniform", study.bits->uniform}};
  }
  return json;
}

void print_overlap(const train::VocabularyOverlap& overlap) {
  print("student's entries        {} ({} with the bytes of another)\n", overlap.student_entries,
        overlap.student_duplicates);
  print("teacher's entries        {} ({} with the bytes of another)\n", overlap.teacher_entries,
        overlap.teacher_duplicates);
  print("byte strings of both     {} ({} of the student's entries)\n", overlap.shared_byte_strings,
        overlap.shared_entries);
  print("never compared           {} of the teacher's entries\n", overlap.never_compared);
  print("a teacher's entry is     {:.3f} of the student's tokens on average\n",
        overlap.pieces_per_entry);
}

void print_study(const train::AlignmentStudy& study) {
  print("\ntext                     {} bytes: {} of the student's tokens, {} of the teacher's\n",
        study.bytes, study.student_tokens, study.teacher_tokens);
  print("positions with a teacher {} of {}\n", study.aligned, study.positions);
  print("shared boundaries        {:.1f}%\n", 100 * study.shared_boundaries);
  if (!study.bits) return;
  if (study.impossible > 0) {
    print("left out below           {} positions, whose token has no probability\n",
          study.impossible);
  }
  if (study.negligible > 0) {
    print("left out below           {} positions, behind what the teacher hardly expected\n",
          study.negligible);
  }
  print("mean rest                {:.4f}\n\nbits a byte\n", *study.mean_rest);
  print("  teacher                {:.4f}\n", study.bits->teacher);
  print("  aligned                {:.4f}\n", study.bits->aligned);
  if (study.bits->truncate) print("  truncate               {:.4f}\n", *study.bits->truncate);
  print("  uniform                {:.4f}\n", study.bits->uniform);
}

void require_not_an_input(const AlignArguments& options, const ModelPaths& teacher,
                          const ModelPaths& student) {
  if (options.html.empty()) return;
  auto inputs = train::files_of_model(teacher);
  for (auto& file : train::files_of_model(student)) inputs.push_back(std::move(file));
  if (!options.text.empty()) inputs.emplace_back(options.text);
  train::require_not_among("--html", options.html, inputs);
}

void run(const AlignArguments& options, const Common& common) {
  const ModelPaths teacher = locate_model(options.teacher, common);
  const ModelPaths student = locate_model(options.student, common);
  require_not_an_input(options, teacher, student);
  const auto encoder = std::make_shared<const train::TextEncoder>(student.tokenizer);
  const bool has_text = !options.text.empty();
  LoadedTeacher model;
  if (has_text && has_weights(teacher.weights)) {
    model = load_teacher(options, encoder->tokenizer().vocab_size(), common);
  } else if (has_text) {
    warn(common, options.teacher + ": there are no weights, so no bits a byte");
  }
  const train::AlignedTeacher aligned({.name = "teacher", .model = options.teacher}, encoder,
                                      student.tokenizer, /*temperature=*/1,
                                      [&](const train::Batch& batch) {
                                        return model.own ? model.own->logits(batch) : LogitRows();
                                      });
  const train::VocabularyOverlap overlap = train::vocabulary_overlap(
      encoder->token_bytes(), aligned.teacher().token_bytes(), aligned.pieces());
  train::AlignmentStudy found;
  if (has_text) found = study(options, aligned, model, encoder, common);
  if (!options.html.empty()) {
    write_text_file(
        options.html,
        train::to_html(train::alignment_page(options.student, options.teacher, overlap, found),
                       "gladius align"));
  }
  if (common.json) {
    nlohmann::ordered_json json = to_json(overlap);
    if (has_text) json.update(to_json(found));
    print_json(json);
    return;
  }
  print_overlap(overlap);
  if (has_text) print_study(found);
}

}  // namespace

void add_align(CLI::App& program, const Common& common) {
  auto options = std::make_shared<AlignArguments>();
  CLI::App* command = add_command(
      program, "align",
      "Compares two vocabularies, and what a teacher is worth through a student's",
      "gladius align --teacher SmolLM2-135M --student student --text README.md --html align.html");
  command
      ->add_option("--teacher", options->teacher,
                   "Model directory; without weights the vocabularies alone are compared")
      ->type_name("PATH")
      ->required();
  command->add_option("--student", options->student, "Model or tokenizer directory")
      ->type_name("PATH")
      ->required();
  command
      ->add_option("--text", options->text,
                   "File to read: .jsonl as for training, anything else as plain text")
      ->type_name("FILE");
  command->add_option("--html", options->html, "Page to write, with the text token by token")
      ->type_name("FILE");
  command
      ->add_option("--max-seq-len", options->max_seq_len,
                   "Tokens of the student that are read together (512)")
      ->check(CLI::Range(std::int64_t{2}, train::kMaxSeqLen));
  command
      ->add_option("--max-tokens", options->max_tokens,
                   "Where the text is left, in the student's tokens (10000)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  command->callback([options, &common] { run(*options, common); });
}

}  // namespace gladius::cli
