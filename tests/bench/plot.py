# SPDX-License-Identifier: Apache-2.0
"""Charts as plain SVG, both axes logarithmic."""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 320, 260  # of one chart, in pixels
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 30, 40
LEGEND = 30
# Told apart by their dashes as well; good on white and on black.
STYLES = (("#d55e00", ""), ("#0072b2", ""), ("#d55e00", "5 3"), ("#0072b2", "5 3"))


@dataclass
class Chart:
    """Lines are {name: [(x, y)]}, all numbers above 0."""

    title: str
    x_title: str
    lines: dict


class Axis:
    """From a power of ten to a power of ten, between two places in the picture."""

    def __init__(self, values, start, end):
        self._low = math.floor(math.log10(min(values)))
        self._high = max(math.ceil(math.log10(max(values))), self._low + 1)
        self._start, self._end = start, end

    def place(self, value):
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return round(self._start + share * (self._end - self._start), 1)

    def ticks(self):
        return [10**power for power in range(self._low, self._high + 1)]


def text(x, y, content, anchor="middle"):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(content)}</text>'


def rule(x1, y1, x2, y2):
    return f'<path d="M{x1} {y1}L{x2} {y2}" stroke="#888" stroke-opacity=".4"/>'


def polyline(points, color, dashes):
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="2.5" fill="{color}"/>' for x, y in points)
    return f'<path d="{path}" fill="none" stroke="{color}" stroke-dasharray="{dashes}"/>{dots}'


def draw(chart, offset):
    points = [point for line in chart.lines.values() for point in line]
    x = Axis([point[0] for point in points], offset + LEFT, offset + WIDTH - RIGHT)
    y = Axis([point[1] for point in points], HEIGHT - BOTTOM, TOP)
    middle = offset + (LEFT + WIDTH - RIGHT) / 2
    yield text(middle, TOP - 12, chart.title)
    yield text(middle, HEIGHT - 6, chart.x_title)
    for tick in x.ticks():
        yield rule(x.place(tick), TOP, x.place(tick), HEIGHT - BOTTOM)
        yield text(x.place(tick), HEIGHT - BOTTOM + 15, f"{tick:,}")
    for tick in y.ticks():
        yield rule(offset + LEFT, y.place(tick), offset + WIDTH - RIGHT, y.place(tick))
        yield text(offset + LEFT - 5, y.place(tick) + 4, f"{tick:,}", "end")
    for line, style in zip(chart.lines.values(), STYLES):
        yield polyline([(x.place(a), y.place(b)) for a, b in line], *style)


def legend(names):
    for number, (name, style) in enumerate(zip(names, STYLES)):
        left, middle = LEFT + number * 200, HEIGHT + LEGEND / 2
        yield polyline([(left, middle), (left + 30, middle)], *style)
        yield text(left + 40, middle + 4, name, "start")


def write_charts(path, charts):
    """Side by side; they have the same lines."""
    width, height = WIDTH * len(charts), HEIGHT + LEGEND
    parts = [part for number, chart in enumerate(charts) for part in draw(chart, number * WIDTH)]
    parts += legend(charts[0].lines)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    style = 'font-family="sans-serif" font-size="11" fill="#888">'
    path.write_text("\n".join([head + style, *parts, "</svg>"]) + "\n")
