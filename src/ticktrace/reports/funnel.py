"""The funnel from candles to fills, and what has changed in it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from ticktrace.reports.model import (
    Changes,
    FunnelChange,
    FunnelStage,
    ReasonChange,
    ReasonRow,
    Span,
    TimelineSlice,
)
from ticktrace.reports.words import utc

if TYPE_CHECKING:
    from ticktrace.reports.tally import Tally
    from ticktrace.reports.timeline import Counts

__all__ = ["changes", "funnel", "reasons", "span", "timeline"]

_MOST_CHANGES: Final = 50


def span(start: float, end: float) -> Span:
    """Return a stretch of time with its words."""
    return Span(start, end, end - start, utc(start), utc(end))


def funnel(counts: Counts) -> list[FunnelStage]:
    """Return the steps in order."""
    ordered = max(counts.orders - counts.orders_failed, 0)
    steps = (
        ("candles", counts.candles, counts.candles_passed),
        ("scanned", counts.scanned, counts.scanned_passed),
        ("filtered", counts.scanned_passed, counts.candidates),
        ("conditions", counts.evaluations, counts.conditions_passed),
        ("signals", counts.conditions_passed, counts.emitted),
        ("risk", counts.emitted, counts.emitted - counts.lost_to_risk),
        ("orders", counts.orders, ordered),
        ("fills", ordered, counts.filled),
    )
    return [
        FunnelStage(name, entered, passed, entered - passed, passed / entered if entered else None)
        for name, entered, passed in steps
    ]


def reasons(tally: Tally, counts: Counts) -> list[ReasonRow]:
    """Return the reasons, the most frequent first."""
    total = sum(counts.reasons.values())
    found: dict[str, Counter[str]] = {}
    last: dict[str, float] = {}
    for reason in tally.reasons.all():
        count = counts.reasons.get(reason.number, 0)
        if count:
            found.setdefault(reason.text, Counter())[reason.strategy or ""] += count
            last[reason.text] = max(last.get(reason.text, reason.last), reason.last)
    rows = [
        ReasonRow(
            text,
            by.total(),
            by.total() / total,
            {strategy: count for strategy, count in by.most_common() if strategy},
            last[text],
            utc(last[text]),
        )
        for text, by in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.count, row.reason))


def changes(tally: Tally, losses: Counter[int]) -> Changes | None:
    """Compare the period with the one before it, or the newer half with the older; None where there is but one slice."""
    line = tally.timeline
    slices = line.slices()
    inside = [one.index for one in slices if one.inside]
    if not inside:
        return None
    if line.since is not None:
        # The history was limited to the length of the period, so everything before belongs to it.
        before, now = (min(one.index for one in slices), -1), (0, inside[-1])
        if before[0] > -1:
            return None
        end = min(line.until, max(tally.last, line.since))
        spans = span(max(line.history, line.begin(before[0])), line.since), span(line.since, end)
        basis = "previous"
    else:
        half = (inside[-1] - inside[0] + 1) // 2
        if not half:
            return None
        now = inside[-1] - half + 1, inside[-1]
        before = now[0] - half, now[0] - 1
        spans = (
            span(line.begin(before[0]), line.begin(now[0])),
            span(line.begin(now[0]), line.begin(now[1] + 1)),
        )
        basis = "halves"
    totals = []
    for first, last in (before, now):
        counts = line.between(first, last)
        counts.lost_to_risk += sum(count for index, count in losses.items() if first <= index <= last)
        totals.append(counts)
    steps = [
        FunnelChange(old.stage, old.entered, new.entered, old.share, new.share)
        for old, new in zip(*map(funnel, totals), strict=True)
    ]
    return Changes(basis, *spans, steps, _reason_changes(tally, *totals))


def _reason_changes(tally: Tally, before: Counts, now: Counts) -> list[ReasonChange]:
    old: Counter[str] = Counter()
    new: Counter[str] = Counter()
    for reason in tally.reasons.all():
        old[reason.text] += before.reasons.get(reason.number, 0)
        new[reason.text] += now.reasons.get(reason.number, 0)
    rows = [ReasonChange(text, old[text], new[text]) for text in new if old[text] or new[text]]
    return sorted(rows, key=lambda row: (-abs(row.now - row.before), row.reason))[:_MOST_CHANGES]


def timeline(tally: Tally) -> list[TimelineSlice]:
    """Return the slices of the period in which something happened."""
    line = tally.timeline
    return [
        TimelineSlice(line.begin(one.index), one.candles, one.evaluations, one.emitted)
        for one in line.slices()
        if one.inside
    ]
