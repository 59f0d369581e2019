"""Charts as SVG: of lines, and of bars, readable on light and on dark pages. Nothing to install."""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 34, 44
NAMES, THICK, GAP = 330, 11, 10
"""Of bars: the room for the groups' names, how high one is, and what is between groups."""

COLOURS = ("#888888", "#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#17a2a2", "#b8860b", "#e377c2")
STYLE = "text{font:12px sans-serif;fill:#666}line{stroke:#999;stroke-opacity:.35}polyline{fill:none;stroke-width:1.6}"


def lines(title: str, across: str, up: str, series: Mapping[str, Points], *, logarithmic: bool = False) -> str:
    """An SVG document: each of `series` by its name, x and y labelled `across` and `up`.

    Raises ValueError where there are no points, or one that a logarithmic scale has no place for.
    """
    points = [point for some in series.values() for point in some]
    if not points:
        raise ValueError("nothing to draw")
    if logarithmic and min(y for _, y in points) <= 0:
        raise ValueError("a logarithmic scale has only numbers above 0")
    x_ticks = ticks(min(x for x, _ in points), max(x for x, _ in points))
    y_all = [y for _, y in points]
    y_ticks = powers(min(y_all), max(y_all)) if logarithmic else ticks(min(0.0, *y_all), max(y_all))
    place_x = _scale(x_ticks, LEFT, WIDTH - RIGHT)
    place_y = _scale([log10(y) for y in y_ticks] if logarithmic else y_ticks, HEIGHT - BOTTOM, TOP)

    def y_at(y: float) -> float:
        return place_y(log10(y) if logarithmic else y)

    parts = [
        _text(LEFT, 18, title, "start"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, across, "middle"),
        _text(4, TOP - 4, up, "start"),
    ]
    for x in x_ticks:
        parts += [_line(place_x(x), TOP, place_x(x), HEIGHT - BOTTOM), _text(place_x(x), HEIGHT - BOTTOM + 16, f"{x:g}", "middle")]
    for y in y_ticks:
        parts += [_line(LEFT, y_at(y), WIDTH - RIGHT, y_at(y)), _text(LEFT - 6, y_at(y) + 4, f"{y:g}", "end")]
    for place, (name, some) in enumerate(series.items()):
        colour, height = COLOURS[place % len(COLOURS)], TOP + 12 + 18 * place
        drawn = " ".join(f"{place_x(x):.1f},{y_at(y):.1f}" for x, y in some)
        parts.append(f'<polyline stroke="{colour}" points="{drawn}"/>')
        parts.append(f'<polyline stroke="{colour}" points="{WIDTH - RIGHT + 12},{height} {WIDTH - RIGHT + 32},{height}"/>')
        parts.append(_text(WIDTH - RIGHT + 38, height + 4, name, "start"))
    return _document(title, HEIGHT, parts)


def bars(title: str, along: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """An SVG document: below each other the groups by their names, in each its bars from 0 on, all groups with the same ones.

    Raises ValueError where there are none, or one that is below 0.
    """
    values = [value for group in groups.values() for value in group.values()]
    if not values or min(values) < 0:
        raise ValueError("bars are of numbers from 0 on, at least one")
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    marks = ticks(0.0, max(values))
    place = _scale(marks, NAMES, WIDTH - RIGHT)
    end = TOP + len(groups) * (len(names) * THICK + GAP)
    parts = [_text(4, 18, title, "start"), _text((NAMES + WIDTH - RIGHT) / 2, end + 36, along, "middle")]
    for mark in marks:
        parts += [_line(place(mark), TOP, place(mark), end), _text(place(mark), end + 16, f"{mark:g}", "middle")]
    for at, (said, group) in enumerate(groups.items()):
        top = TOP + GAP / 2 + at * (len(names) * THICK + GAP)
        parts.append(_text(NAMES - 8, top + len(names) * THICK / 2 + 4, said, "end"))
        for row, name in enumerate(names):
            if name in group:
                parts.append(_bar(NAMES, top + row * THICK, place(group[name]) - NAMES, COLOURS[row % len(COLOURS)]))
    for row, name in enumerate(names):
        parts.append(_bar(WIDTH - RIGHT + 12, TOP + 6 + 18 * row, 20, COLOURS[row % len(COLOURS)]))
        parts.append(_text(WIDTH - RIGHT + 38, TOP + 16 + 18 * row, name, "start"))
    return _document(title, end + 44, parts)


def _document(title: str, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", *parts, "</svg>\n"])


def _bar(x: float, y: float, length: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{length:.1f}" height="{THICK - 2}" fill="{colour}"/>'


def ticks(low: float, high: float) -> list[float]:
    """Round numbers, a handful, from `low` or less to `high` or more."""
    span = high - low or abs(high) or 1.0
    size = 10.0 ** floor(log10(span / 5))
    step = next(size * times for times in (1, 2, 5, 10) if span / (size * times) <= 6)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten, from `low` or less to `high` or more."""
    every = [times * 10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1) for times in (1, 2, 5)]
    first = max(place for place, value in enumerate(every) if value <= low * (1 + 1e-9))
    last = min(place for place, value in enumerate(every) if value >= high * (1 - 1e-9) and place > first)
    return every[first : last + 1]


def _scale(values: Sequence[float], start: float, end: float) -> "Scale":
    return Scale(values[0], values[-1], start, end)


class Scale:
    """From a value to its place, with the lowest at `start` and the highest at `end`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = low, start
        self._factor = (end - start) / (high - low)

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) * self._factor


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
