#include "gladius/train/report/report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <regex>
#include <thread>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/sha256.h"
#include "gladius/train/distill.h"
#include "support/message_of.h"
#include "support/sanitizers.h"
#include "train/tiny_models.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Json;
using testing::message_of;
using ::testing::Not;
using testing::read_file;
using testing::TinyRun;
using testing::write_file;

class Report : public ::testing::Test {
 protected:
  fs::path out() const { return run_.directory / "out"; }

  // Evaluated every four steps, and at the end.
  Json evaluated_file() const {
    Json file = run_.distillation_file();
    file["data"]["eval"] = "data.jsonl";
    file["eval_every"] = 4;
    return file;
  }

  // Stops after so many steps, if it has them.
  void execute(const Json& file, std::int64_t stop_after = -1, bool resume = false) const {
    std::int64_t done = 0;
    distill(run_.config(file), out(), resume,
            {.begin = [](const auto&, const auto&) {},
             .step = [&](const StepRecord& record) { done = record.step + 1; },
             .info = [](const auto&) {},
             .warn = [](const auto&) {},
             .stop_requested = [&] { return done == stop_after; }});
  }

  // What the directory holds at the beginning, and nothing of its steps.
  void begin(const Json& file) const {
    execute(file, 1);
    for (const char* name : {"metrics.jsonl", "environment.json", "timeline.jsonl",
                             "events.out.tfevents.gladius", "report.md", "report.html"}) {
      fs::remove(out() / name);
    }
    fs::remove_all(out() / "checkpoints");
  }

  struct Pages {
    std::string markdown, html;
  };
  Pages report() const {
    write_report({out()});
    return {read_file(out() / "report.md"), read_file(out() / "report.html")};
  }

  static std::vector<std::string> sections(const std::string& html) {
    const std::regex heading("<h2 id=\"h[0-9]+\">([^<]*)</h2>");
    std::vector<std::string> found;
    for (std::sregex_iterator match(html.begin(), html.end(), heading), end; match != end;
         ++match) {
      found.push_back((*match)[1]);
    }
    return found;
  }

  static void expect_all_sections(const Pages& pages) {
    const auto found = sections(pages.html);
    EXPECT_THAT(found, ElementsAre("Results", "Plots", "Status", "Data", "Training method",
                                   "Training configuration", "Loss", "Convergence analysis",
                                   "Timeline", "Model architecture", "Parameter breakdown",
                                   "Memory", "Identification", "Hardware", "Safetensors analysis",
                                   "Files", "Complete tensor list", "Raw loss data"));
    for (const std::string& section : found) {
      EXPECT_THAT(pages.markdown, HasSubstr("\n## " + section + "\n"));
    }
  }

  static std::size_t plots(const std::string& html) {
    const std::regex plot("<svg class=\"plot\"");
    return static_cast<std::size_t>(
        std::distance(std::sregex_iterator(html.begin(), html.end(), plot), {}));
  }

  // The files of plots that the Markdown shows, each beside it.
  std::vector<std::string> plot_files(const std::string& markdown) const {
    const std::regex image(R"(\n!\[[^\]]*\]\(([^)]*)\)\n)");
    std::vector<std::string> files;
    for (std::sregex_iterator match(markdown.begin(), markdown.end(), image), end; match != end;
         ++match) {
      files.push_back((*match)[1]);
      EXPECT_THAT(read_file(out() / files.back()), ::testing::StartsWith("<svg xmlns="));
    }
    return files;
  }

  // What write_report() leaves, by name.
  std::map<std::string, std::string> report_files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(out())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("report")) files[name] = read_file(entry.path());
    }
    return files;
  }

  // All of a run with log_every 2, as the report gives them.
  static std::string metrics_json(const std::vector<StepRecord>& metrics) {
    Json raw;
    for (const StepRecord& record : metrics) {
      if (record.step % 2 != 0 && record.step + 1 != std::ssize(metrics)) continue;
      raw["step"].push_back(record.step);
      raw["loss"].push_back(record.loss);
      raw["loss_running_mean"].push_back(record.loss_running_mean);
      raw["loss_window_mean"].push_back(record.loss_window_mean);
    }
    return raw.dump();
  }

  TinyRun run_;
};

