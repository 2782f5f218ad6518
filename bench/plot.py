"""Charts as SVG, readable on light and dark pages."""

import math
from html import escape

WIDTH, LEFT, RIGHT = 900, 340, 40
STYLE = """
svg { --page: #ffffff; --ink: #1f2328; --soft: #59636e; --grid: #d1d9e0;
      --c0: #9ec5f4; --c1: #3987e5; --c2: #184f95; --c3: #eb6834; }
@media (prefers-color-scheme: dark) {
  svg { --page: #0d1117; --ink: #f0f6fc; --soft: #9198a1; --grid: #3d444d;
        --c0: #cde2fb; --c1: #5598e7; --c2: #256abf; --c3: #d95926; }
}
text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.soft { fill: var(--soft); }
.grid { stroke: var(--grid); }
.bound { stroke: var(--ink); stroke-dasharray: 4 3; }
"""


class Chart:
    """Rows under each other over one scale from `low`; the line at `bound` is drawn as such."""

    def __init__(self, title, axis, series, rows, limit, row_height=18, low=0, bound=1):
        self.low, self.limit = low, limit
        self.top = 78
        self.row_height = row_height
        self.bottom = self.top + row_height * rows
        self.parts = []
        self.text(16, 24, title, "font-weight:600;font-size:15px")
        x = 16
        for i, name in enumerate(series):
            if not name:
                continue
            self.parts.append(f'<circle cx="{x + 5}" cy="42" r="5" fill="var(--c{i})"/>')
            self.text(x + 16, 46, name)
            x += 34 + 7 * len(name)
        self.text((LEFT + WIDTH - RIGHT) / 2, 66, axis, "text-anchor:middle", "soft")
        steps = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if (limit - low) / step <= 10)
        for i in range(math.ceil(low / steps - 1e-9), int(limit / steps + 1e-9) + 1):
            value = i * steps
            kind = "bound" if abs(value - bound) < 1e-9 else "grid"
            self.parts.append(f'<line class="{kind}" x1="{self.x(value):.1f}" y1="{self.top}" '
                              f'x2="{self.x(value):.1f}" y2="{self.bottom}"/>')
            self.text(self.x(value), self.bottom + 16, f"{value:g}", "text-anchor:middle", "soft")

    def x(self, value):
        return LEFT + (WIDTH - LEFT - RIGHT) * (min(value, self.limit) - self.low) / (self.limit - self.low)

    def y(self, row):
        return self.top + self.row_height * (row + 0.5)

    def text(self, x, y, text, style="", kind=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}"' + (f' class="{kind}"' if kind else "")
                          + (f' style="{style}"' if style else "") + f">{escape(text)}</text>")

    def label(self, row, text):
        self.text(LEFT - 10, self.y(row) + 4, text, "text-anchor:end")

    def dot(self, row, value, color):
        self.parts.append(f'<circle cx="{self.x(value):.1f}" cy="{self.y(row):.1f}" r="5" '
                          f'fill="var(--c{color})" stroke="var(--page)"/>')

    def bar(self, row, start, end, color, height=0.7):
        size = self.row_height * height
        self.parts.append(f'<rect x="{self.x(start):.1f}" y="{self.y(row) - size / 2:.1f}" '
                          f'width="{max(0.0, self.x(end) - self.x(start) - 1):.1f}" '
                          f'height="{size:.1f}" fill="var(--c{color})"/>')

    def value(self, row, at, text):
        self.text(self.x(at) + 5, self.y(row) + 4, text)

    def svg(self):
        height = self.bottom + 30
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
                f'width="{WIDTH}" height="{height}">\n<style>{STYLE}</style>\n'
                f'<rect width="{WIDTH}" height="{height}" style="fill:var(--page)"/>\n'
                + "\n".join(self.parts) + "\n</svg>\n")


def dots(title, axis, series, rows, limit):
    """`rows`: a name and its values by series (None: there is none). A value beyond the limit
    stands at it."""
    chart = Chart(title, axis, series, len(rows), limit)
    for row, (name, values) in enumerate(rows):
        chart.label(row, name)
        for color, value in enumerate(values):
            if value is not None:
                chart.dot(row, value, color)
    return chart.svg()


def spreads(title, axis, series, rows):
    """`rows`: a name, its values, and the number of their series. The mean is a line among the dots."""
    values = [value for _, row, _ in rows for value in row]
    margin = 0.04 * (max(values) - min(values)) or 1
    low = min(values) - margin
    chart = Chart(title, axis, series, len(rows), max(values) + margin, row_height=22, low=low, bound=math.nan)
    for row, (name, row_values, color) in enumerate(rows):
        chart.label(row, name)
        mean = sum(row_values) / len(row_values)
        chart.bar(row, mean, mean + 3 * (chart.limit - low) / (WIDTH - LEFT - RIGHT), color)
        for value in row_values:
            chart.dot(row, value, color)
    return chart.svg()


