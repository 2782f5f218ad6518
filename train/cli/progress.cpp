#include "progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "gladius/tensor/quoted.h"
#include "gladius/train/text_format.h"

namespace gladius::cli {
namespace {

constexpr std::int64_t kBarWidth = 20, kLeastBarWidth = 5;

// Columns of the terminal on standard error, now: it may be resized.
std::int64_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string bar(std::int64_t done, std::int64_t total, std::int64_t width) {
  const std::int64_t filled = done * width / total;
  return fmt::format("[{:=>{}}{: >{}}] ", "", filled, "", width - filled);
}

// The line with a bar before it, in less than `columns`: what wraps cannot be drawn over.
std::string fit(const std::string& line, std::int64_t done, std::int64_t total,
                std::int64_t columns) {
  constexpr std::int64_t kAround = 4;  // brackets, a space, and the last column
  const std::int64_t room = columns - kAround - std::ssize(line);
  const std::string all =
      room < kLeastBarWidth ? line : bar(done, total, std::min(room, kBarWidth)) + line;
  return all.substr(0, static_cast<std::size_t>(std::max<std::int64_t>(columns - 1, 0)));
}

}  // namespace

Progress::Progress(const Options& options)
    : options_(options), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() { erase_bar(); }

void Progress::begin(const TrainingPlan& plan, const TrainerState& state) {
  total_steps_ = plan.total_steps();
  before_ = state;
  done_ = state.step;
  first_loss_ = state.first_loss;
}

void Progress::step(const StepRecord& record) {
  if (!first_loss_ && std::isfinite(record.loss)) first_loss_ = record.loss;
  const std::int64_t done = done_ = record.step + 1;
  if (record.evaluation) validation_ = record.evaluation->cross_entropy;
  const bool due = record.step % options_.log_every == 0 || done == total_steps_;
  if (due) print_result(record);
  if (options_.quiet || (!terminal_ && !due)) return;
  const double step_seconds =
      (record.elapsed_s - before_.elapsed_s) / static_cast<double>(done - before_.step);
  const std::string window = fmt::format("  last {} {:.4f}", kLossWindow, record.loss_window_mean);
  const std::string validation =
      validation_ ? fmt::format("  validation {:.4f}", *validation_) : "";
  const auto line = [&](const std::string& more) {
    return fmt::format("step {}/{}  loss {:.4f}  mean {:.4f}{}  {:.0f} tokens/s  {} left", done,
                       total_steps_, record.loss, record.loss_running_mean, more,
                       record.tokens_per_s,
                       format_duration(step_seconds * static_cast<double>(total_steps_ - done)));
  };
  if (terminal_) {
    const std::int64_t columns = terminal_columns();
    const std::string all = line(window + validation);
    draw_bar(std::ssize(all) < columns ? all : line(""), done);
  } else {
    log("{}\n", line(window + validation));
  }
}

void Progress::evaluating(const std::string& what) {
  if (options_.quiet || !terminal_) return;
  draw_bar(fmt::format("step {}/{}  evaluating the {}", done_, total_steps_, what), done_);
}

void Progress::draw_bar(const std::string& line, std::int64_t done) {
  log("\r\x1b[K{}", fit(line, done, total_steps_, terminal_columns()));
  bar_shown_ = true;
}

void Progress::message(const std::string& text) {
  erase_bar();
  log("gladius: {}\n", printable(text));
}

void Progress::print_result(const StepRecord& record) {
  erase_bar();
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

void Progress::erase_bar() {
  if (!bar_shown_) return;
  log("\r\x1b[K");
  bar_shown_ = false;
}

}  // namespace gladius::cli
