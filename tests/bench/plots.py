"""Draws the benchmark's curves as SVG, for browsers and for pages in Markdown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from tests.bench.plan import CONTENDERS, Group
from tests.bench.report import Results

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 44, 52
_COLOURS = {
    "incumbent": "#6b7280",
    "ours": "#2563eb",
    "ours merge": "#0891b2",
    "ours merge+fast_json": "#059669",
    "ours array": "#dc2626",
    "ours npy": "#9333ea",
    "KServe": "#d97706",
    "PyTriton": "#65a30d",
    "MLServer": "#be185d",
    "MLServer batching": "#7c2d12",
}
_OTHER_COLOUR = "#111827"


@dataclass(frozen=True)
class Axis:
    """One axis: what it shows, and whether each step multiplies (logarithmic) or adds."""

    title: str
    logarithmic: bool = False
    percent: bool = False


@dataclass(frozen=True)
class Curve:
    """The points of one contender."""

    name: str
    points: tuple[tuple[float, float], ...]


def draw(title: str, across: Axis, up: Axis, curves: Sequence[Curve]) -> str:
    """Return a line plot as SVG."""
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [y for curve in curves for _, y in curve.points]
    right_end, top_end = _WIDTH - _RIGHT, _TOP
    horizontal = _Scale(xs, across, _LEFT, right_end)
    vertical = _Scale(ys, up, _HEIGHT - _BOTTOM, top_end)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="12" fill="#111827" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="24" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    below = _HEIGHT - _BOTTOM + 18
    for value in horizontal.ticks:
        x = horizontal.place(value)
        parts.append(f'<path d="M{x:.1f} {top_end}V{_HEIGHT - _BOTTOM}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{x:.1f}" y="{below}" text-anchor="middle">{_number(value, across)}</text>')
    for value in vertical.ticks:
        y = vertical.place(value)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{right_end}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(value, up)}</text>')
    middle = (_LEFT + right_end) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">{escape(across.title)}</text>')
    parts.append(
        f'<text transform="translate(16 {(_HEIGHT - _BOTTOM + _TOP) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(up.title)}</text>"
    )
    for place, curve in enumerate(sorted(curves, key=lambda curve: -curve.points[-1][1])):
        colour = _COLOURS.get(curve.name, _OTHER_COLOUR)
        pixels = [(horizontal.place(x), vertical.place(y)) for x, y in curve.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in pixels)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in pixels]
        y = _TOP + 12 + 20 * place
        parts.append(f'<path d="M{right_end + 16} {y - 4}h20" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{right_end + 42}" y="{y}">{escape(curve.name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Scale:
    """Where on the paper a value lies."""

    def __init__(self, values: Sequence[float], axis: Axis, begin: float, end: float) -> None:
        self._axis = axis
        self._begin, self._end = begin, end
        if axis.logarithmic:
            self._low = min(value for value in values if value > 0)
            self._high = max(max(values), self._low * 1.01)
            self.ticks = _powers(self._low, self._high)
            self._low, self._high = min(self._low, self.ticks[0]), max(self._high, self.ticks[-1])
        else:
            self._low, self._high = 0.0, max(values) * 1.05 or 1.0
            self.ticks = _steps(self._high)

    def place(self, value: float) -> float:
        if self._axis.logarithmic:
            value = max(value, self._low)
            part = math.log(value / self._low) / math.log(self._high / self._low)
        else:
            part = value / self._high
        return self._begin + part * (self._end - self._begin)


def _powers(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    all_ticks = [10.0**decade for decade in decades]
    return [tick for tick in all_ticks if low / 1.5 <= tick <= high * 1.5] or [low, high]


def _steps(high: float) -> list[float]:
    rough = high / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= rough)
    return [step * place for place in range(int(high / step) + 1)]


def _number(value: float, axis: Axis) -> str:
    if axis.percent:
        return f"{value:.0%}"
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def by_group(
    results: Results, groups: Sequence[Group], model: str, kind: str, of: str, value: str
) -> list[Curve]:
    """Return one curve for each contender over groups of a model on one core.

    Args:
        results: a run.
        groups: what was measured in it.
        model: the groups' model.
        kind: the first word of the groups' work.
        of: what lies across: `connections` or `size`.
        value: a slice's field: its median is drawn.
    """
    curves = []
    for name in CONTENDERS:
        points = {}
        for group in groups:
            if (group.model, group.work.split()[0], group.cores) == (model, kind, 1):
                spread = results.measured.spread(group.name, name, value)
                if spread.count:
                    across = group.connections if of == "connections" else int(group.work.split()[-1])
                    points[float(across)] = spread.median
        if len(points) > 1:
            curves.append(Curve(name, tuple(sorted(points.items()))))
    return curves


def write(results: Results, groups: Sequence[Group], folder: Path) -> list[Path]:
    """Draw every curve that there are points for; return the files."""
    loads: dict[str, list[tuple[float, float]]] = {}
    goodputs: dict[str, list[tuple[float, float]]] = {}
    for point in results.load_points:
        if not math.isnan(point.p99_us):
            loads.setdefault(point.contender, []).append((point.offered, point.p99_us / 1000))
        goodputs.setdefault(point.contender, []).append((point.times_capacity, point.share_of_peak))
    plots = {
        "throughput-by-connections": (
            "Throughput: the article's script with TensorFlow, one core",
            Axis("connections", logarithmic=True),
            Axis("requests a second", logarithmic=True),
            by_group(results, groups, "tensorflow", "row", "connections", "rate"),
        ),
        "latency-by-load": (
            "Latency by offered load: the article's script with numpy, one core",
            Axis("requests offered a second", logarithmic=True),
            Axis("p99 of the answered, ms", logarithmic=True),
            [Curve(name, tuple(points)) for name, points in loads.items()],
        ),
        "goodput-under-overload": (
            "Goodput under overload: the article's script with numpy, one core",
            Axis("offered load, x capacity"),
            Axis("good answers, of capacity", percent=True),
            [Curve(name, tuple(points)) for name, points in goodputs.items()],
        ),
        "throughput-by-rows": (
            "Throughput by rows a request: TensorFlow, one core, 8 connections",
            Axis("rows a request", logarithmic=True),
            Axis("requests a second", logarithmic=True),
            by_group(results, groups, "tensorflow", "rows", "size", "rate"),
        ),
        "throughput-by-body": (
            "Throughput by size of the body: echo, one core",
            Axis("bytes", logarithmic=True),
            Axis("requests a second", logarithmic=True),
            by_group(results, groups, "echo", "bytes", "size", "rate"),
        ),
    }
    files = []
    for name, (title, across, up, curves) in plots.items():
        if curves:
            files.append(folder / f"{name}.svg")
            files[-1].write_text(draw(title, across, up, curves), encoding="utf-8")
    return files
