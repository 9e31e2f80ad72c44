"""Counts in equal slices of time: a few hundred, which get longer as the journal does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LADDER", "Counts", "Slice", "Timeline"]

LADDER: Final = (
    1,
    5,
    15,
    60,
    300,
    900,
    3_600,
    14_400,
    86_400,
    604_800,
    *(604_800 << 2 * n for n in range(1, 9)),
)
"""Seconds of a slice; each is a multiple of the one before, so that slices can be put together."""

_MOST: Final = 420

_NUMBERS: Final = (
    "candles",
    "candles_passed",
    "scanned",
    "scanned_passed",
    "candidates",
    "evaluations",
    "conditions_passed",
    "emitted",
    "lost_to_risk",
    "orders",
    "orders_failed",
    "filled",
)


class Counts:
    """What happened: the numbers of the funnel, and reasons."""

    __slots__ = (*_NUMBERS, "reasons")

    candles: int
    candles_passed: int
    scanned: int
    scanned_passed: int
    candidates: int
    evaluations: int
    conditions_passed: int
    emitted: int
    lost_to_risk: int
    orders: int
    orders_failed: int
    filled: int

    def __init__(self) -> None:
        for name in _NUMBERS:
            setattr(self, name, 0)
        self.reasons: dict[int, int] = {}

    def add(self, other: Counts) -> None:
        """Add what happened at another time."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count

    @classmethod
    def total(cls, of: Iterable[Counts]) -> Counts:
        """Add up."""
        total = cls()
        for counts in of:
            total.add(counts)
        return total


class Slice(Counts):
    """What happened in one slice.

    Attributes:
        index: how many slices after the origin it begins.
        inside: whether it belongs to the period that is reported, and not to the one it is compared with.
    """

    __slots__ = ("index", "inside")

    def __init__(self, index: int, *, inside: bool) -> None:
        super().__init__()
        self.index: int = index
        self.inside: bool = inside


class Timeline:
    """The slices, found by time.

    Attributes:
        since: from where on is reported, Unix seconds; None for everything. No slice reaches over it.
        until: what comes then or later is left out.
        history: what comes before is left out.
        low, high: the times for which the last answer of `find` holds.
        width: of a slice, seconds.
    """

    def __init__(
        self, since: float | None = None, until: float | None = None, history: float | None = None
    ) -> None:
        self.since: float | None = since
        self.until: float = math.inf if until is None else until
        self.history: float = -math.inf if history is None else history
        self.low: float = 0.0
        self.high: float = 0.0
        self._origin = since or 0.0
        self._rung = 0
        self._slices: dict[int, Slice] = {}

    @property
    def width(self) -> int:
        """Seconds of a slice."""
        return LADDER[self._rung]

    def find(self, time: float) -> Slice | None:
        """Return the slice of a time, and set `low` and `high`; None for what is left out."""
        if time >= self.until:
            self.low, self.high = self.until, math.inf
            return None
        if time < self.history:
            self.low, self.high = -math.inf, self.history
            return None
        index = self._index(time)
        found = self._slices.get(index)
        if found is None:
            if len(self._slices) >= _MOST:
                self._widen()
                return self.find(time)
            inside = self.since is None or index >= 0
            found = self._slices[index] = Slice(index, inside=inside)
        begin = self._origin + index * self.width
        self.low = max(begin, self.history)
        self.high = min(begin + self.width, self.until)
        return found

    def _index(self, time: float) -> int:
        # Rounding must not put a time into the slice before that which begins with it.
        index = math.floor((time - self._origin) / self.width)
        return index + 1 if time >= self._origin + (index + 1) * self.width else index

    def _widen(self) -> None:
        """Put slices together until there is room. Slices that somebody holds are no longer the right ones."""
        while len(self._slices) >= _MOST // 2 and self._rung < len(LADDER) - 1:
            together = LADDER[self._rung + 1] // LADDER[self._rung]
            self._rung += 1
            slices, self._slices = self._slices, {}
            for one in slices.values():
                index = one.index // together
                into = self._slices.get(index)
                if into is None:
                    one.index = index
                    self._slices[index] = one
                else:
                    into.add(one)

    def slices(self) -> list[Slice]:
        """Return those in which something happened, in order."""
        return sorted(self._slices.values(), key=lambda one: one.index)

    def begin(self, index: int) -> float:
        """Return when a slice begins, Unix seconds."""
        return self._origin + index * self.width

    def between(self, first: int, last: int) -> Counts:
        """Add up the slices from `first` to `last`, both included."""
        return Counts.total(one for one in self._slices.values() if first <= one.index <= last)
