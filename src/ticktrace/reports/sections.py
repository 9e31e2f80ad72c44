"""The report as headings, sentences and tables, for those who write it as text, Markdown or HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ticktrace.reports.words import NOTHING, TIMES, condition_name, duration, figure, moment, percent, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ticktrace.reports.model import NearMiss, Report, Suggestion, ThresholdRow

__all__ = ["Section", "Table", "sections", "title"]

_HEADS: Final = {
    "candles": "candles, processed without an error",
    "scanned": "symbols scanned",
    "filtered": "symbols that passed the filters",
    "conditions": "evaluations that met their conditions",
    "signals": "signals",
    "risk": "signals that risk management let through",
    "orders": "orders, not rejected",
    "fills": "orders filled",
}


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        columns: headings; those that begin with `>` are of numbers and stand to the right.
        rows: cells, one for each column.
        left_out: rows that are too many to be shown.
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    left_out: int = 0

    @property
    def headings(self) -> list[tuple[str, bool]]:
        """The headings, and whether the column stands to the right."""
        return [(column.removeprefix(">"), column.startswith(">")) for column in self.columns]


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        key: the field of the report it is about.
        heading: what it is called.
        said: sentences before the table.
        table: None where there is nothing to put into one.
        after: sentences after it.
    """

    key: str
    heading: str
    said: list[str] = field(default_factory=list)
    table: Table | None = None
    after: list[str] = field(default_factory=list)


def title(report: Report) -> str:
    """Return what the report is about, in a line."""
    scope = ", ".join([*report.period.symbols, *report.period.strategies])
    return "Why no trade?" + (f" {scope}" if scope else "")


def sections(report: Report, top: int) -> list[Section]:
    """Return the parts of a report, tables with `top` rows at most."""
    made = [_period(report)]
    if report.counted:
        made += [part(report, top) for part in _PARTS]
    if report.malformed.count:
        made.append(_malformed(report))
    return made


def _cut(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], top: int) -> Table:
    return Table(columns, rows[:top], max(len(rows) - top, 0))


def _period(report: Report) -> Section:
    period = report.period
    said = []
    if period.span is None:
        said.append(
            f"No line to report, in {plural(report.files, 'file')} with {plural(report.lines, 'line')}."
        )
    else:
        clock = {
            "market": "market time (of the candles; lines without one follow the line before)",
            "wall": "wall clock: no line has a candle",
            "mixed": "market time where lines have candles, wall clock in files without any",
        }[period.clock]
        said.append(
            f"{period.span.start_utc} to {period.span.end_utc}, {duration(period.span.seconds)}, {clock}."
        )
        said.append(
            f"{plural(report.counted, 'line')} of {report.lines:,}, from {plural(report.files, 'file')}."
        )
    said += [f"Note: {note}." for note in report.notes]
    return Section("period", "Period", said)


def _funnel(report: Report) -> Section:
    rows = [
        (
            stage.stage,
            f"{stage.entered:,}",
            f"{stage.passed:,}",
            f"{stage.lost:,}",
            percent(stage.share),
            _HEADS[stage.stage],
        )
        for stage in report.funnel
    ]
    worst = max(
        (stage for stage in report.funnel if stage.lost > 0), key=lambda stage: stage.lost, default=None
    )
    said = []
    if worst is not None:
        said.append(f"Most are lost at {worst.stage}: {worst.lost:,} of {worst.entered:,}.")
    return Section(
        "funnel",
        "Funnel",
        said,
        Table(("step", ">entered", ">passed", ">lost", ">share", "what passed"), rows),
    )


def _reasons(report: Report, top: int) -> Section:
    rows = [
        (
            row.reason,
            f"{row.count:,}",
            percent(row.share),
            ", ".join(f"{name} {count:,}" for name, count in row.strategies.items()) or NOTHING,
            moment(row.last_seen),
        )
        for row in report.reasons
    ]
    if not rows:
        return Section("reasons", "Reasons", ["No line gives a reason."])
    return Section(
        "reasons", "Reasons", [], _cut(("reason", ">count", ">share", "by strategy", "last seen"), rows, top)
    )


def _silence(report: Report, top: int) -> Section:
    if not report.silence:
        return Section("silence", "Silence", ["No strategy was asked."])
    silent = [row for row in report.silence if row.current.span.seconds > 0]
    said = [f"{row.text[:1].upper()}{row.text[1:]}." for row in silent[:3]]
    rows = [
        (
            row.strategy or "any",
            row.symbol or "all",
            f"{row.signals:,}",
            moment(row.last_signal),
            duration(row.current.span.seconds),
            duration(row.longest.span.seconds),
            moment(row.longest.span.start),
            ", ".join(
                f"{cause.name} {percent(cause.share)}"
                + (
                    ""
                    if cause.median_ratio is None or cause.median_ratio < 0
                    else f" ({TIMES}{cause.median_ratio:.2g})"
                )
                for cause in row.longest.causes[:2]
            )
            or NOTHING,
        )
        for row in report.silence
    ]
    columns = (
        "strategy",
        "symbol",
        ">signals",
        "last",
        ">current",
        ">longest",
        "from",
        "what failed in the longest",
    )
    after = [f"{TIMES}0.4: the median of the values that failed was 0.4 of the threshold."]
    return Section("silence", "Silence", said, _cut(columns, rows, top), after)