TEST_F(Report, OfARunThatIsComplete) {
  Json file = run_.distillation_file();
  file["data"]["eval"] = "data.jsonl";
  execute(file);
  const Pages pages = report();
  expect_all_sections(pages);
  EXPECT_EQ(plots(pages.html), 4u);
  EXPECT_THAT(plot_files(pages.markdown),
              ElementsAre("report-loss.svg", "report-gradient-norm.svg", "report-learning-rate.svg",
                          "report-throughput.svg"));
  const auto metrics = read_metrics(out() / "metrics.jsonl");
  const std::string sum = sha256_file(out() / "model" / "model.safetensors");
  for (const std::string& text :
       {std::string("| Training status | Complete |"),
        std::string("| Experts completed | 2 of 2 |"), sum + "  model/model.safetensors",
        fmt::format("{:.4f}", metrics.front().loss),
        fmt::format("{:.4f}", metrics.back().loss_running_mean),
        fmt::format("| Loss, mean of the last 100 | {:.4f} |", metrics.back().loss_window_mean),
        metrics_json(metrics), std::string("| Held-out perplexity | "),
        std::string("training finished"), std::string("| model/config.json |"),
        std::string("| Steps remaining | 0 |"),
        std::string("| model.layers.\\{i\\}.mlp.up\\_proj.weight |"),
        std::string("| model.layers.1.mlp.up\\_proj.weight |")}) {
    EXPECT_THAT(pages.markdown, HasSubstr(text));
  }
}

TEST_F(Report, BeforeTheFirstStep) {
  begin(run_.distillation_file());
  const Pages pages = report();
  expect_all_sections(pages);
  EXPECT_EQ(plots(pages.html), 0u);
  EXPECT_THAT(plot_files(pages.markdown), ::testing::IsEmpty());
  EXPECT_THAT(
      pages.markdown,
      AllOf(HasSubstr("| Training status | In progress |"), HasSubstr("| Steps | 0 of 13 |"),
            HasSubstr("No weights are written yet. The first checkpoint comes after step 4."),
            HasSubstr("No step has been made yet.")));
}

TEST_F(Report, BeforeTheFirstCheckpoint) {
  execute(run_.distillation_file(), 3);
  fs::remove_all(out() / "checkpoints");
  const Pages pages = report();
  expect_all_sections(pages);
  EXPECT_EQ(plots(pages.html), 4u);
  EXPECT_THAT(pages.markdown, HasSubstr("No weights are written yet."));
}

TEST_F(Report, InTheMiddle) {
  execute(run_.distillation_file(), 5);
  const Pages pages = report();
  expect_all_sections(pages);
  EXPECT_EQ(plots(pages.html), 4u);
  EXPECT_THAT(
      pages.markdown,
      AllOf(HasSubstr("| Training phase | 1 of 2 (one) |"), HasSubstr("| Steps | 5 of 13 |"),
            HasSubstr("  checkpoints/step-00000005/model.safetensors"),
            HasSubstr("| Steps remaining | 2 (one) + 6 (two) |"), HasSubstr("Time left"),
            ContainsRegex("\\| [-0-9]+T[:0-9]+Z \\| last step, 4 \\|\n"),
            ContainsRegex("\\| [-0-9]+T[:0-9]+Z \\| this report \\|\n")));
}

// What the student has come to, before anything else.
TEST_F(Report, BeginsWithTheHeldOutResult) {
  execute(evaluated_file());
  const Pages pages = report();
  const std::string top = pages.markdown.substr(0, pages.markdown.find("\n## Status\n"));
  const auto metrics = read_metrics(out() / "metrics.jsonl");
  const auto in_order = [&](const std::vector<std::string>& texts) {
    std::size_t at = 0;
    for (const std::string& text : texts) {
      at = top.find(text, at);
      ASSERT_NE(at, std::string::npos) << text << " not in its place in\n" << top;
    }
  };
  in_order({"distilled from one, two. Complete: 13 of 13 steps.\n\n## Results\n",
            fmt::format("| Held-out perplexity | {:.4f} |", metrics.back().evaluation->perplexity),
            fmt::format("| student, step 3 (first evaluation) | {:.4f} |",
                        metrics[3].evaluation->cross_entropy),
            "| student, trained | ", "| expert one | ", "| expert two | ",
            "<summary>4 evaluations</summary>", "\n## Plots\n", "![Loss](report-loss.svg)",
            "![Cross-entropy](report-cross-entropy.svg)"});
  EXPECT_THAT(pages.markdown, Not(HasSubstr("Change of the mean")));
}

