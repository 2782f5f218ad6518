// Lines over the steps of a run.
#pragma once

#include <string>
#include <vector>

namespace gladius::train {

/// Several lines over the same steps.
struct Plot {
  struct Series {
    std::string name;
    std::vector<double> values;  // one for each step; what is not finite is left out
    /// The values are of some steps only, and a line joins them; otherwise what is left out is a
    /// gap.
    bool sparse = false;
  };
  /// A step at which something begins.
  struct Mark {
    double step;
    std::string label;
  };

  std::string title;
  std::vector<double> steps;  // ascending
  std::vector<Series> series;
  std::vector<Mark> marks;
  /// Where to_svg_file() of it is written, beside the Markdown, which shows it; none: left out.
  std::string file = {};
};

/// What is drawn for some neighbouring steps: of each series the mean and the range.
struct PlotStretch {
  struct Range {
    double low, mean, high;  // NaN where none of the values is finite
  };
  double first, last;  // steps
  std::vector<Range> ranges;
};

/// The steps in at most `most` stretches of equal length (the last may be shorter), so that many
/// steps are few points and no extreme is lost.
std::vector<PlotStretch> stretches(const Plot& plot, std::size_t most);

/// Round numbers (1, 2 or 5 times a power of ten apart), about `count` of them, the first not above
/// `low` and the last not below `high`.
std::vector<double> round_ticks(double low, double high, int count);

/// An inline SVG figure, as wide as its place, styled by the page. Pointing at a step shows its
/// values; there is no script.
std::string to_svg(const Plot& plot);

/// The same, of a plot with steps, as a file that stands alone, and without the values of each
/// step.
std::string to_svg_file(const Plot& plot);

}  // namespace gladius::train
