#include "gladius/train/run/kept_metrics.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "gladius/tensor/base/error.h"
#include "gladius/tensor/base/text_file.h"

namespace gladius::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDamaged = ".damaged";

struct Lines {
  std::string text;
  std::int64_t count = 0, first_missing = 0;
  bool others = false;  // there are lines that no step of the run has left there
};

// The line's step, if it is a line of metrics.
std::optional<std::int64_t> step_of(std::string_view line) {
  try {
    return StepRecord::from_json(nlohmann::ordered_json::parse(line)).step;
  } catch (const std::exception&) {
    return {};
  }
}

// The whole lines of steps below `steps`, each later than the one before.
Lines readable_lines(std::string_view text, std::int64_t steps) {
  Lines lines;
  std::int64_t next = 0;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    const std::string_view line = text.substr(0, end + 1);
    text.remove_prefix(end + 1);
    const auto step = step_of(line);
    if (step && *step >= steps) continue;  // will be made again
    if (!step || *step < next) {
      lines.others = true;
      continue;
    }
    if (*step == lines.first_missing) ++lines.first_missing;
    next = *step + 1;
    lines.text += line;
    ++lines.count;
  }
  return lines;
}

bool is_as_marked(std::string_view text, const MetricsMark& mark) {
  return !mark.sha256.empty() && text.size() >= mark.bytes &&
         sha256(std::as_bytes(std::span(text).first(mark.bytes))) == mark.sha256;
}

std::string warn_of(const fs::path& metrics, const Lines& lines, std::int64_t steps) {
  constexpr const char* kGoesOn = "the weights do not depend on it";
  if (lines.count == steps) {
    return fmt::format(
        "{} was changed by something else than this run: its lines are kept as they are, so its "
        "history before step {} may be wrong; {}",
        metrics.string(), steps, kGoesOn);
  }
  return fmt::format(
      "{} lacks the lines of {} of the {} steps so far (the first: step {}), so the loss history "
      "has a gap; {}",
      metrics.string(), steps - lines.count, steps, lines.first_missing, kGoesOn);
}

// The file is to have these lines instead.
void set_aside(KeptMetrics& kept, const fs::path& metrics, std::string lines) {
  kept.lines = std::move(lines);
  kept.warning +=
      fmt::format("; the file is set aside as {}{}", metrics.filename().string(), kDamaged);
}

}  // namespace

KeptMetrics find_kept_metrics(const fs::path& metrics, const MetricsMark& mark,
                              std::int64_t steps) {
  const std::string text = fs::exists(metrics) ? read_text_file(metrics) : "";
  if (is_as_marked(text, mark)) return {.bytes = mark.bytes, .lines = {}, .warning = ""};
  const Lines lines = readable_lines(text, steps);
  KeptMetrics kept;
  // Checkpoints of older versions know no sum.
  const bool is_fine = lines.count == steps && mark.sha256.empty();
  if (!is_fine) kept.warning = warn_of(metrics, lines, steps);
  if (!lines.others && text.starts_with(lines.text)) {
    kept.bytes = lines.text.size();
  } else {
    set_aside(kept, metrics, lines.text);
  }
  return kept;
}

KeptMetrics find_complete_metrics(const fs::path& metrics, const MetricsMark& mark,
                                  std::int64_t steps) {
  KeptMetrics kept = find_kept_metrics(metrics, mark, steps);
  if (!kept.warning.empty()) return kept;
  const std::string text = read_text_file(metrics);
  if (text.size() > kept.bytes) {
    kept.warning = fmt::format(
        "{} has {} bytes after the line of the run's last step, which are not "
        "of this run",
        metrics.string(), text.size() - kept.bytes);
    set_aside(kept, metrics, text.substr(0, kept.bytes));
  }
  return kept;
}

void keep_metrics(const fs::path& metrics, const KeptMetrics& kept) {
  if (!kept.lines) {
    own_file(metrics);
    AppendFile(metrics).cut(kept.bytes);
    return;
  }
  std::error_code error;
  fs::rename(metrics, metrics.string() + kDamaged, error);
  if (error) throw_io_error("set aside", metrics, error.value());
  write_text_file(metrics, *kept.lines);
}

}  // namespace gladius::train
