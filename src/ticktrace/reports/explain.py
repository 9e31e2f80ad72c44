"""One candle from beginning to end: what was asked, what was answered, and what stood in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ticktrace.diagnostics import Line
from ticktrace.reports.looking import NotFound, Wanted, candles_near, moment_of, what_there_is
from ticktrace.reports.path import lines_of_run, runs_of
from ticktrace.reports.words import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ticktrace.reports.sources import Source

__all__ = ["Explanation", "explain", "later", "verdict"]


class Explanation(msgspec.Struct, frozen=True):
    """The path of one candle; `--format json` is this.

    Attributes:
        symbol: of the candle.
        candle: when it closed, Unix seconds; and as text.
        matched: ``closed`` where it closed at the time asked for, ``contains`` where that lies within it, ``last``,
            ``last-rejected``.
        file: where its lines begin.
        trace_ids: of its lines, the most frequent first.
        blocked_by: what stood in the way, by name, of any strategy.
        outcome: in a sentence.
        lines: of the journal, in the order of the way from candle to fill.
        notes: what else there is to know.
    """

    symbol: str
    candle: float
    candle_utc: str
    matched: str
    file: str
    trace_ids: list[str]
    blocked_by: list[str]
    outcome: str
    lines: list[Line]
    notes: list[str]


def explain(sources: Sequence[Source], symbol: str, wanted: Wanted) -> Explanation:
    """Find a candle, and tell all of it.

    Args:
        sources: the journals, as `look_at` orders them.
        symbol: as the application calls it.
        wanted: which candle.

    Raises:
        NotFound: there is none.
        OSError: a file cannot be read.
    """
    at, matched = moment_of(sources, symbol, wanted)
    near = candles_near(sources, symbol, at)
    candle = near.exact
    if candle is None and near.after and near.begin_of(near.after[0]) < at:
        candle, matched = near.after[0], "contains"
    if candle is None:
        raise NotFound(what_there_is(sources, symbol, at, near))
    runs, notes = runs_of(sources, symbol, candle), []
    run = runs[-1]
    if len(runs) > 1:
        notes.append(f"{len(runs)} processes had this candle; this is the one that began last, {run.process}")
    if matched == "contains":
        notes.append(f"no candle closed at {utc(at)}; this one contains it")
    lines, more = lines_of_run(sources, symbol, candle, run)
    if run.earlier_scan:
        notes.append("the filters are those of the scan before it, which does not say of which candle it is")
    if more:
        notes.append(f"only the first {len(lines):,} lines are told")
    blocked, outcome = verdict(lines)
    return Explanation(
        symbol=symbol,
        candle=candle,
        candle_utc=utc(candle),
        matched=matched,
        file=run.file,
        trace_ids=[trace for trace, _ in run.traces.most_common()],
        blocked_by=blocked,
        outcome=outcome,
        lines=lines,
        notes=notes,
    )


def verdict(lines: Sequence[Line]) -> tuple[list[str], str]:
    """Return what stood in the way, by name, and the outcome in a sentence."""
    emitted = {line.decision for line in lines if line.stage == "signal" and line.passed}
    ordered = [line for line in lines if line.stage == "order" and not later(line)]
    placed = {line.decision for line in ordered if line.passed is not False}
    blocked: dict[str, None] = {}
    for line in lines:
        name = _blocker(line, emitted, placed)
        if name is not None:
            blocked[name] = None
        elif line.stage == "scan":
            blocked.update(dict.fromkeys(_scan_blockers(line)))
    names = list(blocked)
    filled = any(line.stage == "fill" for line in lines)
    evaluated = sum(line.stage == "signal" for line in lines)
    if filled:
        outcome = "an order was filled"
    elif any(line.passed is not False for line in ordered):
        outcome = "an order was placed"
    elif ordered:
        outcome = "an order was placed and rejected"
    elif emitted:
        outcome = "a signal was emitted, and no order followed"
    elif evaluated or any(line.stage == "condition" for line in lines):
        outcome = "no signal was emitted"
    else:
        outcome = "no strategy was asked"
    return names, outcome


def later(line: Line) -> bool:
    """Whether a line is news of an order that has its line already."""
    return bool(line.payload and line.payload.get("later"))


def _blocker(line: Line, emitted: set[int | None], placed: set[int | None]) -> str | None:
    """Return what a line stood in the way with; None where it did not."""
    if line.passed is not False:
        return None
    match line.stage:
        case "candle" | "order":
            return line.reason or f"{line.stage} failed"
        case "condition":
            known = line.decision is not None and line.decision in emitted
            return None if known else line.reason or f"signal:{line.strategy}:{line.name}"
        case "risk":
            known = line.decision is not None and line.decision in placed
            return None if known else line.reason or f"risk:{line.name}"
        case "signal":
            return line.reason
        case _:
            return line.reason or (f"filter:{line.name}" if line.name else None)


def _scan_blockers(line: Line) -> list[str]:
    """Return the filters that a scan names by numbers, where it found no candidate at all."""
    payload = line.payload or {}
    filtered = payload.get("filtered")
    if payload.get("candidates") or not isinstance(filtered, dict):
        return []
    return [f"filter:{name}" for name, count in filtered.items() if count]
