"""Charts as SVG, drawn by hand: nothing to load, and the colours are those of the page."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

from ticktrace.reports.words import duration, figure, moment, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ticktrace.reports.model import FunnelStage, ReasonRow, ThresholdRow, TimelineSlice

__all__ = ["curve_chart", "funnel_chart", "reasons_chart", "timeline_chart"]

_WIDTH: Final = 720
_BAR: Final = 24


def funnel_chart(stages: Sequence[FunnelStage]) -> str:
    """Return a bar for each step: what entered, and within it what passed.

    The bars are square roots: from thousands of candles to a few fills, both ends can be seen.
    """
    most = max((stage.entered for stage in stages), default=0) or 1
    room = _WIDTH - 150 - 190
    parts = []
    for place, stage in enumerate(stages):
        top = place * (_BAR + 6)
        entered, passed = (
            room * math.sqrt(max(count, 0) / most) for count in (stage.entered, min(stage.passed, most))
        )
        parts.append(
            _text(140, top + 16, stage.stage, "end")
            + _bar(150, top, entered, "entered", f"{stage.stage}: {stage.entered:,} entered")
            + _bar(150, top, passed, "passed", f"{stage.stage}: {stage.passed:,} passed")
            + _text(
                156 + max(entered, passed),
                top + 16,
                f"{stage.passed:,} of {stage.entered:,} ({percent(stage.share)})",
            )
        )
    return _svg(
        parts,
        len(stages) * (_BAR + 6),
        "Funnel: what entered each step and what passed it; lengths are square roots",
    )


def reasons_chart(rows: Sequence[ReasonRow], top: int) -> str:
    """Return a bar for each of the most frequent reasons."""
    shown = rows[:top]
    most = max((row.count for row in shown), default=1)
    room = _WIDTH - 270 - 110
    parts = [
        _text(260, place * (_BAR + 4) + 16, _short(row.reason), "end", row.reason)
        + _bar(270, place * (_BAR + 4), room * row.count / most, "lost", f"{row.reason}: {row.count:,}")
        + _text(
            276 + room * row.count / most, place * (_BAR + 4) + 16, f"{row.count:,} ({percent(row.share)})"
        )
        for place, row in enumerate(shown)
    ]
    return _svg(parts, len(shown) * (_BAR + 4), "Reasons by how often they were given")


def curve_chart(row: ThresholdRow) -> str:
    """Return the curve of a threshold: how many more would pass, as steps between the points that are known."""
    points = [(row.threshold if row.basis == "threshold" else (1.0 if row.basis == "factor" else 0.0), 0)]
    points += [(point.threshold, point.additional) for point in row.curve]
    numbers = [(float(x), y) for x, y in points if isinstance(x, (int, float)) and math.isfinite(x)]
    if not numbers[1:]:
        return ""
    left, right = min(x for x, _ in numbers), max(x for x, _ in numbers)
    most = max(y for _, y in numbers) or 1
    height, room = 150, _WIDTH - 90

    def place(x: float, y: float) -> tuple[float, float]:
        return 70 + room * (x - left) / ((right - left) or 1), 10 + (height - 40) * (1 - y / most)

    path, last = [], None
    for x, y in (place(*point) for point in numbers):
        path.append(f"M{x:.1f},{y:.1f}" if last is None else f"L{x:.1f},{last:.1f} L{x:.1f},{y:.1f}")
        last = y
    begin = place(*numbers[0])[0]
    parts = [
        f'<path class="axis" d="M70,10 V{height - 30} H{_WIDTH - 20}"/>',
        f'<path class="now" d="M{begin:.1f},10 V{height - 30}"/>',
        f'<path class="curve" d="{" ".join(path)}"/>',
        *(
            f'<circle class="point" cx="{place(x, y)[0]:.1f}" cy="{place(x, y)[1]:.1f}" r="2.5">'
            f"<title>{escape(figure(x))}: {y:,} more</title></circle>"
            for x, y in numbers
        ),
        _text(64, 18, f"+{most:,}", "end"),
        _text(64, height - 28, "0", "end"),
        _text(70, height - 12, figure(left, 4)),
        _text(_WIDTH - 20, height - 12, figure(right, 4), "end"),
    ]
    return _svg(parts, height, f"More that would pass {row.name} by threshold")


def timeline_chart(slices: Sequence[TimelineSlice], width: int) -> str:
    """Return signals over time as bars, above the evaluations that they came from."""
    if not slices:
        return ""
    first, last = slices[0].start, slices[-1].start + width
    height, room = 130, _WIDTH - 90
    parts = [f'<path class="axis" d="M70,10 V{height - 30} H{_WIDTH - 20}"/>']
    most_signals = max(one.signals for one in slices)
    most_asked = max(one.evaluations for one in slices)
    thick = max(room * width / (last - first) - 0.5, 1)
    for one in slices:
        x = 70 + room * (one.start - first) / (last - first)
        said = f"{moment(one.start)}: {one.signals:,} of {one.evaluations:,} evaluations"
        for count, most, kind in (
            (one.evaluations, most_asked, "entered"),
            (one.signals, most_signals, "passed"),
        ):
            if count:
                tall = (height - 42) * count / most
                parts.append(_bar(x, height - 30 - tall, thick, kind, said, height=tall))
    parts += [
        _text(64, 18, f"{most_signals:,}", "end"),
        _text(70, height - 12, moment(first)),
        _text(_WIDTH - 20, height - 12, f"{moment(last)}, bars of {duration(width)}", "end"),
    ]
    return _svg(parts, height, "Signals over time, in front of evaluations; each to its own scale")


def _bar(x: float, y: float, width: float, kind: str, said: str, *, height: float = _BAR) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}">'
        f"<title>{escape(said)}</title></rect>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", full: str | None = None) -> str:
    more = "" if full is None else f"<title>{escape(full)}</title>"
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}{more}</text>'


def _short(text: str, most: int = 34) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _svg(parts: Iterable[str], height: float, label: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