TEST_F(Report, WithoutHeldOutDataBeginsWithTheLoss) {
  execute(run_.run_file());
  const auto metrics = read_metrics(out() / "metrics.jsonl");
  EXPECT_THAT(report().markdown,
              HasSubstr(fmt::format("trained on data alone. Complete: 12 of 12 steps.\n\n"
                                    "## Results\n\n| Metric | Value |\n|---|---|\n"
                                    "| Training loss, mean of the last 100 | {:.4f} |\n\n"
                                    "The run had no held-out data and no suite: it was not "
                                    "evaluated.\n",
                                    metrics.back().loss_window_mean)));
}

TEST_F(Report, NamesTheExpertsThatAreNotEvaluated) {
  Json file = run_.distillation_file();
  file["data"]["eval"] = "data.jsonl";
  file["experts"][1]["vocabulary"] = "truncate";
  execute(file);
  EXPECT_THAT(report().markdown,
              AllOf(HasSubstr("Not evaluated, for a vocabulary that is not the student's: two.\n"),
                    Not(HasSubstr("| expert two |"))));
}

TEST_F(Report, CountsWhatWasTrainedOnHeldOutAndCut) {
  write_file(run_.directory / "train.jsonl",
             "{\"input_ids\": [1, 2, 3, 4, 5, 6]}\n{\"input_ids\": [1, 2, 3]}\n{\"text\": 1}\n"
             "{\"input_ids\": [1, 2], \"labels\": [-100, -100]}\n");
  write_file(run_.directory / "held.jsonl", "{\"input_ids\": [1, 2, 3, 4, 5, 6, 7]}\n");
  Json file = run_.run_file();
  file["data"] = {{"train", "train.jsonl"},
                  {"eval", "held.jsonl"},
                  {"max_seq_len", 4},
                  {"on_bad_line", "skip"}};
  file["steps"] = 4;  // the first example comes twice
  execute(file);
  EXPECT_THAT(report().markdown, HasSubstr("Trained on 4 examples, 13 tokens in 4 steps; what is "
                                           "read again counts again. The files have:\n\n"
                                           "| Data | Training | Held out |\n|---|---:|---:|\n"
                                           "| Lines | 4 | 1 |\n"
                                           "| Examples | 3 | 1 |\n"
                                           "| Tokens | 9 | 4 |\n"
                                           "| Tokens with a label | 6 | 4 |\n"
                                           "| Longest example, in tokens | 4 | 4 |\n"
                                           "| Cut to the max sequence length | 1 | 1 |\n"
                                           "| Tokens cut off | 2 | 3 |\n"
                                           "| Labels lost by that | 1 | 2 |\n"
                                           "| Examples without a label | 1 | 0 |\n"
                                           "| Bad lines left out | 1 | 0 |\n"));
}

TEST_F(Report, OfACompleteRunIsAlwaysTheSame) {
  execute(evaluated_file());
  const auto before = report_files();
  EXPECT_EQ(before.size(), 7u);  // two pages, five plots
  EXPECT_THAT(before.at("report.md"), Not(HasSubstr("this report")));
  report();
  EXPECT_EQ(report_files(), before);
  for (const auto& [name, text] : before) fs::remove(out() / name);
  execute(evaluated_file(), -1, /*resume=*/true);
  EXPECT_EQ(report_files(), before);
}

// Checkpoints come and go while they are read.
TEST_F(Report, AtAnyTimeOfARunThatGoesOn) {
  Json file = run_.distillation_file();
  file["checkpoint_every"] = 1;
  file["keep_checkpoints"] = 1;
  std::jthread training([&] { execute(file); });
  const RunPaths paths{out()};
  while (!fs::exists(paths.run_json())) std::this_thread::yield();
  for (bool complete = false; !complete;) {
    const RunRecord record = RunRecord::read(paths);
    complete = record.complete;
    EXPECT_EQ(record.weights.size(), record.weight_files.size());
    EXPECT_FALSE(model_card(record).empty());
  }
}

