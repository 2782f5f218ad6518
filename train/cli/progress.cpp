#include "progress.h"

#include <fmt/format.h>

#include <cmath>

#include "gladius/tensor/base/text_format.h"

namespace gladius::cli {

Progress::Progress(const Options& options) : options_(options), terminal_(is_terminal()) {}

void Progress::begin(const train::TrainingPlan& plan, const train::TrainerState& state) {
  total_steps_ = plan.total_steps();
  before_ = state;
  done_ = state.step;
  first_loss_ = state.first_loss;
}

void Progress::step(const train::StepRecord& record) {
  if (!first_loss_ && std::isfinite(record.loss)) first_loss_ = record.loss;
  const std::int64_t done = done_ = record.step + 1;
  if (record.evaluation) validation_ = record.evaluation->cross_entropy;
  const bool due = record.step % options_.log_every == 0 || done == total_steps_;
  if (due) print_result(record);
  if (options_.quiet || (!terminal_ && !due)) return;
  const double step_seconds =
      (record.elapsed_s - before_.elapsed_s) / static_cast<double>(done - before_.step);
  const std::string window =
      fmt::format("  last {} {:.4f}", train::kLossWindow, record.loss_window_mean);
  const std::string validation =
      validation_ ? fmt::format("  validation {:.4f}", *validation_) : "";
  const std::string ranks = record.ranks && record.ranks->waiting
                                ? fmt::format(" by {}, waiting {:.0f}%", record.ranks->count,
                                              *record.ranks->waiting * 100)
                                : "";
  const auto line = [&](const std::string& more) {
    return fmt::format("step {}/{}  loss {:.4f}  mean {:.4f}{}  {:.0f} tokens/s{}  {} left", done,
                       total_steps_, record.loss, record.loss_running_mean, more,
                       record.tokens_per_s, ranks,
                       format_duration(step_seconds * static_cast<double>(total_steps_ - done)));
  };
  if (terminal_) {
    const std::int64_t columns = terminal_columns();
    const std::string all = line(window + validation);
    bar_.draw(std::ssize(all) < columns ? all : line(""), done, total_steps_);
  } else {
    log("{}\n", line(window + validation));
  }
}

void Progress::evaluating(const std::string& what) {
  if (options_.quiet || !terminal_) return;
  bar_.draw(fmt::format("step {}/{}  evaluating the {}", done_, total_steps_, what), done_,
            total_steps_);
}

void Progress::message(const std::string& text) {
  bar_.erase();
  log("gladius: {}\n", message_line(text));
}

void Progress::print_result(const train::StepRecord& record) {
  bar_.erase();
  if (options_.json) {
    print_row(record.to_json().dump());
    return;
  }
  if (!header_shown_) {
    print_row(fmt::format("{:>8}  {:>10}  {:>12}  {:>17}", "Step", "Loss", "Running mean",
                          "Change from start"));
    header_shown_ = true;
  }
  const std::string change = record.step == 0 || !first_loss_
                                 ? "baseline"
                                 : format_change(record.loss_running_mean, *first_loss_);
  print_row(fmt::format("{:>8}  {:>10.4f}  {:>12.4f}  {:>17}", record.step, record.loss,
                        record.loss_running_mean, change));
}

void Progress::print_row(const std::string& text) {
  if (lost_output_) return;
  try {
    print("{}\n", text);
  } catch (const OutputError& error) {
    lost_output_ = error;
    if (!options_.quiet) message(fmt::format("warning: {}; the run goes on", error.what()));
  }
}

}  // namespace gladius::cli
