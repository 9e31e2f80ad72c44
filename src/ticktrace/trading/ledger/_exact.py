"""Arithmetic on money that does not round, whatever decimal context the bot has set for itself."""

from __future__ import annotations

import threading
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    getcontext,
    localcontext,
    setcontext,
)
from typing import TYPE_CHECKING

from ticktrace.trading.checks import exact

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ticktrace.trading.checks import Number

__all__ = ["ZERO", "Exactly", "amount", "positive", "quotient", "ratio", "unrounded"]

ZERO = Decimal(0)

_MAGNITUDE = 40  # what is told lies between 1e-40 and 1e40, and has at most _DIGITS significant digits …
_DIGITS = 38
_TRAPS = [InvalidOperation, DivisionByZero, Overflow]
# … so a product of three has at most 3 * 38 digits and ends above 1e-240, and every sum of such fits into 500 digits.
_EXACT = Context(prec=500, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=_TRAPS)
_TOLD = Context(prec=_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=_TRAPS)
# The one thing that has to be rounded: a quotient, to the 34 digits of IEEE 754's decimal128.
_QUOTIENT = Context(prec=34, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=_TRAPS)

quotient = _QUOTIENT.divide
"""One amount over another, rounded to 34 digits."""


class Exactly:
    """A lock; and while it is held, decimals are added, subtracted and multiplied without rounding. Reentrant.

    The arithmetic of this package is written with plain operators and runs inside of it. The context is set and put back by
    hand: `decimal.localcontext` copies it, at the price of ten additions.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._before: list[Context] = []

    def __enter__(self) -> None:
        self._lock.acquire()
        self._before.append(getcontext())
        setcontext(_EXACT)

    def __exit__(self, *_: object) -> None:
        setcontext(self._before.pop())
        self._lock.release()


def unrounded() -> AbstractContextManager[object]:
    """The same arithmetic without the lock, for values that nobody else changes."""
    return localcontext(_EXACT)


def amount(number: Number, what: str) -> Decimal:
    """A number as it was told; a float 0.1 is 0.1 and not its binary neighbour.

    Args:
        number: any number, or a text that is one.
        what: how the error names it.

    Raises:
        ValueError: it is no finite number, or too large or small for money.
    """
    try:
        value = number if isinstance(number, Decimal) and number.is_finite() else exact(number)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    if not value:
        return ZERO
    if not -_MAGNITUDE <= value.adjusted() <= _MAGNITUDE:
        raise ValueError(f"{what}: {number!r} is not between 1e-{_MAGNITUDE} and 1e{_MAGNITUDE}")
    return _TOLD.plus(value)


def positive(number: Number, what: str) -> Decimal:
    """A number above 0, as it was told.

    Raises:
        ValueError: it is none.
    """
    value = amount(number, what)
    if value <= 0:
        raise ValueError(f"{what}: {number!r} is not above 0")
    return value


def ratio(part: Decimal, whole: Decimal) -> float | None:
    """One amount as a part of another; None of nothing."""
    return float(quotient(part, whole)) if whole else None
