"""Charts as SVG, readable on light and dark pages."""

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
    """Rows under each other over one scale, which starts at 0; the line at 1 is the bound."""

    def __init__(self, title, axis, series, rows, limit, row_height=18):
        self.limit = limit
        self.top = 78
        self.row_height = row_height
        self.bottom = self.top + row_height * rows
        self.parts = []
        self.text(16, 24, title, "font-weight:600;font-size:15px")
        x = 16
        for i, name in enumerate(series):
            self.parts.append(f'<circle cx="{x + 5}" cy="42" r="5" fill="var(--c{i})"/>')
            self.text(x + 16, 46, name)
            x += 34 + 7 * len(name)
        self.text((LEFT + WIDTH - RIGHT) / 2, 66, axis, "text-anchor:middle", "soft")
        steps = next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10) if limit / step <= 10)
        for i in range(int(limit / steps + 1e-9) + 1):
            value = i * steps
            kind = "bound" if abs(value - 1) < 1e-9 else "grid"
            self.parts.append(f'<line class="{kind}" x1="{self.x(value):.1f}" y1="{self.top}" '
                              f'x2="{self.x(value):.1f}" y2="{self.bottom}"/>')
            self.text(self.x(value), self.bottom + 16, f"{value:g}", "text-anchor:middle", "soft")

    def x(self, value):
        return LEFT + (WIDTH - LEFT - RIGHT) * min(value, self.limit) / self.limit

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
