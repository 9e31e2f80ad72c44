"""From counts to a report."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from ticktrace.diagnostics import SCHEMA_VERSION
from ticktrace.reports.funnel import changes, funnel, reasons, span, timeline
from ticktrace.reports.model import REPORT_SCHEMA, MalformedLine, MalformedLines, Period, Report
from ticktrace.reports.quiet import MOST_SILENCES, silences
from ticktrace.reports.silence import Book
from ticktrace.reports.thresholds import near_misses, threshold_rows
from ticktrace.reports.timeline import Counts
from ticktrace.reports.words import utc

if TYPE_CHECKING:
    from ticktrace.reports.journal import Question
    from ticktrace.reports.tally import Tally

__all__ = ["build"]

_NAMED: Final = 10


def build(tally: Tally, question: Question, files: int) -> Report:
    """Return the report on what was counted so far; the tally may go on counting afterwards.

    Args:
        tally: the counts.
        question: what was asked for.
        files: how many were read.
    """
    losses, alone = _open_fates(tally)
    counts = Counts.total(one for one in tally.timeline.slices() if one.inside)
    counts.lost_to_risk += sum(count for index, count in losses.items() if _inside(tally, index))
    book = Book()
    book.pairs = tally.closed.copy()
    for process in tally.processes.values():
        book.add(process.watch)
    return Report(
        schema=REPORT_SCHEMA,
        period=Period(
            clock=_clock(tally),
            span=span(tally.first, tally.last) if math.isfinite(tally.first) else None,
            since=tally.scope.since,
            until=tally.scope.until,
            symbols=sorted(question.symbols),
            strategies=sorted(question.strategies),
        ),
        files=files,
        lines=tally.lines,
        counted=tally.counted,
        funnel=funnel(counts),
        reasons=reasons(tally, counts),
        near_misses=near_misses(tally.conditions, question.min_n),
        thresholds=threshold_rows(tally.conditions, alone),
        silence=silences(book),
        changes=changes(tally, losses),
        timeline=timeline(tally),
        slice_seconds=tally.timeline.width,
        malformed=MalformedLines(
            tally.malformed.count, [MalformedLine(*place) for place in tally.malformed.first]
        ),
        notes=_notes(tally, question, book),
    )


def _open_fates(tally: Tally) -> tuple[Counter[int], Counter[int]]:
    """Return, of signals that may still get an order: those lost so far, by slice; and their only rule, by id."""
    losses: Counter[int] = Counter()
    alone: Counter[int] = Counter()
    for process in tally.processes.values():
        for fate in process.fates.values():
            where = tally.timeline.find(fate.at) if fate.lost else None
            if where is None:
                continue
            losses[where.index] += 1
            if len(fate.risks) == 1:
                alone[id(fate.risks[0].into or fate.risks[0])] += 1
    return losses, alone


def _inside(tally: Tally, index: int) -> bool:
    return tally.timeline.since is None or index >= 0


def _clock(tally: Tally) -> str:
    if not tally.with_candle:
        return "wall"
    return "mixed" if tally.without_clock else "market"


def _notes(tally: Tally, question: Question, book: Book) -> list[str]:
    notes = []
    if question.since_trade:
        notes.append(
            "there is no fill, so this is everything"
            if tally.scope.since is None
            else f"since the last fill, at {utc(tally.scope.since)}"
        )
    if tally.scope.symbols and not tally.counted and tally.symbols:
        known = ", ".join(sorted(tally.symbols)[:_NAMED])
        notes.append(f"no line is about {', '.join(sorted(tally.scope.symbols))}; there are: {known}")
    for file, schema in sorted(tally.newer.items()):
        notes.append(
            f"{file} was written by a newer ticktrace (schema {schema}, this one reads {SCHEMA_VERSION}): "
            "what is new in it is left out"
        )
    if tally.conditions.roughened:
        notes.append("too many different values to keep them all: curves marked as not exact are rounded")
    misfits = tally.beyond + sum(process.beyond for process in tally.processes.values())
    unwatched = tally.unwatched + sum(process.watch.beyond for process in tally.processes.values())
    limits = (
        (tally.reasons.beyond, "reasons had no place: they count as other"),
        (tally.conditions.beyond, "evaluations of conditions that were too many are missing from thresholds"),
        (tally.left_out, "checks of filters have no line: the journal takes only so many of a scan"),
        (misfits, "decisions and symbols of scans did not fit, so blocked_alone is too low"),
        (unwatched, "evaluations of symbols that were too many are missing from silences"),
    )
    notes += [f"{count:,} {what}" for count, what in limits if count]
    if len(book.pairs) > MOST_SILENCES:
        notes.append(f"only the {MOST_SILENCES} longest silences are told")
    return notes
