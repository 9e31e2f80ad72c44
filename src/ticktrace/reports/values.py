"""Many numbers in little room: each different one once, with how often it came; and what can be asked of them."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["ROUGH_BITS", "Values"]

_PENDING: Final = 8_192
"""Numbers that wait before they are looked through for equal ones."""

ROUGH_BITS: Final = 10
"""Bits of the significand that rough numbers keep: they are within a thousandth of the true ones."""

_SIGNIFICAND: Final = 52


class Values:
    """A multiset of floats.

    Exact, until `roughen` is called: from then on numbers are rounded when they are put in order.

    Attributes:
        pending: append numbers here, then call `settle` now and then; that is all that a hot loop pays for.
        bits: of the significand that are kept; 52 are all.
    """

    __slots__ = ("_counts", "_distinct", "bits", "pending")

    def __init__(self, bits: int = _SIGNIFICAND) -> None:
        self.pending: array[float] = array("d")
        self.bits: int = bits
        self._distinct: NDArray[np.float64] = np.empty(0)
        self._counts: NDArray[np.uint32] = np.empty(0, np.uint32)

    def __len__(self) -> int:
        """How many numbers, equal ones each."""
        return len(self.pending) + int(self._counts.sum())

    @property
    def held(self) -> int:
        """How many numbers are kept in memory."""
        return len(self.pending) + len(self._distinct)

    @property
    def exact(self) -> bool:
        """Whether every number is kept as it was given."""
        return self.bits == _SIGNIFICAND

    def settle(self) -> None:
        """Put what waits in order, once there is enough of it; each number is sorted a few times at most."""
        if len(self.pending) > max(_PENDING, len(self._distinct)):
            self._compact()

    def roughen(self, bits: int = ROUGH_BITS) -> None:
        """Keep so many bits of each significand from now on, where memory counts more than the last digit."""
        self.bits = min(self.bits, bits)
        self._compact()

    def ordered(self) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
        """Return the different numbers in rising order, and how often each came. Not to be changed."""
        self._compact()
        return self._distinct, self._counts

    def median(self) -> float | None:
        """Return the middle one, or the mean of the two in the middle; None when there are none."""
        distinct, counts = self.ordered()
        if not len(distinct):
            return None
        reached = np.cumsum(counts, dtype=np.int64)
        last = int(reached[-1])
        low, high = (
            int(np.searchsorted(reached, rank, side="right")) for rank in ((last - 1) // 2, last // 2)
        )
        return float(distinct[low]) if low == high else float(distinct[low] + distinct[high]) / 2

    def absorb(self, other: Values, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> None:
        """Add all numbers of another, each changed alike."""
        distinct, counts = other.ordered()
        self.bits = min(self.bits, other.bits)
        self._compact()
        self._merge(change(distinct), counts)

    def _compact(self) -> None:
        if len(self.pending):
            waiting, self.pending = self.pending, array("d")
            numbers = np.frombuffer(waiting, dtype=np.float64)
            self._merge(numbers, np.ones(1, np.uint32))
        elif not self.exact and len(self._distinct):
            rounded = self._rounded(self._distinct)
            if (rounded != self._distinct).any():
                counts, self._distinct = self._counts, np.empty(0)
                self._counts = np.empty(0, np.uint32)
                self._merge(rounded, counts)

    def _merge(self, numbers: NDArray[np.float64], counts: NDArray[np.uint32]) -> None:
        """Add numbers; `counts` has one for each, or a single one for all."""
        if not self.exact:
            numbers = self._rounded(numbers)
        if len(counts) == 1 and not len(self._distinct):
            numbers = np.sort(numbers)
            starts = _starts(numbers)
            self._distinct = numbers[starts]
            self._counts = np.diff(starts, append=len(numbers)).astype(np.uint32) * counts[0]
            return
        if len(counts) == 1:
            counts = np.full(len(numbers), counts[0], np.uint32)
        together = np.concatenate((self._distinct, numbers))
        weights = np.concatenate((self._counts, counts))
        order = np.argsort(together, kind="stable")
        together, weights = together[order], weights[order]
        starts = _starts(together)
        self._distinct = together[starts]
        self._counts = np.add.reduceat(weights, starts) if len(starts) else weights

    def _rounded(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cut off the last bits of each significand, after adding half of what is cut."""
        lost = _SIGNIFICAND - self.bits
        raw = numbers.view(np.int64) if numbers.flags.writeable else numbers.copy().view(np.int64)
        rounded: NDArray[np.float64] = (
            ((raw + np.int64(1 << (lost - 1))) >> np.int64(lost)) << np.int64(lost)
        ).view(np.float64)
        return rounded


def _starts(numbers: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return where each different number begins, in sorted ones."""
    fresh = np.empty(len(numbers), bool)
    fresh[:1] = True
    np.not_equal(numbers[1:], numbers[:-1], out=fresh[1:])
    return np.flatnonzero(fresh)
