"""What a report says; `--format json` is this, field by field. docs/report.md has it in prose."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = [
    "REPORT_SCHEMA",
    "Cause",
    "Changes",
    "CurvePoint",
    "FunnelChange",
    "FunnelStage",
    "MalformedLine",
    "MalformedLines",
    "NearMiss",
    "Period",
    "ReasonChange",
    "ReasonRow",
    "Report",
    "Silence",
    "SilentStretch",
    "Span",
    "Suggestion",
    "ThresholdRow",
    "TimelineSlice",
]

REPORT_SCHEMA: Final = 1
"""Raised when a field of the report changes its meaning or goes; new fields alone do not raise it."""


class Span(msgspec.Struct, frozen=True):
    """From when to when, Unix seconds of market time, and as text in UTC."""

    start: float
    end: float
    seconds: float
    start_utc: str
    end_utc: str


class Period(msgspec.Struct, frozen=True):
    """What is reported.

    Attributes:
        clock: ``market`` where lines have candles, ``wall`` where none has, ``mixed`` where whole files have none.
        span: of the lines that were counted; None where there are none.
        since, until: what was asked for, Unix seconds.
    """

    clock: str
    span: Span | None
    since: float | None
    until: float | None
    symbols: list[str]
    strategies: list[str]


class FunnelStage(msgspec.Struct, frozen=True):
    """One step. `lost` is entered minus passed, `share` is passed ÷ entered, None where nothing entered."""

    stage: str
    entered: int
    passed: int
    lost: int
    share: float | None


class ReasonRow(msgspec.Struct, frozen=True):
    """A reason: how often, of all reasons that were given, by strategy, and when last."""

    reason: str
    count: int
    share: float
    strategies: dict[str, int]
    last_seen: float | None
    last_seen_utc: str | None


class Suggestion(msgspec.Struct, frozen=True):
    """Where a threshold would have to be, and on what evidence that stands.

    Attributes:
        threshold: half-way from the one in force to the median near miss; None where withheld, or the basis is another.
        factor, shift: instead, where the threshold moves with the market: what to multiply it with or add to it.
        additional: evaluations of this one condition that failed and would have passed.
        n: near misses it is made from.
        share: those of all evaluations.
        withheld: why there is no suggestion; None where there is one.
        note: what the suggestion does not say.
    """

    threshold: float | None
    factor: float | None
    shift: float | None
    additional: int | None
    n: int
    share: float
    withheld: str | None
    note: str


class NearMiss(msgspec.Struct, frozen=True):
    """Near misses of a condition, with one threshold or one that moves."""

    component: str
    stage: str
    strategy: str | None
    name: str
    comparison: str | None
    n: int
    share: float
    median_value: float | None
    threshold: float | str | bool | None
    median_distance: float | None
    suggestion: Suggestion


class CurvePoint(msgspec.Struct, frozen=True):
    """With this threshold (or factor, or shift), so many more would have passed."""

    threshold: float
    additional: int


class ThresholdRow(msgspec.Struct, frozen=True):
    """A condition with one threshold, or one that moves.

    Attributes:
        basis: ``threshold``; ``factor`` or ``shift`` where the threshold moves and the curve is about changing it.
        threshold: the one in force; where it moves, the median of those that were missed.
        comparison_inferred: whether the lines have none and the values tell which way is up.
        blocked_alone: decisions (of filters: symbols of a scan) that came to nothing and in which nothing else failed.
        off_curve: failed evaluations without a number, or whose value passes by comparison and threshold.
        exact: whether the curve knows every value to the last digit.
        curve: up to 40 points from the nearest value that failed to the farthest.
        last_seen: Unix seconds.
    """

    component: str
    stage: str
    strategy: str | None
    name: str
    comparison: str | None
    comparison_inferred: bool
    basis: str
    threshold: float | str | bool | None
    n: int
    passed: int
    failed: int
    near_misses: int
    blocked_alone: int
    off_curve: int
    exact: bool
    curve: list[CurvePoint]
    last_seen: float | None


class Cause(msgspec.Struct, frozen=True):
    """What failed in a silence; `median_ratio` is value ÷ threshold of those that failed, within a thousandth."""

    component: str
    stage: str
    strategy: str | None
    name: str
    comparison: str | None
    asked: int
    failed: int
    share: float
    median_ratio: float | None


class SilentStretch(msgspec.Struct, frozen=True):
    """A time without a signal, how often the strategy was asked in it, and what failed most."""

    span: Span
    evaluations: int
    causes: list[Cause]


class Silence(msgspec.Struct, frozen=True):
    """Silences of a strategy on a symbol.

    Attributes:
        strategy: None for what is asked before strategies are.
        symbol: None for all.
        signals: in the period.
        last_signal: Unix seconds.
        text: the current one in a sentence.
    """

    strategy: str | None
    symbol: str | None
    signals: int
    last_signal: float | None
    longest: SilentStretch
    current: SilentStretch
    text: str


class FunnelChange(msgspec.Struct, frozen=True):
    """The share that passes a step, before and now, and what entered."""

    stage: str
    entered_before: int
    entered_now: int
    share_before: float | None
    share_now: float | None


class ReasonChange(msgspec.Struct, frozen=True):
    """How often a reason was given, before and now."""

    reason: str
    before: int
    now: int


class Changes(msgspec.Struct, frozen=True):
    """Two periods of equal length.

    Attributes:
        basis: ``previous`` for the period reported and the one before it; ``halves`` for the newer and the older half
            of the journal.
    """

    basis: str
    before: Span
    now: Span
    funnel: list[FunnelChange]
    reasons: list[ReasonChange]


class TimelineSlice(msgspec.Struct, frozen=True):
    """What happened from `start` on, in one slice of the timeline."""

    start: float
    candles: int
    evaluations: int
    signals: int


class MalformedLine(msgspec.Struct, frozen=True):
    """Where a line is that cannot be read. `byte` is its offset; in a gzipped file, in what that unpacks to."""

    file: str
    line: int
    byte: int
    error: str


class MalformedLines(msgspec.Struct, frozen=True):
    """How many lines cannot be read, and where the first twenty are."""

    count: int
    first: list[MalformedLine]


class Report(msgspec.Struct, frozen=True):
    """Everything; see docs/report.md."""

    schema: int
    period: Period
    files: int
    lines: int
    counted: int
    funnel: list[FunnelStage]
    reasons: list[ReasonRow]
    near_misses: list[NearMiss]
    thresholds: list[ThresholdRow]
    silence: list[Silence]
    changes: Changes | None
    timeline: list[TimelineSlice]
    slice_seconds: int
    malformed: MalformedLines
    notes: list[str]
