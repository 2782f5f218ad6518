#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gladius/tensor/base/text_format.h"
#include "gladius/train/report/document.h"
#include "gladius/train/report/plot.h"
#include "svg_style.h"

namespace gladius::train {
namespace {

constexpr std::size_t kMostStretches = 250;
constexpr int kTicks = 4;
// In pixels. Widths are percentages of the place that the page gives, so that text keeps its size.
constexpr double kPlotHeight = 200, kLineHeight = 16, kGap = 10, kBelow = 26;
constexpr double kWidth = 1000;  // units across a line, which is stretched
// Of a file, and what it has around the plot.
constexpr double kFileWidth = 720, kFileTop = 32, kFileLeft = 64, kFileRight = 24;

std::string format_step(double step) { return format_count(std::llround(step)); }

struct Axes {
  std::vector<double> x_ticks, y_ticks;
  double x0, x1, top;

  Axes(const std::vector<PlotStretch>& points, std::size_t series)
      : x0(points.front().first),
        x1(points.back().last),
        top(static_cast<double>(series + 1) * kLineHeight + kGap) {
    double low = INFINITY, high = -INFINITY;
    for (const PlotStretch& point : points) {
      for (const PlotStretch::Range& range : point.ranges) {
        if (std::isnan(range.mean)) continue;
        low = std::min(low, range.low);
        high = std::max(high, range.high);
      }
    }
    y_ticks = low <= high ? round_ticks(low, high, kTicks) : round_ticks(0, 1, kTicks);
    if (x1 == x0) x1 = x0 + 1;
    for (const double tick : round_ticks(x0, x1, kTicks + 1)) {
      if (tick >= x0 && tick <= x1 && tick == std::round(tick)) x_ticks.push_back(tick);
    }
  }

  double fraction(double step) const { return (step - x0) / (x1 - x0); }
  double percent(double step) const { return 100 * fraction(step); }
  double y(double value) const {
    const double share = (value - y_ticks.front()) / (y_ticks.back() - y_ticks.front());
    return top + kPlotHeight * (1 - share);
  }
  double bottom() const { return top + kPlotHeight; }
};

double middle(const PlotStretch& stretch) { return (stretch.first + stretch.last) / 2; }

std::string grid(const Axes& axes) {
  std::string svg;
  for (const double tick : axes.y_ticks) {
    svg += fmt::format(
        "<line class=\"grid\" x2=\"100%\" y1=\"{0:.1f}\" y2=\"{0:.1f}\"/>"
        "<text class=\"y\" x=\"-8\" y=\"{1:.1f}\">{2:.6g}</text>\n",
        axes.y(tick), axes.y(tick) + 4, tick);
  }
  for (const double tick : axes.x_ticks) {
    svg += fmt::format("<text class=\"x\" x=\"{:.2f}%\" y=\"{:.0f}\">{}</text>\n",
                       axes.percent(tick), axes.bottom() + 18, format_step(tick));
  }
  return svg;
}

std::string marks(const std::vector<Plot::Mark>& marks, const Axes& axes) {
  std::string svg;
  for (const auto& [step, label] : marks) {
    if (step < axes.x0 || step > axes.x1) continue;
    svg += fmt::format(
        "<line class=\"mark\" x1=\"{0:.2f}%\" x2=\"{0:.2f}%\" y1=\"{1:.0f}\" y2=\"{2:.0f}\"/>"
        "<text class=\"mark\" x=\"{0:.2f}%\" dx=\"4\" y=\"{3:.0f}\">{4}</text>\n",
        axes.percent(step), axes.top, axes.bottom(), axes.top + 12, escape_html(label));
  }
  return svg;
}

using Run = std::vector<PlotStretch>;

// The points that a line joins: those between points without a value, or all where they are sparse.
std::vector<Run> unbroken(const std::vector<PlotStretch>& points, std::size_t series, bool sparse) {
  std::vector<Run> runs;
  bool ended = true;
  for (const PlotStretch& point : points) {
    if (std::isnan(point.ranges[series].mean)) {
      ended = ended || !sparse;
      continue;
    }
    if (ended) runs.emplace_back();
    runs.back().push_back(point);
    ended = false;
  }
  return runs;
}

std::string line(const Run& run, std::size_t series, const Axes& axes) {
  std::string path;
  for (const PlotStretch& point : run) {
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "M" : "L",
                        kWidth * axes.fraction(middle(point)), axes.y(point.ranges[series].mean));
  }
  return path + (run.size() == 1 ? "h0" : "");  // a point alone is a dot
}

// Along the lows and back along the highs.
std::string band(const Run& run, std::size_t series, const Axes& axes) {
  std::string there, back;
  for (const PlotStretch& point : run) {
    const PlotStretch::Range& range = point.ranges[series];
    const double x = kWidth * axes.fraction(middle(point));
    there += fmt::format("{}{:.1f},{:.1f}", there.empty() ? "M" : "L", x, axes.y(range.low));
    back = fmt::format("L{:.1f},{:.1f}", x, axes.y(range.high)) + back;
  }
  return there + back + "Z";
}

std::string lines(const Plot& plot, const std::vector<PlotStretch>& points, const Axes& axes) {
  std::string svg = fmt::format(
      "<svg y=\"{0:.0f}\" width=\"100%\" height=\"{1:.0f}\" viewBox=\"0 {0:.0f} {2:.0f} {1:.0f}\" "
      "preserveAspectRatio=\"none\">\n",
      axes.top, kPlotHeight, kWidth);
  for (std::size_t i = 0; i < points.front().ranges.size(); ++i) {
    std::string bands, line_;
    for (const Run& run : unbroken(points, i, plot.series[i].sparse)) {
      bands += band(run, i, axes);
      line_ += line(run, i, axes);
    }
    svg +=
        fmt::format("<path class=\"band s{0}\" d=\"{1}\"/><path class=\"line s{0}\" d=\"{2}\"/>\n",
                    i, bands, line_);
  }
  return svg + "</svg>\n";
}

std::string describe(const PlotStretch::Range& range) {
  if (std::isnan(range.mean)) return "-";
  if (range.low == range.high) return fmt::format("{:.5g}", range.mean);
  return fmt::format("{:.5g} ({:.5g} to {:.5g})", range.mean, range.low, range.high);
}

double legend_y(std::size_t series) { return 12 + kLineHeight * static_cast<double>(series + 1); }

// The colour of each series, before its line of values_text().
std::string keys(const Plot& plot) {
  std::string svg;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    svg +=
        fmt::format("<rect class=\"key s{}\" y=\"{:.0f}\" width=\"16\" height=\"3\" rx=\"1.5\"/>\n",
                    i, legend_y(i) - 6);
  }
  return svg;
}

