"""Caches of the application's, registered so that they can be cleared when memory runs short."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final, Protocol, runtime_checkable

from ticktrace.engine import text_of
from ticktrace.errors import SettingsError

__all__ = ["Cache", "CacheInfo", "Clearing", "LruCache", "cache_of"]

_SLICE_SECONDS: Final = 0.0002
_REST_SECONDS: Final = 0.0002
_ENTRY_SECONDS: Final = 2e-7  # to let go of one; a guess for values of some size
_NOTICEABLE_SECONDS: Final = 0.0005

Clearing = Callable[[], object]


class CacheInfo(Protocol):
    """What `functools.lru_cache` tells of itself."""

    @property
    def currsize(self) -> int:
        """Entries."""
        ...


@runtime_checkable
class LruCache(Protocol):
    """A function with `functools.lru_cache` above it."""

    def cache_info(self) -> CacheInfo:
        """How full it is."""
        ...

    def cache_clear(self) -> None:
        """Let go of everything, in one go."""
        ...


class Cache:
    """One cache.

    Args:
        name: for records.
        clear: clears it; may return how many entries went.
        pause: for how many seconds that stops all threads, 0 when it does not to speak of.

    Attributes:
        name: for records.
    """

    def __init__(self, name: str, clear: Clearing, pause: Callable[[], float]) -> None:
        self.name: str = name
        self._clear = clear
        self._pause = pause

    def pause(self) -> float:
        """How long clearing it stops all threads, seconds; 0 when not to speak of."""
        return self._pause()

    def clear(self) -> str:
        """Clear it.

        Returns:
            What happened, in words.

        Raises:
            Exception: whatever the application's function does.
        """
        gone = self._clear()
        entries = f", {gone:,} entries" if type(gone) is int else ""
        return f"cleared {self.name}{entries}"


def cache_of(
    name: str, cache: MutableMapping[Any, Any] | LruCache | Clearing, *, pauses: bool = False
) -> Cache:
    """Make a cache of what the application has.

    Args:
        name: for records.
        cache: a mapping, which is emptied some entries at a time so that nobody waits; a function with
            `functools.lru_cache`; or a function without arguments that clears it.
        pauses: whether that function stops the trading thread, by holding the GIL or a lock for long.

    Raises:
        SettingsError: it is none of these.
    """
    if isinstance(cache, LruCache):
        return Cache(name, _clearing_lru(cache), lambda: _noticeable(cache.cache_info().currsize))
    if isinstance(cache, MutableMapping):
        return Cache(name, lambda: _empty(cache), lambda: 0.0)
    if callable(cache):
        return Cache(name, cache, lambda: _NOTICEABLE_SECONDS if pauses else 0.0)
    raise SettingsError(
        [f"the cache {text_of(name)} is neither a mapping nor a function: {type(cache).__name__}"]
    )


def _clearing_lru(cache: LruCache) -> Clearing:
    def clear() -> int:
        entries = cache.cache_info().currsize
        cache.cache_clear()
        return entries

    return clear


def _noticeable(entries: int) -> float:
    seconds = entries * _ENTRY_SECONDS
    return seconds if seconds >= _NOTICEABLE_SECONDS else 0.0


def _empty(mapping: MutableMapping[Any, Any]) -> int:
    """Take out the entries that are in it, a few at a time. The application may go on using it."""
    number = len(mapping)
    gone = 0
    ends = time.perf_counter() + _SLICE_SECONDS
    while gone < number:
        try:
            mapping.popitem()
        except KeyError:  # the application has taken the rest
            break
        gone += 1
        if time.perf_counter() >= ends:
            time.sleep(_REST_SECONDS)
            ends = time.perf_counter() + _SLICE_SECONDS
    return gone
