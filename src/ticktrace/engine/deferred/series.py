"""One attribute set of one instrument: where its measurements wait, and how they get into the readers' streams."""

from __future__ import annotations

import threading
import time
import weakref
from time import time_ns
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from ticktrace.engine.barrier import report
from ticktrace.engine.deferred.inside import Inside
from ticktrace.engine.deferred.intake import discard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics._internal.instrument import _Synchronous

    from ticktrace.engine.deferred.cardinality import AttributeSets
    from ticktrace.engine.deferred.streams import ReaderStorage, Sink
    from ticktrace.engine.recent import Recent

__all__ = ["DroppedSeries", "Feeding", "Series"]

_PATIENCE_SECONDS: Final = 1.0
_NEVER: Final[Mapping[ReaderStorage, int]] = {}
_AT_ONCE_SECONDS: Final = 0.05


def _always() -> bool:
    return True


class Feeding:
    """What all series of one provider have in common.

    Args:
        buffer_size: the bound of a buffer, in values; None for no bound.
        on_rejected: told the instrument, and the invalid values. Never raises.
        on_dropped: told why and how many valid values were lost. Never raises.
        wake: called when a buffer was full, and should be drained more often. Never raises.
        recent: keeps the values of histograms.

    Attributes:
        lanes: for each lane the storages that its totals go to; changed only by being replaced.
        inside: the threads that are at the SDK's locks.
    """

    __slots__ = ("buffer_size", "inside", "lanes", "on_dropped", "on_rejected", "recent", "wake")

    def __init__(
        self,
        *,
        buffer_size: int | None,
        on_rejected: Callable[[_Synchronous, Sequence[Any]], None],
        on_dropped: Callable[[str, int], None],
        wake: Callable[[], object],
        recent: Recent | None,
    ) -> None:
        self.lanes: tuple[tuple[ReaderStorage, ...], ...] = ((),)
        self.buffer_size: int | None = buffer_size
        self.on_rejected: Callable[[_Synchronous, Sequence[Any]], None] = on_rejected
        self.on_dropped: Callable[[str, int], None] = on_dropped
        self.wake: Callable[[], object] = wake
        self.recent: Recent | None = recent
        self.inside: Inside = Inside()


