#include "gladius/train/loop/expert_evaluations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "train/loop/validation_fixture.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::execute;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;
using testing::read_file;
using testing::weights;

TEST_F(ValidationTest, PutsTheExpertsBesideTheStudent) {
  Json twice = file();
  twice["experts"][1]["vocabulary"] = "truncate";
  std::vector<std::string> told;
  stop_at(run_.config(twice), out(), false, 0, &told);
  const Json recorded = Json::parse(read_file(out() / "expert_evaluations.json"));
  ASSERT_EQ(recorded.at("experts").size(), 1u);
  const Json& expert = recorded.at("experts").at(0);
  const Evaluation expected = evaluation_of(*load_model(run_.directory / "expert"));
  EXPECT_EQ(expert.at("expert"), "one");
  EXPECT_EQ(expert.at("cross_entropy"), expected.cross_entropy);
  EXPECT_EQ(expert.at("perplexity"), expected.perplexity);
  EXPECT_EQ(expert.at("tokens"), expected.tokens);
  EXPECT_THAT(told, ::testing::Contains(AllOf(HasSubstr("evaluation: cross-entropy "),
                                              HasSubstr("tokens (max_seq_len 512, loss_on all)"),
                                              HasSubstr("; expert one: cross-entropy "))));
  EXPECT_THAT(read_file(out() / "report.md"),
              AllOf(HasSubstr("| Model | Cross-entropy | Perplexity | Bits per byte | Tokens |"),
                    HasSubstr("| student, trained | "), HasSubstr("| expert one | "),
                    HasSubstr("loss\\_on all, examples cut at 512 tokens"),
                    HasSubstr("<summary>4 evaluations</summary>"), Not(HasSubstr("best/"))));
  EXPECT_THAT(read_file(out() / "report.html"),
              AllOf(HasSubstr("<b>Cross-entropy</b>"), HasSubstr("<td>expert one</td>")));
}

TEST_F(ValidationTest, AnExpertThatTeachesTwiceIsEvaluatedOnce) {
  int evaluated = 0;
  distill(run_.config(file()), out(), false,
          {.begin = [](const auto&, const auto&) {},
           .step = [](const auto&) {},
           .info = [](const auto&) {},
           .warn = [](const auto&) {},
           .stop_requested = [] { return false; },
           .evaluating = [&](const std::string& what) { evaluated += what != "student"; }});
  EXPECT_EQ(evaluated, 1);
  Json experts = Json::parse(read_file(out() / "expert_evaluations.json")).at("experts");
  ASSERT_EQ(experts.size(), 2u);
  EXPECT_EQ(experts[0].at("expert"), "one");
  EXPECT_EQ(experts[1].at("expert"), "two");
  for (Json& expert : experts) expert.erase("expert");
  EXPECT_EQ(experts[0], experts[1]);
}

TEST_F(ValidationTest, MayBeStoppedWhileAnExpertIsEvaluated) {
  evaluate_in_passes();
  const RunConfig config = run_.config(file());
  const RunOutcome stopped = stop_at(config, out(), false, 1);
  EXPECT_FALSE(stopped.complete);
  EXPECT_EQ(stopped.steps, 0);
  EXPECT_TRUE(execute(config, out(), true).complete);
  EXPECT_TRUE(fs::exists(out() / "expert_evaluations.json"));
  execute(config, out("whole"));
  EXPECT_EQ(weights(out()), weights(out("whole")));
}

}  // namespace
}  // namespace gladius::train
