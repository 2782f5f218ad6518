#include "gladius/train/report/hub/front_matter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "train/tiny_models.h"

namespace gladius::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Json;
using ::testing::Not;

RunRecord record_with(const Json& evaluation, const Json& suite) {
  RunRecord record;
  record.directory = "/runs/mine";
  record.config.data.eval = {"/secret/held.jsonl", "/secret/more.jsonl"};
  record.config.eval_suite = "/secret/tools.jsonl";
  record.evaluation = evaluation;
  record.suite = suite;
  return record;
}

const Json kEvaluation{{"tokens", 1234},
                       {"bytes", 5678},
                       {"cross_entropy", 2.5},
                       {"perplexity", 12.18249},
                       {"bits_per_byte", 0.78}};
const Json kSuite{
    {"cases", 3},      {"calls", 1},
    {"name_right", 1}, {"arguments_right", 0},
    {"all_right", 2},  {"categories", {{"we: \"ird\"\n", {{"cases", 3}, {"all_right", 2}}}}}};

TEST(FrontMatter, HasTheResults) {
  EXPECT_THAT(
      front_matter(record_with(kEvaluation, kSuite)),
      HasSubstr("model-index:\n- name: \"mine\"\n  results:\n"
                "  - task:\n      type: text-generation\n      name: Text generation\n"
                "    dataset:\n      type: \"held-out\"\n      name: \"held.jsonl, more.jsonl\"\n"
                "    metrics:\n"
                "    - type: \"perplexity\"\n      name: \"Perplexity per token (1,234 tokens)\"\n"
                "      value: 12.1825\n"
                "    - type: \"cross_entropy\"\n"
                "      name: \"Cross-entropy per token, in nats (1,234 tokens)\"\n"
                "      value: 2.5000\n"
                "    - type: \"bits_per_byte\"\n      name: \"Bits per byte (5,678 bytes)\"\n"
                "      value: 0.7800\n"
                "  - task:\n      type: text-generation\n      name: Text generation\n"
                "    dataset:\n      type: \"behaviour-suite\"\n      name: \"tools.jsonl\"\n"
                "    metrics:\n"
                "    - type: \"accuracy\"\n      name: \"All right (3 cases)\"\n"
                "      value: 0.6667\n"
                "    - type: \"accuracy\"\n      name: \"Right names of calls (1 call)\"\n"
                "      value: 1.0000\n"
                "    - type: \"accuracy\"\n      name: \"Right arguments of calls (1 call)\"\n"
                "      value: 0.0000\n"
                "    - type: \"accuracy\"\n"
                "      name: \"All right in we: \\\"ird\\\"\\n (3 cases)\"\n"
                "      value: 0.6667\n---\n"));
}

// A broken model's perplexity is null; a hand may have put anything into the files.
TEST(FrontMatter, LeavesOutWhatIsNoNumber) {
  const Json broken{
      {"tokens", 5}, {"cross_entropy", nullptr}, {"perplexity", INFINITY}, {"bits_per_byte", "x"}};
  EXPECT_THAT(hub_results(record_with(broken, Json::object())), IsEmpty());
  EXPECT_THAT(front_matter(record_with(Json::object(), Json::object())),
              Not(HasSubstr("model-index")));
  RunRecord record = record_with(kEvaluation, kSuite);
  record.config.data.eval.clear();
  record.config.eval_suite.reset();
  EXPECT_THAT(hub_results(record), IsEmpty());
}

TEST(FrontMatter, SaysOfLicenseAndLanguageWhatTheRunFileDoes) {
  RunRecord record = record_with(Json::object(), Json::object());
  EXPECT_EQ(front_matter(record),
            "---\nlicense: \"unknown\"\nlibrary_name: transformers\n"
            "pipeline_tag: text-generation\ntags:\n- \"gladius\"\n---\n");
  record.config.card = {.license = "mit", .language = " en,no ,"};
  record.config.experts = {{.name = "a", .model = "/x/models--A--B"},
                           {.name = "b", .model = "/x/models--A--B"},
                           {.name = "c", .model = "/x/local"}};
  record.config.student.init = "/x/models--C--D";
  EXPECT_EQ(front_matter(record),
            "---\nlicense: \"mit\"\nlanguage:\n- \"en\"\n- \"no\"\n"
            "base_model:\n- \"C/D\"\n- \"A/B\"\nlibrary_name: transformers\n"
            "pipeline_tag: text-generation\ntags:\n- \"gladius\"\n"
            "- \"knowledge-distillation\"\n---\n");
}

}  // namespace
}  // namespace gladius::train
