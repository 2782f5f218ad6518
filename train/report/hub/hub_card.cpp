#include "gladius/train/report/hub/hub_card.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "../sections/sections.h"
#include "gladius/models/chat_template/chat_templates.h"
#include "gladius/models/tokenizer/tokenizer_files.h"
#include "gladius/tensor/base/text_format.h"
#include "gladius/train/report/hub/base_model.h"
#include "gladius/train/report/hub/front_matter.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;

// "one, two, one after another"; each model once.
std::string expert_names(const RunConfig& config) {
  std::vector<std::string> names;
  for (const ExpertConfig& expert : config.experts) {
    std::string name = public_name(expert.model);
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return fmt::format("{}{}", fmt::join(names, ", "), names.size() > 1 ? ", one after another" : "");
}

std::string beginning(const StudentConfig& student) {
  if (student.init) return fmt::format("It began as {}. ", public_name(*student.init));
  if (student.init_from) {
    const std::string model = public_name(student.init_from->model);
    return student.init_from->grow
               ? fmt::format("It grew from the smaller {}. ", model)
               : fmt::format("It began with layers of {} where the shapes agree. ", model);
  }
  return "It began with random weights. ";
}

// "It has learned from 1,234 tokens in 20 steps."; no tokens where lines of the metrics are lost.
std::string length_of_training(const RunRecord& record) {
  const std::int64_t steps = record.plan().total_steps();
  const auto tokens = record.trained_tokens();
  if (!tokens || record.steps() != steps) {
    return fmt::format("It has learned in {} steps.", format_count(steps));
  }
  return fmt::format("It has learned from {} tokens in {} steps.", format_count(*tokens),
                     format_count(steps));
}

Paragraph introduction(const RunRecord& record) {
  const RunConfig& config = record.config;
  const std::string how = config.experts.empty() ? "on data alone"
                                                 : fmt::format("by knowledge distillation from {}",
                                                               expert_names(config));
  return {fmt::format("A language model that Gladius has trained {}. {}{}", how,
                      beginning(config.student), length_of_training(record))};
}

void add_model_section(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Model"});
  document.push_back(identification(record));
  if (record.model) document.push_back(architecture(*record.model));
}

void add_training_sections(Document& document, const RunRecord& record) {
  add_method(document, record.config,
             [](const ExpertConfig& expert) { return public_name(expert.model); });
  document.push_back(Heading{2, "Training configuration"});
  document.push_back(configuration(record.config));
  add_data(document, record);
}

void add_results_section(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Results"});
  add_results(document, record);
}

// What transformers and the program do with the files that are there.
struct Use {
  const char* python;
  const char* command;
};

constexpr Use kByChat{
    R"(from transformers import AutoModelForCausalLM, AutoTokenizer

place = "."  # this directory, or OWNER/NAME on the hub
tokenizer = AutoTokenizer.from_pretrained(place)
model = AutoModelForCausalLM.from_pretrained(place)
messages = [{"role": "user", "content": "Hello"}]
ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt",
                                    return_dict=True)["input_ids"]
answer = model.generate(ids, max_new_tokens=50)[0, ids.shape[1]:]
print(tokenizer.decode(answer, skip_special_tokens=True)))",
    "gladius generate --model . --chat --prompt \"Hello\""};

constexpr Use kByText{
    R"(from transformers import AutoModelForCausalLM, AutoTokenizer

place = "."  # this directory, or OWNER/NAME on the hub
tokenizer = AutoTokenizer.from_pretrained(place)
model = AutoModelForCausalLM.from_pretrained(place)
ids = tokenizer("Hello", return_tensors="pt")["input_ids"]
print(tokenizer.decode(model.generate(ids, max_new_tokens=50)[0])))",
    "gladius generate --model . --prompt \"Hello\""};

constexpr Use kByIds{
    R"(import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(".")  # this directory, or OWNER/NAME on the hub
print(model.generate(torch.tensor([[1, 2, 3]]), max_new_tokens=50)[0].tolist()))",
    "gladius generate --model . --ids 1,2,3"};

const Use& use_of(const fs::path& model) {
  if (!text::has_tokenizer(model)) return kByIds;
  return text::ChatTemplates::load(model).empty() ? kByText : kByChat;
}

void add_use(Document& document, const fs::path& model) {
  const Use& use = use_of(model);
  document.push_back(Heading{2, "How to use it"});
  if (&use == &kByIds) {
    document.push_back(Paragraph{"It has no tokenizer: it was trained on ids of tokens."});
  }
  document.push_back(CodeBlock{"python", use.python});
  document.push_back(Paragraph{"With Gladius, in this directory:"});
  document.push_back(CodeBlock{
      "sh", fmt::format("{}\ngladius verify .\n"
                        "gladius convert --model . --to gguf --dtype q8_0 --out model.gguf",
                        use.command)});
}

std::string about_length(const RunRecord& record) {
  const std::int64_t trained = record.config.data.max_seq_len;
  if (!record.model || record.model->max_position_embeddings <= trained) return "";
  return fmt::format(
      "It was trained on sequences of up to {} tokens; how it does on longer ones, up to the {} "
      "that it has positions for, is not known. ",
      format_count(trained), format_count(record.model->max_position_embeddings));
}

void add_limits(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "Limits"});
  document.push_back(Paragraph{fmt::format(
      "{}It may state what is wrong, and repeat what is unfit in its data{}. Nothing but the "
      "results above was measured: neither safety nor bias was.",
      about_length(record), record.config.experts.empty() ? "" : " and in what its experts say")});
}

void add_license(Document& document, const RunRecord& record) {
  document.push_back(Heading{2, "License"});
  const std::string& license = record.config.card.license;
  document.push_back(Paragraph{
      license.empty()
          ? "The run file names no license (card.license), so it is unknown. Those of the data and "
            "of the models that it learned from may bind it."
          : license + ", as the run file has it."});
}

}  // namespace

std::string hub_card(const RunRecord& record, const fs::path& model) {
  Document document{Heading{1, record.name()}, introduction(record)};
  add_model_section(document, record);
  add_training_sections(document, record);
  add_results_section(document, record);
  add_use(document, model);
  add_limits(document, record);
  add_license(document, record);
  return front_matter(record) + "\n" + to_markdown(document);
}

std::string hub_card(const RunPaths& paths, const fs::path& model) {
  return hub_card(RunRecord::read_results(paths), model);
}

}  // namespace gladius::train
