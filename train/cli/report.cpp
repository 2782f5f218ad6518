// gladius report: a run's model card.
#include "gladius/train/report/report.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "commands.h"
#include "gladius/train/run/model_paths.h"
#include "output.h"
#include "support.h"

namespace gladius::cli {
namespace {

void run(const std::string& directory, const Common& common) {
  const train::RunPaths paths = train::find_run(directory);
  train::write_report(paths);
  if (common.json) {
    const nlohmann::ordered_json files{{"markdown", paths.report_markdown().string()},
                                       {"html", paths.report_html().string()}};
    print_json(files);
  } else {
    print("{}\n{}\n", paths.report_markdown().string(), paths.report_html().string());
  }
}

}  // namespace

void add_report(CLI::App& program, const Common& common) {
  CLI::App* command = add_command(
      program, "report",
      "Writes a run's model card, report.md with its plots (report-*.svg) and report.html, at any "
      "time of the run",
      "gladius report runs/mine");
  const auto directory = std::make_shared<std::string>();
  add_subject(*command, "--run,--model,RUN_DIR", *directory,
              "The run's directory, or its model or checkpoint");
  command->callback([directory, &common] { run(*directory, common); });
}

}  // namespace gladius::cli
