"""A mapping that is used as a cache, in front of which its lookups are counted."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import ItemsView, ValuesView

    from ticktrace.trading.cache import Cache

__all__ = ["ObservedMapping"]


class ObservedMapping(MutableMapping[Any, Any]):
    """A mapping in front of another one that is used as a cache; made by `Cache.wrap`.

    ``[]`` and ``get`` are lookups, and so is an ``in`` that says no: who hears yes goes on to look. What vanishes while
    something is put in was evicted. All else is the mapping's own.

    A lookup in memory takes a fraction of what recording it would, so they are counted here and read at each export.

    Attributes:
        hits: lookups that it answered.
        misses: those that it did not.
    """

    def __init__(self, cache: Cache, inner: MutableMapping[Any, Any]) -> None:
        self._cache = cache
        self._inner = inner
        self._lock = threading.Lock()
        self.hits: int = 0
        self.misses: int = 0

    def _missed(self) -> None:
        with self._lock:
            self.misses += 1

    def __getitem__(self, key: Any) -> Any:
        try:
            value = self._inner[key]
        except KeyError:
            self._missed()
            raise
        with self._lock:
            self.hits += 1
        return value

    def __setitem__(self, key: Any, value: Any) -> None:
        expected = len(self._inner) + (key not in self._inner)
        self._inner[key] = value
        gone = expected - len(self._inner)
        if gone > 0:
            self._cache.evicted(gone)

    def __delitem__(self, key: Any) -> None:
        del self._inner[key]

    def __contains__(self, key: object) -> bool:
        there = key in self._inner
        if not there:
            self._missed()
        return there

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)

    def items(self) -> ItemsView[Any, Any]:
        """Its items; to go through them is no lookup."""
        return self._inner.items()

    def values(self) -> ValuesView[Any]:
        """Its values; to go through them is no lookup."""
        return self._inner.values()

    def __copy__(self) -> ObservedMapping:
        return ObservedMapping(self._cache, copy.copy(self._inner))

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held the lock does not exist."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"ObservedMapping({self._inner!r})"

    def pop(self, key: Any, *default: Any) -> Any:
        """Take a value out."""
        return self._inner.pop(key, *default)

    def popitem(self) -> tuple[Any, Any]:
        """Take an item out."""
        return self._inner.popitem()

    def clear(self) -> None:
        """Take everything out."""
        self._inner.clear()

    def __getattr__(self, name: str) -> Any:
        if name in {"_inner", "_cache", "_lock"}:  # a copy that is not complete yet
            raise AttributeError(name)
        return getattr(self._inner, name)
