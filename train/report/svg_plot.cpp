#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gladius/train/report/document.h"

namespace gladius {
namespace {

constexpr double kWidth = 800, kHeight = 240, kLeft = 64, kRight = 12, kTop = 28, kBottom = 32;
constexpr std::size_t kMaxPoints = 400;
constexpr int kGridLines = 4;

// Of each stretch of neighbours the first; points that are not finite are left out.
std::vector<Plot::Point> thinned(const std::vector<Plot::Point>& points) {
  std::vector<Plot::Point> finite;
  std::ranges::copy_if(points, std::back_inserter(finite),
                       [](const Plot::Point& point) { return std::isfinite(point.y); });
  const std::size_t stride = finite.size() / kMaxPoints + 1;
  std::vector<Plot::Point> kept;
  for (std::size_t i = 0; i < finite.size(); i += stride) kept.push_back(finite[i]);
  if (!finite.empty() && (finite.size() - 1) % stride != 0) kept.push_back(finite.back());
  return kept;
}

// From values to places in the picture.
struct Axes {
  double x0, x1, y0, y1;

  explicit Axes(const std::vector<Plot::Point>& points)
      : x0(points.front().x), x1(points.back().x), y0(points[0].y), y1(points[0].y) {
    for (const Plot::Point& point : points) {
      y0 = std::min(y0, point.y);
      y1 = std::max(y1, point.y);
    }
    if (x1 == x0) x1 = x0 + 1;
    if (y1 == y0) y1 = y0 + std::max(1e-12, std::abs(y0) * 0.1);
  }
  double x(double value) const {
    return kLeft + (value - x0) / (x1 - x0) * (kWidth - kLeft - kRight);
  }
  double y(double value) const {
    return kHeight - kBottom - (value - y0) / (y1 - y0) * (kHeight - kTop - kBottom);
  }
};

std::string grid(const Axes& axes) {
  std::string svg;
  for (int i = 0; i <= kGridLines; ++i) {
    const double fraction = static_cast<double>(i) / kGridLines;
    const double value = axes.y0 + fraction * (axes.y1 - axes.y0);
    const double step = axes.x0 + fraction * (axes.x1 - axes.x0);
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{:.4g}</text>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{:.0f}</text>\n",
        kLeft, kWidth - kRight, axes.y(value), axes.y(value), kLeft - 6, axes.y(value) + 4, value,
        axes.x(step), kHeight - kBottom + 16, step);
  }
  return svg;
}

}  // namespace

std::string to_svg(const Plot& plot) {
  const std::vector<Plot::Point> points = thinned(plot.points);
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n"
      "<text x=\"{}\" y=\"16\">{}</text>\n",
      kWidth, kHeight, escape_html(plot.title), kLeft, escape_html(plot.title));
  if (!points.empty()) {
    const Axes axes(points);
    svg += grid(axes);
    std::string line, hover;
    for (const Plot::Point& point : points) {
      line += fmt::format("{:.1f},{:.1f} ", axes.x(point.x), axes.y(point.y));
      hover += fmt::format(
          "<circle class=\"hover\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"><title>step {:.0f}: "
          "{:.6g}</title></circle>\n",
          axes.x(point.x), axes.y(point.y), point.x, point.y);
    }
    svg += fmt::format("<polyline class=\"line\" points=\"{}\"/>\n{}", line, hover);
  }
  return svg + "</svg>\n";
}

}  // namespace gladius
