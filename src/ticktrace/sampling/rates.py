"""Exponentially weighted arrival rates, and how a budget is shared among them."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ArrivalRate", "fair_level"]


class ArrivalRate:
    """Arrivals a second, as the greater of a quick and a slow exponentially weighted rate.

    The quick one lets the estimate jump when load comes; the slow one lets it down gently afterwards. So
    a probability made from it goes down quickly and up slowly.
    """

    __slots__ = ("_at", "_quick", "_slow")

    def __init__(self, now: float) -> None:
        self._at = now
        self._quick = 0.0
        self._slow = 0.0

    def read(self, now: float, quick: float, slow: float) -> float:
        """Arrivals a second at `now` (seconds); a clock that went backwards stands still instead.

        Args:
            now: seconds.
            quick: time constant of the quick rate, in seconds.
            slow: time constant of the slow rate, in seconds.
        """
        elapsed = now - self._at
        if elapsed > 0.0:
            self._at = now
            self._quick *= exp(-elapsed / quick)
            self._slow *= exp(-elapsed / slow)
        quick_rate = self._quick / quick
        slow_rate = self._slow / slow
        return max(slow_rate, quick_rate)

    def count(self) -> None:
        """One more arrival, at the time of the last `read`."""
        self._quick += 1.0
        self._slow += 1.0


def fair_level(rates: Sequence[float], target: float, floor: float, ceiling: float) -> float:
    """The kept traces a second that each key may have: max-min fairness ("water filling").

    Keys that want less than the level keep all they have (up to `ceiling`); what they leave is shared
    equally by the others; keys held up by the `floor` take their part beforehand.

    Args:
        rates: arrivals a second, a key each.
        target: kept traces a second in all.
        floor: the least probability.
        ceiling: the greatest probability.

    Returns:
        The level, in kept traces a second and key; at least a billionth of the target.
    """
    ascending = sorted(rates)
    least = target * 1e-9
    held = 0  # keys at the busy end that the floor holds above the level
    while True:
        remaining = target - floor * sum(ascending[len(ascending) - held :])
        sharing = ascending[: len(ascending) - held]
        level = _fill(sharing, max(remaining, least), ceiling)
        # Each round holds the busiest key that is still below the floor; few rounds are ever needed.
        if not sharing or level >= floor * sharing[-1]:
            return max(level, least)
        held += 1


def _fill(ascending: Sequence[float], target: float, ceiling: float) -> float:
    remaining = target
    left = len(ascending)
    for rate in ascending:
        wanted = rate * ceiling
        if wanted * left >= remaining:
            return remaining / left
        remaining -= wanted
        left -= 1
    return target  # there is enough for all
