"""A run of measurements of one series, checked at once and shared by all that aggregate it.

The SDK checks each value as it is recorded. Here a whole run is converted to an array of doubles, and its smallest and
largest element tell whether all of it is valid: a NaN anywhere makes one of the two a NaN.
"""

from __future__ import annotations

import math
import operator
import struct
import sys
from functools import lru_cache, reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["ANY_SIGN", "NOT_NEGATIVE", "Chunk", "addable", "is_valid", "running_sum", "sift"]

NOT_NEGATIVE: Final = 0.0
ANY_SIGN: Final = -sys.float_info.max
"""The least valid value: of counters and histograms, and of up-down counters and gauges."""

_SMALL: Final = 32  # measured: below this many values a loop beats the fixed cost of the array functions
_FEW: Final = 256
_EXACT: Final = 2.0**52  # the sum of two integers below is one, too, of those that all are doubles
_SUM_IS_PLAIN: Final = sys.version_info < (
    3,
    12,
)  # since 3.12 sum() of floats is compensated, the SDK's `+=` is not


_NUMBERS: Final = frozenset({int, float})


class Chunk:
    """Valid values in the order in which they were recorded.

    Attributes:
        values: the numbers, of any type that the SDK takes.
        array: the same as doubles; None when a loop is the better, or the only exact, way to treat them.
        smallest: the first of the smallest values, of its own type.
        largest: the first of the largest values, of its own type.
    """

    __slots__ = ("_counts", "array", "largest", "smallest", "values")

    def __init__(self, values: list[Any], doubles: NDArray[np.float64] | None) -> None:
        self.values: list[Any] = values
        self.array: NDArray[np.float64] | None = doubles
        if doubles is None:
            self.smallest: Any = min(values)
            self.largest: Any = max(values)
        else:
            self.smallest = values[doubles.argmin()]
            self.largest = values[doubles.argmax()]
        self._counts: tuple[tuple[float, ...], list[int]] | None = None

    def counts(self, bounds: tuple[float, ...]) -> list[int]:
        """How many values lie in each bucket: at or below the first bound, …, above the last. Needs the array."""
        if self._counts is None or self._counts[0] != bounds:
            self._counts = bounds, _counted(np.asarray(self.array), _bounds_array(bounds))
        return self._counts[1]


@lru_cache(maxsize=256)
def _bounds_array(bounds: tuple[float, ...]) -> NDArray[np.float64]:
    return np.asarray(bounds, dtype=float)


def _counted(values: NDArray[np.float64], bounds: NDArray[np.float64]) -> list[int]:
    if len(values) < _FEW:
        counts: list[int] = np.bincount(bounds.searchsorted(values), minlength=len(bounds) + 1).tolist()
        return counts
    # Sorting first costs less than bisecting for each value.
    below: list[int] = np.sort(values).searchsorted(bounds, "right").tolist()
    return [end - start for start, end in pairwise((0, *below, len(values)))]


def sift(values: list[Any], low: float) -> tuple[Chunk | None, list[Any]]:
    """The valid ones of `values`, None when there are none, and those that are not valid.

    Args:
        values: what was recorded, whatever it is.
        low: `NOT_NEGATIVE` or `ANY_SIGN`.
    """
    if len(values) >= _SMALL:
        try:
            # Half as long as with array.array, and strict: a str raises, unlike with numpy.fromiter.
            doubles = np.frombuffer(struct.pack(f"{len(values)}d", *values))
            chunk = Chunk(values, doubles)
            # As doubles: numpy's small floats overflow, with a warning, where they are compared to the greatest of these.
            if float(chunk.smallest) >= low and float(chunk.largest) < math.inf:
                if not _exact_as_doubles(chunk):
                    chunk.array = None
                return chunk, []
        except Exception:  # noqa: BLE001, S110  a value may be any object; one of them is at fault, see below
            pass
    elif _all_valid(values, low):
        return Chunk(values, None), []
    good: list[Any] = []
    bad: list[Any] = []
    for value in values:
        (good if is_valid(value, low) else bad).append(value)
    if not good:
        return None, bad
    if bad and len(good) >= _SMALL:
        return sift(good, low)[0], bad
    return Chunk(good, None), bad


def _all_valid(values: list[Any], low: float) -> bool:
    """Whether they are, as far as that is to be seen at a glance: one that is not finite makes the sum so."""
    try:
        return abs(sum(values, 0.0)) < math.inf and float(min(values)) >= low
    except Exception:  # noqa: BLE001  not all are numbers, or of classes that can be added
        return False


def is_valid(value: Any, low: float) -> bool:
    """Whether it is a number that the SDK would aggregate, and not below `low`. Never raises."""
    try:
        return math.isfinite(value) and (low < 0 or bool(value >= 0))
    except Exception:  # noqa: BLE001  not a number, or an integer beyond all doubles
        return False


def _exact_as_doubles(chunk: Chunk) -> bool:
    largest = max(abs(chunk.smallest), abs(chunk.largest))
    return largest * len(chunk.values) < _EXACT or all(type(value) is float for value in chunk.values)


def running_sum(chunk: Chunk, start: Any, *, plain: bool = _SUM_IS_PLAIN) -> Any:
    """`start` plus every value from left to right, bit for bit what ``+=`` in a loop gives.

    Numbers of classes that cannot be added, a Decimal and a float, are added as floats, where the SDK raises.

    Args:
        chunk: what is added.
        start: what it is added to.
        plain: whether the built-in sum() is such a loop.
    """
    try:
        total = sum(chunk.values, start)
    except (TypeError, OverflowError):  # integers beyond all doubles cannot be added to floats either
        return _added_up([float(value) for value in chunk.values], float(start))
    if plain or type(total) is int:
        return total
    doubles = chunk.array
    if doubles is None or type(total) is not float or not (type(start) is float or abs(start) < _EXACT):
        return _added_up(chunk.values, start)
    with np.errstate(over="ignore", invalid="ignore"):  # floats in a loop become infinite without a word
        return float(np.add.accumulate(np.concatenate(((float(start),), doubles)))[-1])


def _added_up(values: Sequence[Any], start: Any) -> Any:
    return reduce(operator.add, values, start)


def addable(fresh: Any, before: Any) -> tuple[Any, Any]:
    """Both sums, as floats if they could not be added otherwise: the SDK's collection of all metrics would fail."""
    if type(fresh) in _NUMBERS and type(before) in _NUMBERS:
        return fresh, before
    try:
        fresh + before
    except Exception:  # noqa: BLE001  a class of somebody's
        return float(fresh), float(before)
    return fresh, before
