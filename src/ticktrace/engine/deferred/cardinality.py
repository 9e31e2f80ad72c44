"""Which series a set of attributes is, and how many an instrument may have.

Attributes are cleaned and told apart as the SDK does it (`1`, `True` and `1.0` are three values), with one difference:
a string is a string whatever its class, so an enum's member and its text are one series, where the SDK would export two
with equal attributes. That costs microseconds, so the outcome is remembered for each dict's items in their order.

An instrument has at most `limit` series, the last of which is the overflow series (OTel Metrics SDK, "Cardinality
limits"): it takes the measurements of all further sets and carries nothing but `otel.metric.overflow`. When series are
forgotten, there is room again: for what is recorded by attributes at once, for a handle when it is bound anew.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.attributes import _clean_attribute_value
from opentelemetry.sdk.metrics._internal._view_instrument_match import _hash_attributes

from ticktrace.engine.barrier import report, warn_once
from ticktrace.engine.deferred.intake import discard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ticktrace.engine.deferred.instruments import BoundSeries
    from ticktrace.engine.deferred.series import Series

    Record = Callable[[Any], None]

__all__ = ["OVERFLOW", "AttributeSets"]

OVERFLOW: Final[Mapping[str, Any]] = {"otel.metric.overflow": True}

_WAYS = 4  # as many orders of the same attributes are remembered for each series, on average
_OVERFLOW_WAYS = 2  # of these so many may be taken by sets that have no series of their own
_PLAIN: Final = frozenset({str, bool, int, bytes, type(None)})  # not float: a NaN is never found again


class AttributeSets:
    """The series of one instrument.

    Args:
        make: makes the series of a clean attribute set; its second argument says whether it is the overflow series.
        keep: told each series that is going to be used.
        keys: tells, once the first measurement is there, which attributes any view keeps; None for all.
        limit: how many series there may be, the overflow series among them.

    Attributes:
        overflowed: how many measurements went to the overflow series.
        records: what to call with a value, by the items of the attributes; only sets of nothing but strings are in here.
    """

    __slots__ = (
        "_closed",
        "_handles",
        "_keep",
        "_keys",
        "_limit",
        "_lock",
        "_make",
        "_overflow",
        "_series",
        "_typed",
        "overflowed",
        "records",
    )

    def __init__(
        self,
        make: Callable[[Mapping[str, Any], bool], Series],
        keep: Callable[[Series], None],
        keys: Callable[[], frozenset[str] | None],
        limit: int,
    ) -> None:
        self._make = make
        self._keep = keep
        self._keys = keys
        self._limit = max(limit, 1)
        self._lock = threading.RLock()  # a signal handler may record while its thread is in here
        self._series: dict[Any, Series] = {}
        self._overflow: Record | None = None
        self._typed: dict[Any, Record] = {}
        self._handles: weakref.WeakSet[BoundSeries] = weakref.WeakSet()
        self._closed = False
        self.records: dict[tuple[Any, ...], Record] = {}
        self.overflowed: int = 0

    def record_for(self, attributes: Any) -> Record:
        """What to call with a value for these attributes: any mapping, or None. Never raises."""
        try:
            return self._record_for(attributes)
        except Exception as error:  # noqa: BLE001  attributes may be any object
            report("metrics.attributes", error)
            return discard if self._closed else self._overflowing()

    def lease(self, clean: dict[str, Any]) -> tuple[Record, Series]:
        """What to call with a value, and the series, for somebody who keeps them; the attributes must be clean.

        While the function that is given out lives, the series is not forgotten.
        """
        with self._lock:
            series = self._find(clean)
            if self._closed:
                return discard, series
            if self.is_overflow(series):
                return self._counting(series.record), series
            return series.lease(), series

    def clean(self, attributes: Any) -> dict[str, Any]:
        """The attributes as the SDK would export them; what is no mapping counts as none, with a warning."""
        if not attributes:
            return {}
        if not isinstance(attributes, Mapping):
            warn_once(
                "metrics.attributes",
                "Invalid type '%s' for attributes. Expected a Mapping or None.",
                type(attributes),
            )
            return {}
        cleaned = _clean_attribute_value(attributes, None)
        return {str.__str__(key): _plain(value) for key, value in cleaned.items()}

    def forget(self, gone: Iterable[Series]) -> None:
        """Let new measurements of these series start new ones; what holds their `record` still reaches the old."""
        with self._lock:
            retired = {id(series): series for series in gone if not series.pinned}
            for key in [key for key, series in self._series.items() if id(series) in retired]:
                self._series.pop(key).retired = True
            # There is room again for those that had none.
            records = {id(self._overflow), *(id(series.record) for series in retired.values())}
            for known in (self.records, self._typed):
                for key in [key for key, record in list(known.items()) if id(record) in records]:
                    known.pop(key, None)

    def close(self) -> None:
        """Record nowhere from now on."""
        with self._lock:
            self._closed = True
            self.records.clear()
            self._typed.clear()
            handles = list(self._handles)
        for handle in handles:
            handle.silence()

    def watch(self, handle: BoundSeries) -> None:
        """Let a handle know when nothing is recorded any more."""
        with self._lock:
            self._handles.add(handle)
        if self._closed:
            handle.silence()

    def reset_lock(self) -> None:
        """In a forked child: a thread that is gone may have held the lock."""
        self._lock = threading.RLock()

    def is_overflow(self, series: Series) -> bool:
        """Whether it is the overflow series."""
        return series.attributes is OVERFLOW

    def _record_for(self, attributes: Any) -> Record:
        if self._closed:
            return discard
        typed = _typed_items(attributes)
        if typed is not None:
            record = self._typed.get(typed)
            if record is not None:
                return record
        clean = self.clean(attributes)
        with self._lock:
            series = self._find(clean)
            ways = _WAYS
            record = series.record
            if self.is_overflow(series):
                record, ways = self._overflowing(), _OVERFLOW_WAYS
            if typed is not None:
                known: dict[Any, Record]
                known, key = (self.records, typed[0]) if _only_strings(typed[0]) else (self._typed, typed)
                if len(known) < self._limit * ways:
                    known[key] = record
        return record

    def _find(self, clean: dict[str, Any]) -> Series:
        keys = self._keys()
        kept = clean if keys is None else {key: value for key, value in clean.items() if key in keys}
        key = _hash_attributes(kept)
        series = self._series.get(key)
        if series is None:
            if len(self._series) - (None in self._series) >= self._limit - 1:
                return self._overflow_series()
            series = self._added(key, self._make(kept, False))
        return series

    def _overflow_series(self) -> Series:
        with self._lock:
            return self._series.get(None) or self._added(None, self._make(OVERFLOW, True))

    def _added(self, key: Any, made: Series) -> Series:
        # A signal handler on top of this thread, whom the lock lets in, may have been first.
        series = self._series.setdefault(key, made)
        if series is made:
            series.home = self
            self._keep(series)
        return series

    def _overflowing(self) -> Record:
        if self._overflow is None:
            self._overflow = self._counting(self._overflow_series().record)
        return self._overflow

    def _counting(self, record: Record) -> Record:
        def count_and_record(value: Any) -> None:
            self.overflowed += 1
            record(value)

        return count_and_record


def _plain(value: Any) -> Any:
    return str.__str__(value) if isinstance(value, str) else value


def _typed_items(attributes: Any) -> tuple[tuple[Any, ...], tuple[type, ...]] | None:
    """The items and the types of their values, by which a set may be remembered; None where it may not."""
    if not attributes:
        return (), ()
    try:
        items = tuple(attributes.items())
        types = tuple([type(value) for _, value in items])
        hash(items)
    except Exception:  # noqa: BLE001  no mapping, or values without a hash
        return None
    if all(type(key) is str and key for key, _ in items) and all(
        kind in _PLAIN or issubclass(kind, str) for kind in types
    ):
        return items, types
    return None


def _only_strings(items: tuple[Any, ...]) -> bool:
    return all(isinstance(value, str) for _, value in items)