// A line for the steps and one for each series, above the plot.
std::string values_text(const Plot& plot, const PlotStretch& point) {
  const std::string first = format_step(point.first), last = format_step(point.last);
  std::string svg = fmt::format(
      "<text y=\"12\">{}</text>",
      first == last ? fmt::format("step {}", first) : fmt::format("steps {} to {}", first, last));
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    svg += fmt::format("<text x=\"22\" y=\"{:.0f}\">{}: {}</text>", legend_y(i),
                       escape_html(plot.series[i].name), describe(point.ranges[i]));
  }
  return svg;
}

// A column as wide as its stretch; the page shows the rest of the group while it is pointed at.
std::string readout(const Plot& plot, const PlotStretch& point, double width, const Axes& axes) {
  const double x = axes.percent(middle(point));
  std::string svg = fmt::format(
      "<g class=\"at\"><rect x=\"{0:.2f}%\" y=\"{1:.0f}\" width=\"{2:.2f}%\" height=\"{5:.0f}\"/>"
      "<line x1=\"{3:.2f}%\" x2=\"{3:.2f}%\" y1=\"{1:.0f}\" y2=\"{4:.0f}\"/>",
      x - width / 2, axes.top, width, x, axes.bottom(), kPlotHeight);
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const double value = point.ranges[i].mean;
    if (std::isnan(value)) continue;
    svg += fmt::format("<circle class=\"s{}\" cx=\"{:.2f}%\" cy=\"{:.1f}\" r=\"4\"/>", i, x,
                       axes.y(value));
  }
  return svg + values_text(plot, point) + "</g>\n";
}

// All but the values.
std::string drawing(const Plot& plot, const std::vector<PlotStretch>& points, const Axes& axes) {
  return grid(axes) + marks(plot.marks, axes) + lines(plot, points, axes) + keys(plot);
}

std::string last_values(const Plot& plot, const std::vector<PlotStretch>& points) {
  return fmt::format("<g class=\"last\">{}</g>\n", values_text(plot, points.back()));
}

std::string picture(const Plot& plot) {
  const std::vector<PlotStretch> points = stretches(plot, kMostStretches);
  const Axes axes(points, plot.series.size());
  std::string svg =
      fmt::format("<svg class=\"plot\" height=\"{:.0f}\" role=\"img\" aria-label=\"{}\">\n",
                  axes.bottom() + kBelow, escape_html(plot.title));
  svg += drawing(plot, points, axes);
  const double width = 100.0 / static_cast<double>(std::max<std::size_t>(points.size() - 1, 1));
  for (const PlotStretch& point : points) svg += readout(plot, point, width, axes);
  return svg + last_values(plot, points) + "</svg>\n";
}

}  // namespace

std::string to_svg(const Plot& plot) {
  return fmt::format("<figure>\n<figcaption><b>{}</b></figcaption>\n{}</figure>\n",
                     escape_html(plot.title), plot.steps.empty() ? "" : picture(plot));
}

std::string to_svg_file(const Plot& plot) {
  const std::vector<PlotStretch> points = stretches(plot, kMostStretches);
  const Axes axes(points, plot.series.size());
  const double height = axes.bottom() + kBelow;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\" aria-label=\"{2}\">\n<style>{3}</style>\n"
      "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n"
      "<text class=\"title\" x=\"{4:.0f}\" y=\"24\">{2}</text>\n"
      "<svg x=\"{4:.0f}\" y=\"{5:.0f}\" width=\"{6:.0f}\" "
      "height=\"{7:.0f}\">\n{8}{9}</svg>\n</svg>\n",
      kFileWidth, kFileTop + height, escape_html(plot.title), kSvgStyle, kFileLeft, kFileTop,
      kFileWidth - kFileLeft - kFileRight, height, drawing(plot, points, axes),
      last_values(plot, points));
}

}  // namespace gladius::train
