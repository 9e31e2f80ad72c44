"""Conditions with a value, a threshold and a verdict: the answer to "why no trade?"."""

from __future__ import annotations

import math
import numbers
import operator
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

from ticktrace import semconv
from ticktrace.engine import report, warn_once
from ticktrace.scrubbing import REDACTED, SecretKeys

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["COMPARISONS", "Check", "Number", "attribute_number", "exact", "finite", "judge"]

Number = int | float | Decimal

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def judge(value: Number, threshold: Number, comparison: str) -> bool:
    """Whether `value` passes: ``value COMPARISON threshold``.

    What cannot be compared fails and is said: a comparison that is none of ``> >= < <= == !=``, a value that is no
    number. NaN passes nothing but ``!=``.
    """
    compare = COMPARISONS.get(comparison) if isinstance(comparison, str) else None
    if compare is None:
        warn_once(
            "check.comparison",
            "ticktrace: %r is not a comparison; known: %s",
            comparison,
            " ".join(COMPARISONS),
        )
        return False
    try:
        return bool(compare(value, threshold))
    except Exception as error:  # noqa: BLE001  a None where a number was due must not end the bot
        report("check", error)
        return False


_MOST = 2**63  # OTLP has 64 bits for a whole number; wei have more


def attribute_number(value: Number) -> float | int | str:
    """A number as a span attribute. A Decimal becomes a string, so that it keeps its digits; numpy's become Python's."""
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    other: object = value  # what a caller really passes: numpy's numbers, or something that is none
    if isinstance(other, numbers.Integral):
        whole = int(other)
        return whole if -_MOST <= whole < _MOST else str(whole)
    return float(other) if isinstance(other, numbers.Real) else _no_number(other)


def _no_number(value: object) -> str:
    """What stands where a number was due: text, which may be compared as well; of anything else what it is."""
    return value if isinstance(value, str) else f"<{type(value).__name__}>"


_is_secret = SecretKeys()


def _shown(name: str, value: Number) -> float | int | str:
    """A value as it may be shown: no text of what is named like a secret."""
    found = attribute_number(value)
    text = isinstance(found, str) and not isinstance(value, Decimal)
    return REDACTED if text and _is_secret(name) else found


def finite(number: Number | None) -> float | None:
    """A number as a float; None for none, and for what is not finite or no number, which is said."""
    if number is None:
        return None
    try:
        value = float(number)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if math.isfinite(value):
        return value
    warn_once("finite", "ticktrace: %r was left out where a finite number was due", number)
    return None


def exact(number: Number) -> Decimal:
    """A number as the Decimal that prints the same; a float 0.1 is 0.1 and not its binary neighbour.

    Raises:
        ValueError: it is no finite number.
    """
    try:
        value = number if isinstance(number, Decimal) else Decimal(str(number))
    except InvalidOperation:
        raise ValueError(f"{number!r} is no number") from None
    if not value.is_finite():
        raise ValueError(f"{number!r} is not finite")
    return value


class Check(NamedTuple):
    """One condition that was checked.

    Attributes:
        at: monotonic clock, ns.
        name: the condition.
        value: what was measured.
        threshold: what it was held against.
        comparison: how.
        margin: how close a near miss is, as a fraction of the threshold; None for the settings' margin.
        passed: the verdict.
    """

    at: int
    name: str
    value: Number
    threshold: Number
    comparison: str
    margin: float | None
    passed: bool

    def verdict(self, margin: float) -> semconv.FilterResult:
        """The verdict as the metrics have it: pass, fail or near_miss; `margin` is the settings'."""
        if self.passed:
            return semconv.FilterResult.PASS
        near = self._near(margin if self.margin is None else self.margin)
        return semconv.FilterResult.NEAR_MISS if near else semconv.FilterResult.FAIL

    def _near(self, margin: float) -> bool:
        """Whether the value missed the threshold by at most `margin`; for a threshold of 0 the margin is absolute."""
        if self.comparison not in COMPARISONS:
            return False
        try:
            distance = abs(float(self.value) - float(self.threshold))
            return distance <= margin * (abs(float(self.threshold)) or 1.0)
        except (TypeError, ValueError, OverflowError):
            return False

    def attributes(self, margin: float, *, scrub: bool) -> dict[str, Any]:
        """The check as the attributes of a span event.

        Args:
            margin: the settings'.
            scrub: whether to hide text of what is named like a secret; the settings say so, too.
        """
        value, threshold = self.value, self.threshold
        return {
            semconv.FILTER_NAME: self.name,
            semconv.FILTER_RESULT: self.verdict(margin).value,
            semconv.FILTER_VALUE: _shown(self.name, value) if scrub else attribute_number(value),
            semconv.FILTER_THRESHOLD: _shown(self.name, threshold) if scrub else attribute_number(threshold),
            semconv.FILTER_COMPARISON: self.comparison,
        }