TEST_F(Report, OfTensOfThousandsOfStepsIsShort) {
  constexpr std::int64_t kSteps = testing::kSanitized ? 10'000 : 50'000;
  Json file = run_.run_file();
  file["steps"] = kSteps;
  begin(file);
  std::string lines, events;
  StepRecord record;
  for (record.step = 0; record.step < kSteps; ++record.step) {
    record.loss = 1 + 1 / static_cast<double>(record.step + 1);
    record.loss_running_mean = 2;
    record.elapsed_s += 0.5;
    lines += record.to_json().dump() + "\n";
    if (record.step % 100 == 0)
      events += R"({"time": "now", "event": "checkpoint"})"
                "\n";
  }
  write_file(out() / "metrics.jsonl", lines);
  write_file(out() / "timeline.jsonl", events);
  const Pages pages = report();
  expect_all_sections(pages);
  EXPECT_LT(pages.html.size(), 3'000'000u);
  const std::string loss = pages.markdown.substr(pages.markdown.find("\n## Loss\n"));
  const std::string table = loss.substr(0, loss.find("\n## Convergence"));
  EXPECT_LT(std::ranges::count(table, '\n'), 70);
  EXPECT_THAT(table,
              AllOf(HasSubstr("| 0 | 2.0000 |"),
                    HasSubstr(testing::kSanitized ? "| 9,999 | 1.0001 |" : "| 49,999 | 1.0000 |")));
  EXPECT_THAT(pages.markdown,
              HasSubstr(testing::kSanitized ? "| ... | 70 more |" : "| ... | 470 more |"));
}

TEST_F(Report, EscapesWhateverComesFromTheRun) {
  const std::string name = "<script>alert('1')</script>\"&|`*";
  Json file = run_.distillation_file();
  file["experts"][0]["name"] = name;
  execute(file, 9);
  for (const char* path : {"environment.json", "evaluation.json"}) {
    write_file(out() / path, Json{{name, name}, {"list", {name}}}.dump());
  }
  write_file(out() / "timeline.jsonl", Json{{"time", name}, {"event", name}}.dump() + "\n");
  const fs::path renamed = run_.directory / "<img src=x onerror=alert(1)>";
  fs::rename(out(), renamed);
  write_report({renamed});
  const std::string html = read_file(renamed / "report.html");
  EXPECT_THAT(html,
              AllOf(Not(HasSubstr("<script")), Not(HasSubstr("<img")),
                    HasSubstr("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;|`*")));
  // Outside of fenced code, which shows it as it is.
  const std::string markdown = std::regex_replace(
      read_file(renamed / "report.md"), std::regex("\n```json\n[^\n]*(\n [^\n]*)*\n[^`]*```"), "");
  EXPECT_THAT(markdown, AllOf(Not(ContainsRegex("[^\\]<(script|img)")),
                              HasSubstr("\\<script\\>alert('1')\\</script\\>\"\\&\\|\\`\\*")));
}

TEST_F(Report, ChangesCountFromTheFirstFiniteLoss) {
  begin(run_.run_file());
  StepRecord first, second;
  first.loss = first.loss_running_mean = NAN;
  second.step = 1;
  second.loss = second.loss_running_mean = 8;
  StepRecord third = second;
  third.step = 2;
  third.loss_running_mean = 6;
  std::string lines;
  for (const StepRecord& record : {first, second, third}) lines += record.to_json().dump() + "\n";
  write_file(out() / "metrics.jsonl", lines);
  EXPECT_THAT(report().markdown, AllOf(HasSubstr("| Initial loss | 8.0000 |"),
                                       HasSubstr("| Reduction of the mean | 25.0% |")));
}

TEST_F(Report, NeedsARun) {
  EXPECT_THAT(message_of<IoError>([&] { write_report({run_.directory.path()}); }),
              HasSubstr("holds no run"));
}

}  // namespace
}  // namespace gladius::train
