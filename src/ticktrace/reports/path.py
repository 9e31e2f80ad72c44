"""Gather the lines of one candle: its own, those of its decisions, and those of the scan that led to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from ticktrace.diagnostics import Line
from ticktrace.reports.looking import LATE, SCAN, events_with, quoted, same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ticktrace.reports.sources import Source

__all__ = ["Run", "lines_of_run", "runs_of"]

_MOST_LINES: Final = 5_000
_LINES: Final = msgspec.json.Decoder(Line)

_ORDER: Final = {
    "candle": 0,
    "scan": 1,
    "filter": 2,
    "condition": 4,
    "signal": 5,
    "risk": 6,
    "order": 7,
    "fill": 8,
}
_OTHER: Final = 3


@dataclass
class Run:
    """What one process did with a candle.

    Attributes:
        process: whose it is.
        file: where its first line is.
        traces: of its lines, and how often each.
        decisions: that its lines belong to.
        began: when the first of its lines happened, Unix ns.
        earlier_scan: whether the scan was found only by its time before the candle.
    """

    process: str
    file: str
    traces: Counter[str] = field(default_factory=Counter)
    decisions: set[int] = field(default_factory=set)
    began: int = 2**63
    earlier_scan: bool = False


class _Trace(msgspec.Struct):
    trace_id: str | None = None


_TRACES: Final = msgspec.json.Decoder(_Trace)


def _trace(line: bytes) -> str | None:
    try:
        return _TRACES.decode(line).trace_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def runs_of(sources: Sequence[Source], symbol: str, candle: float) -> list[Run]:
    """Return a run for each process that had the candle, in the order of the sources. There is at least one.

    Raises:
        OSError: a file cannot be read.
    """
    runs: dict[str, Run] = {}
    for source in sources:
        for event, line in events_with(source, quoted(symbol)):
            if event.symbol != symbol:
                continue
            if same(event.candle, candle):
                run = runs.get(source.process)
                if run is None:
                    run = runs[source.process] = Run(source.process, source.path)
                run.began = min(run.began, event.ts)
                trace = _trace(line)
                if trace is not None and event.stage not in LATE:
                    run.traces[trace] += 1
                if event.decision is not None:
                    run.decisions.add(event.decision)
    _add_scans(runs, sources, symbol)
    return list(runs.values())


def _add_scans(runs: dict[str, Run], sources: Sequence[Source], symbol: str) -> None:
    """Add the scans that asked about the symbol, by trace; else the last one before the candle, by the time of day.

    Not by the place in the file: what several threads have decided is written in the order in which it was drained.
    """
    joined: set[str] = set()
    latest: dict[str, tuple[int, int]] = {}
    for source in sources:
        run = runs.get(source.process)
        if run is None:
            continue
        for event, line in events_with(source, quoted(symbol)):
            if event.symbol == symbol and event.stage == "filter" and event.decision is not None:
                if event.decision in run.decisions:
                    joined.add(source.process)
                elif event.candle is None and _trace(line) in run.traces:
                    run.decisions.add(event.decision)
                    joined.add(source.process)
                elif event.candle is None and latest.get(source.process, (0, 0))[0] <= event.ts <= run.began:
                    latest[source.process] = (event.ts, event.decision)
    for name, run in runs.items():
        if name not in joined and name in latest:
            run.decisions.add(latest[name][1])
            run.earlier_scan = True


def lines_of_run(sources: Sequence[Source], symbol: str, candle: float, run: Run) -> tuple[list[Line], bool]:
    """Return the lines of a candle in the order of the way from candle to fill; and whether there were more.

    Raises:
        OSError: a file cannot be read.
    """
    found: list[Line] = []
    loose: list[Line] = []  # scans of the same candle time that nothing else joins to it
    numbers = [b'"decision":%d' % decision for decision in run.decisions]
    more = False
    for source in sources:
        if source.process != run.process:
            continue
        for event, raw in events_with(source, quoted(symbol), SCAN, *numbers):
            whose = event.symbol in (symbol, None)
            mine = event.symbol == symbol and same(event.candle, candle)
            decided = event.decision is not None and event.decision in run.decisions
            scan = event.stage == "scan" and whose and same(event.candle, candle)
            if not (mine or scan or (decided and whose)):
                continue
            try:
                line = _LINES.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if scan and not decided and not mine and line.trace_id not in run.traces:
                if len(loose) < _MOST_LINES:
                    loose.append(line)
            elif len(found) < _MOST_LINES:
                found.append(line)
            else:
                more = True
    if not any(line.stage == "scan" for line in found):
        found += loose
    first: dict[int | None, int] = {}
    for line in found:
        first[line.decision] = min(first.get(line.decision, line.ts), line.ts)

    def place(line: Line) -> tuple[int, int, int]:
        """By stage, but the conditions of a decision with its signal, the earliest decision first."""
        order = _ORDER.get(line.stage, _OTHER)
        if line.stage in ("condition", "signal"):
            return _ORDER["condition"], first[line.decision], order
        return order, 0, 0

    return sorted(found, key=place), more