def bars(title, axis, series, rows):
    """`rows`: a name, the parts that make up its bar, and what is written behind it."""
    limit = max([1, *(sum(parts) for _, parts, _ in rows)]) * 1.2
    chart = Chart(title, axis, series, len(rows), limit, row_height=26)
    for row, (name, parts, note) in enumerate(rows):
        chart.label(row, name)
        start = 0
        for color, part in enumerate(parts):
            chart.bar(row, start, start + part, color)
            start += part
        chart.value(row, start, note)
    return chart.svg()


LINE_STYLE = """
svg { --k0: #1f2328; --k1: #d9480f; --k2: #2b6cb0; --k3: #2f855a; --k4: #8250df; --k5: #bf8700; --k6: #8c959f; }
@media (prefers-color-scheme: dark) {
  svg { --k0: #f0f6fc; --k1: #ff8f5a; --k2: #6cb2ff; --k3: #63d297; --k4: #c297ff; --k5: #e3b341; --k6: #9198a1; }
}
path { fill: none; stroke-width: 2; }
.dashed { stroke-dasharray: 5 4; }
"""


def ticks(low, high):
    """Round values between the two, at most ten."""
    power = 10.0 ** (len(str(int((high - low) * 1e6))) - 7)
    step = next(power * factor for factor in (0.1, 0.2, 0.5, 1, 2, 5, 10)
                if (high - low) / (power * factor) <= 8)
    return [i * step for i in range(int(low / step) - 1, int(high / step) + 2)
            if low <= i * step <= high]


class Panel:
    """A rectangle with the axes of its curves, which are clipped to it."""

    def __init__(self, left, width, x_limits, y_limits, identity):
        self.left, self.width, self.x_limits, self.y_limits = left, width, x_limits, y_limits
        self.top, self.height, self.identity = 82, 330, identity

    def x(self, value):
        low, high = self.x_limits
        return self.left + self.width * (value - low) / (high - low)

    def y(self, value):
        low, high = self.y_limits
        return self.top + self.height * (high - value) / (high - low)

    def axes(self, label):
        bottom, right = self.top + self.height, self.left + self.width
        parts = [f'<clipPath id="{self.identity}"><rect x="{self.left}" y="{self.top - 4}" '
                 f'width="{self.width + 4}" height="{self.height + 8}"/></clipPath>',
                 f'<text class="soft" x="{self.left + self.width / 2:.1f}" y="{bottom + 36}" '
                 f'style="text-anchor:middle">{escape(label)}</text>']
        for value in ticks(*self.x_limits):
            parts.append(f'<text class="soft" x="{self.x(value):.1f}" y="{bottom + 17}" '
                         f'style="text-anchor:middle">{value:g}</text>')
        for value in ticks(*self.y_limits):
            parts.append(f'<line class="grid" x1="{self.left}" y1="{self.y(value):.1f}" x2="{right}" '
                         f'y2="{self.y(value):.1f}"/><text class="soft" x="{self.left - 6}" '
                         f'y="{self.y(value) + 4:.1f}" style="text-anchor:end">{value:.3g}</text>')
        return parts

    def curve(self, color, dashed, points):
        path = "M" + "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)
        x, y = points[-1]
        kind = ' class="dashed"' if dashed else ""
        return (f'<g clip-path="url(#{self.identity})"><path{kind} '
                f'style="stroke:var(--k{color})" d="{path}"/><circle cx="{self.x(x):.1f}" '
                f'cy="{self.y(y):.1f}" r="3.5" fill="var(--k{color})"/></g>')


def lines(title, note, axes, series, y_limits):
    """A panel for each name in `axes`, beside each other. `series`: a name (None: as the one before,
    in the legend), its colour, whether it is dashed, and its points in each panel."""
    parts = [f'<text x="16" y="24" style="font-weight:600;font-size:15px">{escape(title)}</text>']
    x = 16
    for name, color, _, _ in series:
        if name:
            parts.append(f'<circle cx="{x + 5}" cy="46" r="5" fill="var(--k{color})"/>'
                         f'<text x="{x + 16}" y="50">{escape(name)}</text>')
            x += 36 + 6.6 * len(name)
    parts.append(f'<text class="soft" x="16" y="70">{escape(note)}</text>')
    width = (WIDTH - 56) / len(axes) - 40
    for i, label in enumerate(axes):
        limit = max(x for _, _, _, points in series for x, _ in points[i])
        panel = Panel(56 + i * (width + 52), width, (0, limit), y_limits, f"panel{i}")
        parts += panel.axes(label)
        parts += [panel.curve(color, dashed, points[i]) for _, color, dashed, points in series if points[i]]
    height = 82 + 330 + 50
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}">\n<style>{STYLE}{LINE_STYLE}</style>\n'
            f'<rect width="{WIDTH}" height="{height}" style="fill:var(--page)"/>\n'
            + "\n".join(parts) + "\n</svg>\n")
