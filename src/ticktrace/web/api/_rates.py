"""How often somebody may ask: a bucket of tokens for each key and each address, in bounded number."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Rates"]

_MOST_BUCKETS: Final = 4_096
_MINUTE: Final = 60.0


class Rates:
    """Buckets that hold a minute's tokens and fill up evenly. For one event loop.

    With more callers than there is room for, the one that has not asked for longest is forgotten, whose bucket is the
    fullest as a rule.

    Args:
        per_minute: tokens, and so requests, a minute.
        now: the monotonic clock, seconds.
    """

    def __init__(self, per_minute: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._now = now
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: Hashable) -> float:
        """Take a token; returns 0, or for how many seconds there is none."""
        now = self._now()
        left, at = self._buckets.pop(who, (self._most, now))
        left = min(self._most, left + (now - at) * self._most / _MINUTE)
        wait = 0.0 if left >= 1 else (1 - left) * _MINUTE / self._most
        self._buckets[who] = (left - 1 if not wait else left, now)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return wait
