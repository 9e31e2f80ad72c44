"""An explained candle for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ticktrace.reports.explain import later
from ticktrace.reports.words import figure, utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ticktrace.diagnostics import Line
    from ticktrace.reports.explain import Explanation

__all__ = ["explained"]

_HEADS: Final = {
    "candle": "Candle",
    "scan": "Scan",
    "filter": "Filters",
    "risk": "Risk",
    "order": "Orders",
    "fill": "Fills",
}


def explained(found: Explanation) -> str:
    """Return the way of a candle, a line for each step, with what blocked it at the end."""
    matched = {
        "closed": "closed at",
        "contains": "contains the time; closed at",
        "last": "the last one; closed at",
        "last-rejected": "the last one that was rejected; closed at",
    }[found.matched]
    lines = [f"{found.symbol}: {matched} {found.candle_utc}", f"  {found.outcome}"]
    lines += [f"  blocked by {name}" for name in found.blocked_by]
    lines += [f"  trace {trace}" for trace in found.trace_ids] or ["  no trace"]
    lines += [f"  in {found.file}"]
    lines += [f"  note: {note}" for note in found.notes]
    heading = None
    for line in found.lines:
        now = _heading(line)
        if now != heading:
            lines += ["", now]
            heading = now
        lines.append(f"  {_step(line)}")
    return "\n".join(_printable(line) for line in lines)


def _heading(line: Line) -> str:
    if line.stage in ("condition", "signal"):
        return f"Strategy {line.strategy}"
    return _HEADS.get(line.stage, f"{line.component}: {line.stage}")


def _step(line: Line) -> str:
    mark = {True: "yes", False: "NO ", None: "   "}[line.passed]
    parts = [f"{mark} {' '.join(_what(line))}"]
    if line.near_miss:
        parts.append("near miss")
    if line.reason is not None:
        parts.append(line.reason)
    parts += _said(line.payload or {})
    parts.append(utc(line.ts * 1e-9))
    return "  ".join(parts)


def _what(line: Line) -> Iterator[str]:
    if line.stage == "signal":
        yield "signal emitted" if line.passed else "no signal"
    elif line.stage == "order":
        yield "order, later" if later(line) else "order"
    elif line.name is not None:
        yield f"scan {line.name}" if line.stage == "scan" else line.name
    else:
        yield line.stage
    if line.value is not None or line.threshold is not None:
        yield f"{figure(line.value)} {line.comparison or 'against'} {figure(line.threshold)}"


def _said(payload: dict[str, Any]) -> Iterator[str]:
    for key, value in payload.items():
        if value is not None and value != {} and key != "later":
            told = figure(value) if isinstance(value, (int, float, str)) else str(value)
            yield f"{key} {told}"


def _printable(text: str) -> str:
    """Words of a journal may hold anything, and a terminal would obey."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
