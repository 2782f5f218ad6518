#include "gladius/train/watch/metrics_follower.h"

namespace gladius::train {

NewMetrics MetricsFollower::read() {
  const NewLines lines = lines_.look();
  NewMetrics out{.started_over = lines.started_over, .more = lines.more, .steps = {}};
  for (std::size_t begin = 0; begin < lines.text.size();) {
    const std::size_t end = lines.text.find('\n', begin);
    out.steps.push_back(read_metrics_line(lines.text.substr(begin, end - begin), path_,
                                          lines.line + std::ssize(out.steps)));
    begin = end + 1;
  }
  lines_.take(lines, std::ssize(out.steps));
  return out;
}

}  // namespace gladius::train
