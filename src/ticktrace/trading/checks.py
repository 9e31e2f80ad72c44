"""Conditions with a value, a threshold and a verdict: the answer to "why no trade?"."""

from __future__ import annotations

import operator
from decimal import Decimal
from typing import TYPE_CHECKING

from ticktrace import semconv
from ticktrace.engine import warn_once

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPARISONS", "Number", "attribute_number", "judge", "near", "result"]

Number = int | float | Decimal

COMPARISONS: dict[str, Callable[[Number, Number], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def judge(value: Number, threshold: Number, comparison: str) -> bool:
    """Whether `value` passes: ``value COMPARISON threshold``.

    A comparison that is none of ``> >= < <= == !=`` fails and is said once. NaN passes nothing but ``!=``.
    """
    compare = COMPARISONS.get(comparison)
    if compare is None:
        warn_once(
            f"check.{comparison}",
            "ticktrace: %r is not a comparison; known: %s",
            comparison,
            " ".join(COMPARISONS),
        )
        return False
    return compare(value, threshold)


def near(value: Number, threshold: Number, margin: float) -> bool:
    """Whether a failed value missed the threshold by at most `margin`, a fraction of the threshold's size.

    For a threshold of 0 the margin is absolute.
    """
    distance = abs(float(value) - float(threshold))
    scale = abs(float(threshold)) or 1.0
    return distance <= margin * scale


def attribute_number(value: Number) -> float | int | str:
    """A number as a span attribute. A Decimal becomes a string, so that it keeps its digits."""
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    return value


def result(
    passed: bool, value: Number | None, threshold: Number | None, margin: float
) -> semconv.FilterResult:
    """The verdict as the metrics have it: pass, fail or near_miss."""
    if passed:
        return semconv.FilterResult.PASS
    if value is not None and threshold is not None and near(value, threshold, margin):
        return semconv.FilterResult.NEAR_MISS
    return semconv.FilterResult.FAIL
