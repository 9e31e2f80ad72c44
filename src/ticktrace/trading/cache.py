"""A cache: how often it had what was asked for, how fast it answered, how full it is."""

from __future__ import annotations

import threading
import weakref
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from ticktrace import semconv
from ticktrace.engine import contained, report, text_of, warn_once
from ticktrace.trading._block import Block
from ticktrace.trading._mapping import ObservedMapping
from ticktrace.trading._share import Share
from ticktrace.trading.checks import finite
from ticktrace.trading.providers import observed_client

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ticktrace.trading._recorder import Recorder

__all__ = ["Cache", "CacheOperation", "ObservedMapping"]

C = TypeVar("C")
F = TypeVar("F")

_MOST_OBSERVED = 200
# Redis' commands that look one thing up, and answer None where it is not there.
LOOKUPS = ("get", "getex", "getdel", "hget")
OPERATIONS = (
    *LOOKUPS,
    *(
        "set",
        "setex",
        "psetex",
        "setnx",
        "mget",
        "mset",
        "hset",
        "hmget",
        "hgetall",
        "delete",
        "unlink",
        "exists",
        "expire",
    ),
    *(
        "incr",
        "incrby",
        "decr",
        "decrby",
        "lpush",
        "rpush",
        "lpop",
        "rpop",
        "lrange",
        "sadd",
        "srem",
        "smembers",
    ),
    *("zadd", "zrange", "zrem", "publish", "xadd", "xread"),
)


class CacheOperation(Block):
    """One operation on a cache, timed; made by `Cache.operation`. It has no span: Redis' instrumentation makes those.

    Records ``trading.cache.operation.duration``, and what is said of the lookup.
    """

    def __init__(self, cache: Cache, operation: str, *, lookup: bool = False) -> None:
        super().__init__(cache.recorder)
        self._cache = cache
        self._operation = operation
        self._lookup = lookup

    def hit(self) -> None:
        """The cache had it."""
        self._cache.hit()

    def miss(self) -> None:
        """The cache did not have it."""
        self._cache.miss()

    def answered(self, result: object) -> None:
        """A lookup of a wrapped client gave this."""
        if self._lookup:
            self._cache.looked_up(hit=result is not None)

    def measure(self, seconds: float) -> None:
        """Record how long it took."""
        named = self.recorder.words.operations.label(self._operation)
        labels = self.with_error({**self._cache.labels, semconv.DB_OPERATION_NAME: named})
        self.recorder.histogram("cache.operation.duration", labels).record(seconds)


class _Counts(NamedTuple):
    hits: int
    misses: int


class _Watched:
    """Something whose size is asked, and its counts where it keeps some; forgotten when nobody else holds it."""

    def __init__(self, holder: Any, read: Callable[[Any], tuple[_Counts, int]]) -> None:
        try:
            self.holder: Callable[[], Any] = weakref.ref(holder)
        except TypeError:
            self.holder = lambda: holder
        self._read = read
        self._last = _Counts(0, 0)
        self.gone: bool = False

    def read(self) -> tuple[_Counts, int] | None:
        """The lookups since the last time, and the entries now; None when it is no more."""
        holder = self.holder()
        if holder is None or self.gone:
            self.gone = True
            return None
        try:
            now, entries = self._read(holder)
        except Exception as error:  # noqa: BLE001  a cache_info() may be anybody's
            self.gone = True
            report("cache.observe", error)
            return None
        last, self._last = self._last, now
        if now.hits < last.hits or now.misses < last.misses:  # cache_clear() begins anew
            last = _Counts(0, 0)
        return _Counts(now.hits - last.hits, now.misses - last.misses), entries


def _told(function: Any) -> tuple[_Counts, int]:
    info = function.cache_info()
    return _Counts(int(info.hits), int(info.misses)), int(info.currsize)


def _counted(mapping: ObservedMapping) -> tuple[_Counts, int]:
    return _Counts(mapping.hits, mapping.misses), len(mapping)


