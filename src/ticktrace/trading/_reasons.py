"""How often which reason has kept a trade from happening."""

from __future__ import annotations

import threading
from collections import Counter

from ticktrace import semconv

__all__ = ["Reasons"]


class Reasons:
    """Counts reasons, up to a number of different ones; the rest is ``other``. Thread-safe.

    Args:
        most: so many different ones.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, ...]] = Counter()

    def count(self, *words: str, times: int = 1) -> None:
        """Count a reason, given in words: making one text of them can wait until somebody asks."""
        with self._lock:
            if words not in self._counts and len(self._counts) >= self._most:
                words = (semconv.OTHER,)
            self._counts[words] += times

    def most_common(self) -> dict[str, int]:
        """Every reason and its count, most frequent first."""
        with self._lock:
            found = self._counts.most_common()
        return {":".join(words): count for words, count in found}

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._lock = threading.Lock()