class Series:
    """The measurements of one attribute set on their way to the streams of every reader.

    Attributes:
        record: what the instrument calls with each value: the hot path.
        attributes: clean; not to be changed.
        home: where its instrument finds it.
        fixed: whether it is never forgotten, however idle.
        retired: whether its instrument has forgotten it.
        written_at: when a measurement was last seen, on the monotonic clock, in seconds.
    """

    __slots__ = (
        "_feeding",
        "_instrument",
        "_leases",
        "_lock",
        "_low",
        "_patience",
        "_restarts",
        "_sinks",
        "_start",
        "attributes",
        "fixed",
        "home",
        "record",
        "retired",
        "written_at",
    )

    def __init__(
        self,
        feeding: Feeding,
        instrument: _Synchronous,
        attributes: Mapping[str, Any],
        low: float,
        *,
        fixed: bool = False,
    ) -> None:
        self._feeding = feeding
        self._instrument = instrument
        self._low = low
        self._start = time_ns()
        self._lock = threading.Lock()
        self._sinks: dict[ReaderStorage, tuple[Sink, ...]] = {}
        self._patience = _PATIENCE_SECONDS
        self._restarts: Mapping[ReaderStorage, int] = _NEVER
        self._leases: list[weakref.ref[Any]] = []
        self.attributes: Mapping[str, Any] = attributes
        self.home: AttributeSets | None = None
        self.fixed: bool = fixed
        self.retired: bool = False
        self.written_at: float = time.monotonic()
        self.record: Callable[[Any], None] = self._make_record()

    def _make_record(self) -> Callable[[Any], None]:
        raise NotImplementedError  # pragma: no cover

    def accepts(self, kind: type) -> bool:
        """Whether it can feed an aggregation of this class."""
        raise NotImplementedError  # pragma: no cover

    def settle(self, lane: int) -> None:
        """Bring all that waits for the readers of a lane into their streams."""
        raise NotImplementedError  # pragma: no cover

    def record_many(self, values: Sequence[Any]) -> None:
        """Record each of the values."""
        for value in values:
            self.record(value)

    def lease(self) -> Callable[[Any], None]:
        """`record`, for somebody who keeps it: while this very object lives, the series is pinned."""
        record: Any = self.record
        if isinstance(record, FunctionType):  # a twin, with the same cells
            handed: Any = FunctionType(record.__code__, record.__globals__, closure=record.__closure__)
        else:  # a list's method: every look makes a new one
            handed = record.__self__.append
        self._leases = [*(ref for ref in self._leases if ref() is not None), weakref.ref(handed)]
        leased: Callable[[Any], None] = handed
        return leased

    @property
    def pinned(self) -> bool:
        """Whether somebody holds what `lease` gave out, or it is fixed."""
        return self.fixed or any(ref() is not None for ref in self._leases)

    def idle_since(self, moment: float) -> bool:
        """Whether nothing was seen after `moment`, and nothing waits."""
        return self.written_at <= moment

    def reset_lock(self) -> None:
        """In a forked child: a thread that is gone may have held the lock."""
        self._lock = threading.Lock()

    def offer_exemplar(
        self, value: float, time_unix_nano: int, attributes: Mapping[str, Any], context: Context
    ) -> None:
        """Offer an exemplar to the reservoirs of all streams of this series."""
        lanes = self._feeding.lanes
        for lane, storages in enumerate(lanes):
            if any(storage not in self._sinks for storage in storages):
                self.settle(lane)  # its first value still waits
        if not self._feeding.inside.enter():
            return
        try:
            for sinks in list(self._sinks.values()):
                for sink in sinks:
                    sink.aggregation._reservoir.offer(value, time_unix_nano, attributes, context)  # noqa: SLF001
        finally:
            self._feeding.inside.leave()

    def disconnect(self, storage: ReaderStorage, *, for_good: bool = False) -> None:
        """Leave the streams of a reader, until the next measurement or for good."""
        lock = self._enter()
        if lock is None:
            return
        try:
            sinks = self._sinks.pop(storage, None)
            restarts = {one: start for one, start in self._restarts.items() if one is not storage}
            if not for_good:
                restarts[storage] = time_ns()  # should it be seen again, the count begins anew, and here
            self._restarts = restarts
            if sinks:
                storage.disconnect(sinks)
        finally:
            self._leave(lock)

    def connected(self) -> bool:
        """Whether any reader has it."""
        return bool(self._sinks)

    def _enter(self, seconds: float = _PATIENCE_SECONDS) -> threading.Lock | None:
        """Take the lock; None when that cannot be, or must not: see `Inside`."""
        inside, lock = self._feeding.inside, self._lock
        if not inside.enter():
            return None
        if lock.acquire(timeout=seconds):
            self._patience = _PATIENCE_SECONDS
            return lock
        inside.leave()
        return None

    def _enter_on_trading_thread(self, needed: Callable[[], object] = _always) -> threading.Lock | None:
        """The same for who should not wait: others hold the lock for 50 µs, and then some while they wait for the GIL.

        Should one of them hang, all who wait do so for no more than a second in all. None, too, when it is no longer
        `needed`.
        """
        lock = self._enter(0)
        while lock is None and not self._hopeless() and needed():
            began = time.monotonic()
            lock = self._enter(min(self._patience, _AT_ONCE_SECONDS))
            if lock is None:
                self._patience -= time.monotonic() - began
        return lock

    def _hopeless(self) -> bool:
        """Whether there is no use in waiting for the lock."""
        return self._patience <= 0 or self._feeding.inside.here()

    def _leave(self, lock: threading.Lock) -> None:
        self._feeding.inside.leave()
        lock.release()

    def _sinks_of(self, storage: ReaderStorage) -> tuple[Sink, ...]:
        self.written_at = time.monotonic()
        sinks = self._sinks.get(storage)
        if sinks is None:
            try:
                sinks = storage.connect(
                    self._instrument,
                    self.attributes,
                    self._restarts.get(storage, self._start),
                    self.accepts,
                    whole=self.fixed,
                )
            except Exception as error:  # noqa: BLE001  one reader's fault must not keep the others waiting
                report(f"metrics.streams of {self._instrument.name}", error)
                sinks = ()
            self._sinks[storage] = sinks
        return sinks

    def _give(self, storages: Sequence[ReaderStorage], give: Callable[[Any], None]) -> None:
        """Call `give` with the aggregation of each stream; what one of them raises is reported."""
        for storage in storages:
            for sink in self._sinks_of(storage):
                try:
                    give(sink.aggregation)
                except Exception as error:  # noqa: BLE001  see `_sinks_of`
                    report(f"metrics.aggregate of {self._instrument.name}", error)

    def _listening(self) -> bool:
        return self._instrument._is_enabled()  # noqa: SLF001  as the SDK's own `add` asks

    def _reject(self, *values: Any) -> None:
        self._feeding.on_rejected(self._instrument, values)


class DroppedSeries(Series):
    """Nobody exports it."""

    __slots__ = ()

    def _make_record(self) -> Callable[[Any], None]:
        return discard

    def accepts(self, kind: type) -> bool:  # noqa: ARG002  nothing
        """Nothing."""
        return False

    def settle(self, lane: int) -> None:
        """See `Series`."""