class Cache:
    """A cache; made by `Trading.cache`. Thread-safe.

    Records ``trading.cache.lookups`` by hit and miss, ``trading.cache.hit_rate`` (of the last hundred that were told, or
    of those since the last export that were counted),
    ``trading.cache.evictions``, ``trading.cache.size`` and ``trading.cache.operation.duration``.

    Attributes:
        recorder: what it records with.
        labels: of its instruments.
    """

    def __init__(self, recorder: Recorder, name: str, system: str | None) -> None:
        self.recorder: Recorder = recorder
        self.labels: dict[str, Any] = {semconv.CACHE_NAME: recorder.words.caches.label(name)}
        if system is not None:
            self.labels[semconv.DB_SYSTEM_NAME] = recorder.words.caches.label(system)
        self._share = Share()
        self._lock = threading.Lock()
        self._watched: list[_Watched] = []
        self._told_size: float | None = None

    def hit(self) -> None:
        """The cache had what was asked for."""
        self.looked_up(hit=True)

    def miss(self) -> None:
        """The cache did not have it."""
        self.looked_up(hit=False)

    @contained(None)
    def looked_up(self, *, hit: bool) -> None:
        """Something was looked up in the cache."""
        hit = bool(hit)
        self._count(int(hit), int(not hit))
        self.recorder.gauge("cache.hit_rate", self.labels).set(self._share.add(hit))

    @contained(None)
    def evicted(self, entries: int = 1) -> None:
        """The cache gave up so many entries to make room, or because they were too old."""
        gone = finite(entries)
        if gone is not None and gone > 0:
            self.recorder.counter("cache.evictions", self.labels).add(int(gone))

    @contained(None)
    def size(self, entries: int) -> None:
        """The cache holds so many entries."""
        self._told_size = finite(entries)

    def operation(self, name: str) -> CacheOperation:
        """A block for one operation on the cache, for ``with`` or ``async with``; say ``hit()`` or ``miss()`` in it.

        Args:
            name: the command, one of few: get, set, …
        """
        return CacheOperation(self, text_of(name))

    def observe(self, function: F) -> F:
        """Watch a function with a ``cache_info()``, such as `functools.lru_cache` makes. Also a decorator above that.

        It is asked at each export, so that its calls cost nothing more. What it counted before `cache_clear` and after
        the last export is lost, and evictions it does not tell.

        Returns:
            The function itself.
        """
        if not callable(getattr(function, "cache_info", None)):
            warn_once("cache.observe", "ticktrace: %r has no cache_info(), so it is not observed", function)
            return function
        self._watch(_Watched(function, _told))
        return function

    def _watch(self, watched: _Watched) -> None:
        with self._lock:
            self._watched = [known for known in self._watched if not known.gone]
            if len(self._watched) < _MOST_OBSERVED:
                self._watched.append(watched)
                return
        warn_once("cache.observe", "ticktrace: a cache observes at most %d stores", _MOST_OBSERVED)

    def wrap(self, store: C, operations: Sequence[str] = OPERATIONS, lookups: Sequence[str] = LOOKUPS) -> C:
        """A stand-in for a mapping that is used as a cache, or for a client such as Redis'.

        Args:
            store: a dict, a cache of cachetools, …: see `ObservedMapping`; or an object with plain or asynchronous
                methods, whose operations are then timed.
            operations: patterns of the names of a client's methods that are operations.
            lookups: those of them that answer None when the cache does not have it.
        """
        if isinstance(store, MutableMapping):
            mapping = ObservedMapping(self, store)
            self._watch(_Watched(mapping, _counted))
            return cast("C", mapping)
        try:
            return observed_client(
                store,
                tuple(operations),
                lambda operation: CacheOperation(self, operation, lookup=operation in lookups),
            )
        except Exception as error:  # noqa: BLE001  a client may be anything; without us it works as it is
            report("cache.wrap", error)
            return store

    def reset_lock(self) -> None:
        """In a forked child, where a thread that held one does not exist."""
        self._lock = threading.Lock()
        for watched in self._watched:
            holder = watched.holder()
            if isinstance(holder, ObservedMapping):
                holder.reset_lock()

    @contained(None)
    def refresh(self) -> None:
        """Before metrics are read: set the size, and count what the watched functions have counted."""
        held = [self._told_size] if self._told_size is not None else []
        hits = misses = 0
        with self._lock:
            watched = list(self._watched)
        for one in watched:
            read = one.read()
            if read is not None:
                (more_hits, more_misses), entries = read
                hits, misses = hits + more_hits, misses + more_misses
                held.append(entries)
        if hits or misses:
            self._count(hits, misses)
            self.recorder.gauge("cache.hit_rate", self.labels).set(hits / (hits + misses))
        if held:
            self.recorder.gauge("cache.size", self.labels).set(sum(held))

    def _count(self, hits: int, misses: int) -> None:
        for result, lookups in ((semconv.CacheResult.HIT, hits), (semconv.CacheResult.MISS, misses)):
            if lookups:
                labels = {**self.labels, semconv.CACHE_RESULT: result.value}
                self.recorder.counter("cache.lookups", labels).add(lookups)
