"""A line of the journal: one decision, or what led to it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["SCHEMA_VERSION", "Line", "Scalar"]

SCHEMA_VERSION: Final = 1
"""Raised when a field changes its meaning or goes; new fields alone do not raise it."""

Scalar = int | float | str | bool | None


class Line(msgspec.Struct, omit_defaults=True, kw_only=True, frozen=True):
    """One line. What is None is left out of the file.

    The stages that ticktrace writes itself are session, candle, scan, filter, condition, signal, risk, order and fill;
    applications add their own.

    Attributes:
        ts: when it happened, wall clock, Unix nanoseconds.
        component: what decided: market, scanner, strategy, risk, execution, ticktrace, or a word of the application's.
        stage: which step of the way from candle to fill.
        symbol: the instrument, as the application calls it.
        strategy: whose decision.
        candle: when the candle closed that it is about, Unix seconds of market time.
        decision: numbers the strategy evaluations and scans of a process; lines with the same one belong together.
        name: of the filter, condition or rule.
        passed: the verdict; of a signal, whether one was emitted; of an order, whether it was not rejected.
        reason: why not, as one of few words: ``filter:NAME``, ``signal:STRATEGY:CONDITION``, ``risk:RULE``,
            ``rejected:REASON``, ``order:REASON``, or the application's.
        value: what was looked at.
        threshold: what it was held against.
        comparison: how: ``value COMPARISON threshold`` passes.
        near_miss: whether it failed by no more than the margin.
        payload: anything else.
        trace_id: of the trace, 32 hexadecimal digits; whether that was kept is known later.
        span_id: of the span, 16 hexadecimal digits.
        schema: of the first line of a file, `SCHEMA_VERSION`.
    """

    ts: int
    component: str
    stage: str
    symbol: str | None = None
    strategy: str | None = None
    candle: float | None = None
    decision: int | None = None
    name: str | None = None
    passed: bool | None = None
    reason: str | None = None
    value: Scalar = None
    threshold: Scalar = None
    comparison: str | None = None
    near_miss: bool = False
    payload: dict[str, Any] | None = None
    trace_id: str | None = None
    span_id: str | None = None
    schema: int | None = None
