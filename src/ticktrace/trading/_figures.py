"""What the parts that speak of money share: the labels of a result, and numbers that may be none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace import semconv
from ticktrace.engine import warn_once
from ticktrace.trading.checks import Number, exact, finite

if TYPE_CHECKING:
    from decimal import Decimal

    from ticktrace.trading._limits import Words

__all__ = ["result_labels", "usable_decimal", "whole"]


def result_labels(
    words: Words, *, symbol: str | None = None, strategy: str | None = None, venue: str | None = None
) -> dict[str, str]:
    """The labels of whatever is told of a venue, a symbol, a strategy, as far as it is: each within its limit."""
    labels: dict[str, str] = {}
    if venue is not None:
        labels[semconv.VENUE] = words.venues.label(venue)
    if symbol is not None:
        labels[semconv.SYMBOL] = words.symbols.label(symbol)
    if strategy is not None:
        labels[semconv.STRATEGY_NAME] = words.strategies.label(strategy)
    return labels


def whole(count: int) -> int:
    """How many of something; 0 for what is negative, not finite or no number."""
    number = finite(count)
    return 0 if number is None else max(0, int(number))


def usable_decimal(number: Number | None) -> Decimal | None:
    """A number, exact; None for none, and, said once a minute, for what is not finite or no number."""
    if number is None:
        return None
    try:
        return exact(number)
    except Exception:  # noqa: BLE001  whatever it is, and whatever its __str__ raises, it is no number
        warn_once("decimal", "ticktrace: %r was left out where a finite number was due", number)
        return None
