"""The last values of each series as they were recorded: what exact percentiles of the last seconds are made of.

Aggregation forgets the values, and buckets only say between which bounds they were. So each series keeps its newest
values in a ring, sixteen bytes a value with its time, which grows as it fills and never beyond its bound.
"""

from __future__ import annotations

import threading
from array import array
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ticktrace.engine.barrier import report, warn_once

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from numpy.typing import NDArray

    from ticktrace.settings import RecentSettings

__all__ = ["Kept", "Recent", "make_recent"]

_PATIENCE_SECONDS: Final = 0.05
_SECOND: Final = 1_000_000_000


class Kept(NamedTuple):
    """What is kept of one series, the oldest first.

    Attributes:
        attributes: of the series.
        values: as doubles.
        times: readings of the monotonic clock, ns, one for each value.
        recorded: how many values it was given altogether.
    """

    attributes: Mapping[str, Any]
    values: NDArray[np.float64]
    times: NDArray[np.int64]
    recorded: int


class _Ring:
    """The newest values of one series."""

    __slots__ = ("_lock", "_most", "_next", "_times", "_values", "attributes", "recorded", "written_at")

    def __init__(self, attributes: Mapping[str, Any], most: int, now: int) -> None:
        self.attributes: Mapping[str, Any] = attributes
        self.recorded: int = 0
        self.written_at: int = now
        self._most = most
        self._next = 0  # once it is full: where the oldest value is, and the newest is going to be
        self._values = array("d")
        self._times = array("q")
        self._lock = threading.RLock()  # a signal handler may record while its thread is in here

    def _acquire(self) -> bool:
        # Held for microseconds; a bound all the same, as the one who waits may be the trading thread.
        return self._lock.acquire(blocking=False) or self._lock.acquire(timeout=_PATIENCE_SECONDS)

    def append(self, value: float, at: int) -> bool:
        """Keep one value; False when it could not be."""
        if not self._acquire():
            return False
        try:
            if len(self._values) < self._most:
                self._values.append(value)
                self._times.append(at)
            else:
                place = self._next
                self._values[place] = value
                self._times[place] = at
                self._next = place + 1 if place + 1 < self._most else 0
            self.recorded += 1
            self.written_at = at
        finally:
            self._lock.release()
        return True

    def extend(self, values: array[float], at: int) -> bool:
        """Keep a run of values; False when they could not be."""
        count, most = len(values), self._most
        values = values[max(count - most, 0) :]
        times = array("q", (at,)) * len(values)
        if not self._acquire():
            return False
        try:
            room = most - len(self._values)
            if room:
                self._values.extend(values[:room])
                self._times.extend(times[:room])
                values = values[room:]
            place = self._next
            before_end = min(len(values), most - place)
            left = len(values) - before_end
            self._values[place : place + before_end] = values[:before_end]
            self._times[place : place + before_end] = times[:before_end]
            self._values[:left] = values[before_end:]
            self._times[:left] = times[:left]
            self._next = (place + len(values)) % most
            self.recorded += count
            self.written_at = at
        finally:
            self._lock.release()
        return True

    def kept(self) -> Kept | None:
        """A copy of what is in it; None when it could not be had."""
        if not self._acquire():
            return None
        try:
            # Slices are copies: an array that numpy looked into could not grow meanwhile.
            oldest = self._next
            values = self._values[oldest:] + self._values[:oldest]
            times = self._times[oldest:] + self._times[:oldest]
            recorded = self.recorded
        finally:
            self._lock.release()
        return Kept(self.attributes, np.array(values), np.array(times, dtype=np.int64), recorded)