def _thresholds(report: Report, top: int) -> Section:
    rows = [_threshold(row) for row in report.thresholds]
    columns = (
        "condition",
        "threshold",
        ">n",
        ">passed",
        ">failed",
        ">alone",
        ">+1 % passes",
        ">+10 % passes",
        ">half pass at",
    )
    after = [
        "alone: nothing else failed in the decision, and it came to nothing.",
        "+1 %, +10 % passes: a threshold that would have let at least so many more evaluations pass this condition.",
    ]
    if any(row.basis != "threshold" for row in report.thresholds):
        after.append(
            f"{TIMES} and Δ: the threshold moves with the market, and this is what it would be multiplied with, or changed by."
        )
    if not rows:
        return Section("thresholds", "Thresholds", ["Nothing was held against a threshold."])
    return Section("thresholds", "Thresholds", [], _cut(columns, rows, top), after)


def _threshold(row: ThresholdRow) -> tuple[str, ...]:
    def at(more: float) -> str:
        point = next((point for point in row.curve if point.additional >= more), None)
        return NOTHING if point is None else _on_axis(row.basis, point.threshold)

    moved = "" if row.basis == "threshold" else f"{row.basis}, "
    return (
        condition_name(row.name, row.strategy),
        f"{moved}{row.comparison or ''} {figure(row.threshold)}".strip(),
        f"{row.n:,}",
        f"{row.passed:,}",
        f"{row.failed:,}",
        f"{row.blocked_alone:,}",
        at(max(row.n / 100, 1)),
        at(max(row.n / 10, 1)),
        at(max(row.n / 2 - row.passed, 1)) if row.passed < row.n / 2 else "now",
    )


def _on_axis(basis: str, threshold: float) -> str:
    if basis == "threshold":
        return figure(threshold)
    return f"{TIMES}{threshold:.6g}" if basis == "factor" else f"Δ{threshold:+.6g}"


def _near(report: Report, top: int) -> Section:
    rows = [
        (
            condition_name(row.name, row.strategy),
            f"{row.n:,}",
            percent(row.share),
            figure(row.median_value),
            f"{row.comparison or ''} {figure(row.threshold)}".strip(),
            figure(row.median_distance, 4),
            _suggested(row),
            NOTHING if row.suggestion.additional is None else f"{row.suggestion.additional:,}",
        )
        for row in report.near_misses
    ]
    if not rows:
        return Section("near_misses", "Near misses", ["None."])
    columns = (
        "condition",
        ">n",
        ">share",
        ">median value",
        ">threshold",
        ">median distance",
        "suggested",
        ">would pass as well",
    )
    withheld: dict[str, dict[str, None]] = {}
    for row in report.near_misses[:top]:
        if row.suggestion.withheld is not None:
            name = condition_name(row.name, row.strategy)
            withheld.setdefault(row.suggestion.withheld, {})[name] = None
    reasons = [f"Nothing suggested for {', '.join(names)}: {why}." for why, names in withheld.items()]
    period = report.period.span
    evidence = f" All of it is from {duration(period.seconds)}." if period is not None else ""
    after = [
        f"Suggested is half-way to the median near miss. {report.near_misses[0].suggestion.note}{evidence}"
    ]
    return Section("near_misses", "Near misses", [], _cut(columns, rows, top), [*after, *reasons])


def _suggested(row: NearMiss) -> str:
    told: Suggestion = row.suggestion
    if told.threshold is not None:
        return f"{row.comparison} {figure(told.threshold, 12)}"
    if told.factor is not None:
        return f"threshold {TIMES}{told.factor:.12g}"
    return "withheld" if told.shift is None else f"threshold {told.shift:+.12g}"


def _changes(report: Report, top: int) -> Section:
    changes = report.changes
    if changes is None:
        return Section("changes", "Changes", ["There is no earlier time to compare with."])
    basis = (
        "the period before"
        if changes.basis == "previous"
        else "the older half of the journal, against the newer"
    )
    said = [
        f"Before: {changes.before.start_utc} to {changes.before.end_utc} ({duration(changes.before.seconds)}), {basis}.",
        f"Now: {changes.now.start_utc} to {changes.now.end_utc} ({duration(changes.now.seconds)}).",
    ]
    rows = [
        (
            row.stage,
            f"{row.entered_before:,}",
            percent(row.share_before),
            f"{row.entered_now:,}",
            percent(row.share_now),
        )
        for row in changes.funnel
    ]
    # A rise is told as such only where somebody would see it.
    moved = [
        f"{row.reason}: {row.before:,} before, {row.now:,} now."
        for row in changes.reasons[: min(top, 5)]
        if row.before != row.now
    ]
    columns = ("step", ">entered before", ">share before", ">entered now", ">share now")
    return Section("changes", "Changes", said, Table(columns, rows), moved)


def _malformed(report: Report) -> Section:
    rows = [(row.file, f"{row.line:,}", f"{row.byte:,}", row.error) for row in report.malformed.first]
    table = Table(("file", ">line", ">byte", "error"), rows, report.malformed.count - len(rows))
    said = [
        f"{plural(report.malformed.count, 'line')} could not be read and {'is' if report.malformed.count == 1 else 'are'} not counted."
    ]
    return Section("malformed", "Malformed lines", said, table)


_PARTS: Final[tuple[Callable[[Report, int], Section], ...]] = (
    lambda report, _: _funnel(report),
    _reasons,
    _silence,
    _near,
    _thresholds,
    _changes,
)
