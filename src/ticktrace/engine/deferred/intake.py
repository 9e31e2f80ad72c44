"""What the trading thread runs for one measurement: a few bytecodes that stamp it, and nothing else.

Totals and last values live in a closure's cell. `total += value` loads, adds and stores, and CPython 3.11 to 3.13 hand
the GIL over, and run signal handlers, only where a function starts, at a backward jump and after a call. So as long as
the addition itself runs no Python code, no other thread and no handler comes between load and store, and no addition is
lost. The addition of two objects whose classes are exactly `int` or `float` runs none, and raises nothing while the
integers stay below all doubles; a `Fraction`, a subclass, a warning of numpy could. So nothing else ever gets into a
cell: everything else is handed to the series, which adds it under its lock. Comparing may run Python code, but is only
done with these two classes, too. The same holds for taking a total and leaving a fresh one.

That is said of the GIL. Without one, series keep their values in buffers instead: appending to a list is safe anywhere.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from ticktrace.engine.deferred.chunk import is_valid

if TYPE_CHECKING:
    from collections.abc import Callable

    Record = Callable[[Any], None]
    Take = Callable[[], Any]

__all__ = ["FRESH", "GREATEST", "TURNS", "bounded", "discard", "last_value", "total"]


class _Fresh(int):
    """Zero, but an object of its own."""


FRESH: Final = _Fresh()
"""What `take` returns when nothing was recorded since. It adds like the SDK's 0, and no sum is ever this very object, so
it tells "nothing was added" from "zero was added", which the SDK exports differently."""

GREATEST: Final = sys.float_info.max
"""The greatest valid value, of every class."""

TURNS: Final[bool] = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether threads take turns, so that cells may be used."""

_ONE: Final = 1
_DIGIT: Final = 2**30 - 1  # up to here CPython compares integers at once
_LARGE: Final = 2**960  # who adds up such integers for years does not get beyond all doubles


def discard(_value: Any, /) -> None:
    """What recording does where nobody listens."""


def total(low: float, other: Record, lanes: int) -> tuple[Record, tuple[Take, ...]]:
    """A sum in a cell for each lane.

    A lane is drained by one reader (or several, see `ticktrace.engine.deferred.streams`): each sums what came between
    two of its own collections, as in the SDK, to the last bit.

    Args:
        low: the least valid value.
        other: told what is not valid, or has a class that must not get into the cell.
        lanes: one or two.

    Returns:
        What adds a value, and for each lane what takes its sum and leaves a fresh one.
    """
    return _one_total(low, other) if lanes == 1 else _two_totals(low, other)


def _is_large(value: Any, low: float) -> bool:
    return type(value) is int and (0 if low >= 0 else -_LARGE) <= value <= _LARGE


def _one_total(low: float, other: Record) -> tuple[Record, tuple[Take, ...]]:
    total: Any = FRESH
    one = _ONE
    least = 0 if low >= 0 else -_DIGIT

    # Nearly all counters count by one. The comparisons are such that CPython specialises each for one class.
    def add(value: Any) -> None:
        nonlocal total
        if (
            value is one
            or (type(value) is float and low <= value <= GREATEST)
            or (type(value) is int and least <= value <= _DIGIT)
        ):
            total += value
        else:
            add_rare(value)

    def add_rare(value: Any) -> None:
        nonlocal total
        if _is_large(value, low):
            total += value
        else:
            other(value)

    def take() -> Any:
        nonlocal total
        taken = total
        total = FRESH
        return taken

    return add, (take,)


def _two_totals(low: float, other: Record) -> tuple[Record, tuple[Take, ...]]:
    first: Any = FRESH
    second: Any = FRESH
    one = _ONE
    least = 0 if low >= 0 else -_DIGIT

    def add(value: Any) -> None:
        nonlocal first, second
        if (
            value is one
            or (type(value) is float and low <= value <= GREATEST)
            or (type(value) is int and least <= value <= _DIGIT)
        ):
            first += value
            second += value
        else:
            add_rare(value)

    def add_rare(value: Any) -> None:
        nonlocal first, second
        if _is_large(value, low):
            first += value
            second += value
        else:
            other(value)

    def take_first() -> Any:
        nonlocal first
        taken = first
        first = FRESH
        return taken

    def take_second() -> Any:
        nonlocal second
        taken = second
        second = FRESH
        return taken

    return add, (take_first, take_second)


def last_value(low: float, reject: Record) -> tuple[Record, Take]:
    """The last value in a cell: what sets it, and what takes it and leaves `FRESH`.

    Storing needs no turn of its own, so any class may get in.
    """
    last: Any = FRESH

    def set_(value: Any) -> None:
        nonlocal last
        plain = type(value) is float or type(value) is int
        if low <= value <= GREATEST if plain else is_valid(value, low):
            last = value
        else:
            reject(value)

    def take() -> Any:
        nonlocal last
        taken = last
        last = FRESH
        return taken

    return set_, take


def bounded(buffer: list[Any], limit: int, trip: Callable[[], object]) -> Record:
    """Append to `buffer`, and call `trip` each time it holds `limit` values or more."""

    def record(value: Any) -> None:
        buffer.append(value)
        if len(buffer) >= limit:
            trip()

    return record