class Recent:
    """The newest values of many series. Thread-safe; nothing in it raises or grows without bound.

    When `series` are kept already, a new one takes the place of the one that was not written for longest, if that was
    `idle_seconds` ago or more. Else its values are not kept, and counted.

    Args:
        values: how many values of a series are kept.
        series: how many series are kept.
        idle_seconds: after how long without a value a series may lose its place.
        now: the monotonic clock, ns.

    Attributes:
        refused: how many values were not kept for want of a place.
        now: the clock that the times are read from.
    """

    def __init__(
        self,
        *,
        values: int = 10_000,
        series: int = 200,
        idle_seconds: float = 60.0,
        now: Callable[[], int] = perf_counter_ns,
    ) -> None:
        self.now: Callable[[], int] = now
        self.refused: int = 0
        self._most_values = values
        self._most_series = series
        self._idle = int(idle_seconds * _SECOND)
        self._lock = threading.RLock()
        self._rings: dict[str, dict[Hashable, _Ring]] = {}
        self._count = 0
        self._search_at = 0

    def add(
        self,
        instrument: str,
        attributes: Mapping[str, Any],
        values: Sequence[float] | NDArray[np.float64],
        at_ns: int | None = None,
    ) -> None:
        """Keep a run of values of one series. Never raises.

        Args:
            instrument: its OpenTelemetry name in lower case.
            attributes: clean; must not change afterwards.
            values: numbers, in the order in which they were recorded.
            at_ns: when they were, by the clock `now`; the present by default.
        """
        try:
            if isinstance(values, np.ndarray):
                fresh = array("d")
                fresh.frombytes(np.asarray(values, dtype=np.float64).tobytes())
            else:
                fresh = array("d", values)
            at = self.now() if at_ns is None else at_ns
            ring = self._ring(instrument, attributes, at)
            if fresh and (ring is None or not ring.extend(fresh, at)):
                self.refused += len(fresh)
        except Exception as error:  # noqa: BLE001  a value may be any number, such as an integer beyond all doubles
            report("metrics.recent", error)

    def add_one(self, instrument: str, attributes: Mapping[str, Any], value: float) -> None:
        """Keep one value, recorded now; see `add`."""
        try:
            at = self.now()
            ring = self._ring(instrument, attributes, at)
            if ring is None or not ring.append(value, at):
                self.refused += 1
        except Exception as error:  # noqa: BLE001  see add
            report("metrics.recent", error)

    def select(self, instrument: str) -> list[Kept]:
        """A copy of what is kept of each series of an instrument."""
        rings = list(self._rings.get(instrument, {}).values())
        return [kept for kept in (ring.kept() for ring in rings) if kept is not None]

    def attributes_of(self, instrument: str) -> list[Mapping[str, Any]]:
        """The attributes of each series of an instrument."""
        return [ring.attributes for ring in list(self._rings.get(instrument, {}).values())]

    def instruments(self) -> tuple[str, ...]:
        """The names of the instruments of which something is kept."""
        return tuple(sorted(self._rings.copy()))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._rings = {}
            self._count = 0

    def _ring(self, instrument: str, attributes: Mapping[str, Any], at: int) -> _Ring | None:
        key = _key(attributes)
        try:
            return self._rings[instrument][key]
        except KeyError:
            return self._make(instrument, attributes, key, at)

    def _make(self, instrument: str, attributes: Mapping[str, Any], key: Hashable, at: int) -> _Ring | None:
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            return None
        try:
            rings = self._rings.setdefault(instrument, {})
            ring = rings.get(key)
            if ring is None:
                if self._count >= self._most_series and not self._make_room(at):
                    if not rings:
                        del self._rings[instrument]
                    return None
                # A dict of its own for every change: readers go through them without a lock.
                ring = _Ring(attributes, self._most_values, at)
                self._rings[instrument] = {**self._rings.get(instrument, {}), key: ring}
                self._count += 1
            return ring
        finally:
            self._lock.release()

    def _make_room(self, at: int) -> bool:
        if at < self._search_at:  # searched just now: who is turned away must not pay for it each time
            return False
        every = [
            (ring.written_at, name, key) for name, rings in self._rings.items() for key, ring in rings.items()
        ]
        written_at, name, key = min(every, key=lambda one: one[0])
        if at - written_at < self._idle:
            self._search_at = at + _SECOND
            warn_once(
                "metrics.recent.full",
                "ticktrace: %d series have their last values kept, as many as metrics.recent.series allows; statistics leave"
                " out the others",
                self._most_series,
            )
            return False
        left = {other: ring for other, ring in self._rings[name].items() if other != key}
        if left:
            self._rings[name] = left
        else:
            del self._rings[name]
        self._count -= 1
        return True


def _key(attributes: Mapping[str, Any]) -> Hashable:
    try:
        key = frozenset(attributes.items())
        hash(key)
    except TypeError:  # a mapping among the values
        return repr(sorted(attributes.items()))
    return key


def make_recent(settings: RecentSettings) -> Recent | None:
    """What the settings ask for; None where nothing is to be kept."""
    if not settings.enabled:
        return None
    return Recent(
        values=settings.values, series=settings.series, idle_seconds=max(settings.windows, default=60.0)
    )
