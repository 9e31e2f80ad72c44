"""All series of one meter provider: made on first use, drained in pieces, forgotten when idle."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import Counter, Histogram
from opentelemetry.sdk.metrics._internal.aggregation import (
    _ExplicitBucketHistogramAggregation,
    _ExponentialBucketHistogramAggregation,
    _LastValueAggregation,
    _SumAggregation,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.metrics.view import DefaultAggregation

from ticktrace.engine.barrier import attempt, report
from ticktrace.engine.deferred.breath import breathe
from ticktrace.engine.deferred.cardinality import AttributeSets
from ticktrace.engine.deferred.chunk import ANY_SIGN, NOT_NEGATIVE
from ticktrace.engine.deferred.intake import TURNS
from ticktrace.engine.deferred.invalid import Invalid
from ticktrace.engine.deferred.series import DroppedSeries, Feeding
from ticktrace.engine.deferred.series_kinds import BufferedSeries, LastSeries, TotalSeries
from ticktrace.engine.deferred.streams import ReaderStorage, Shape, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opentelemetry.sdk.metrics._internal._view_instrument_match import _ViewInstrumentMatch
    from opentelemetry.sdk.metrics._internal.instrument import _Synchronous
    from opentelemetry.sdk.metrics._internal.sdk_configuration import SdkConfiguration
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import Aggregation

    from ticktrace.engine.deferred.series import Series
    from ticktrace.engine.recent import Recent

__all__ = ["SeriesRegistry"]

_MOST_LANES: Final = 2
_LOOKED_AT_ONCE: Final = 500  # series without anything to drain, some 30 µs
_NOT_NEGATIVE = (Counter, Histogram)
_HISTOGRAMS: Final = frozenset({_ExplicitBucketHistogramAggregation, _ExponentialBucketHistogramAggregation})


class SeriesRegistry:
    """Holds the series, and stands between them and the readers.

    Args:
        config: the SDK's; its views and resource may change.
        readers: the provider's first readers.
        buffer_size: the bound of a histogram's buffer, in values; None for no bound.
        series_limit: how many series an instrument may have, the overflow series among them.
        idle_seconds: after how long without a measurement a series is forgotten; None for never.
        wake: called when a buffer needs draining.
        before: called when a reader is about to collect: brings in what is not recorded yet.
        on_dropped: told why and how many measurements were lost.
        recent: keeps the values of histograms, if anything does.

    Attributes:
        storages: what each reader sees.
    """

    def __init__(
        self,
        config: SdkConfiguration,
        readers: Iterable[MetricReader],
        *,
        buffer_size: int | None,
        series_limit: int,
        idle_seconds: float | None,
        wake: Callable[[], None],
        before: Callable[[], None],
        on_dropped: Callable[[str, int], None],
        recent: Recent | None,
    ) -> None:
        self._config = config
        self._before = before
        self._series_limit = series_limit
        self._idle_seconds = idle_seconds
        self._lock = threading.RLock()
        self._series: list[Series] = []
        self._buffered: list[BufferedSeries] = []
        self._sets: dict[_Synchronous, AttributeSets] = {}

        def lost(reason: str, count: int) -> None:
            attempt("metrics.dropped", lambda: on_dropped(reason, count))

        self._invalid = Invalid(lost)
        self._feeding = Feeding(
            buffer_size=buffer_size,
            on_rejected=self._invalid.reject,
            on_dropped=lost,
            wake=lambda: attempt("metrics.wake", wake),
            recent=recent,
        )
        self.storages: dict[MetricReader, ReaderStorage] = {
            reader: self._storage(reader) for reader in readers
        }
        made = tuple(self.storages.values())
        self._feeding.lanes = ((*made[:1],), made[1:]) if len(made) >= _MOST_LANES else (made,)

    # -- readers

    def add_reader(self, reader: MetricReader) -> ReaderStorage:
        """From now on also for this reader; it gets nothing of what was recorded before."""
        self.settle_all()
        storage = self._storage(reader)
        with self._lock:
            self.storages = {**self.storages, reader: storage}
            lanes = self._feeding.lanes
            self._feeding.lanes = (*lanes[:-1], (*lanes[-1], storage))
        return storage

    def remove_reader(self, reader: MetricReader) -> None:
        """No longer for this reader."""
        with self._lock:
            left = dict(self.storages)
            storage = left.pop(reader, None)
            self.storages = left
            self._feeding.lanes = tuple(
                tuple(one for one in lane if one is not storage) for lane in self._feeding.lanes
            )
        if storage is not None:
            for series in list(self._series):
                attempt("metrics.disconnect", partial(series.disconnect, storage, for_good=True))

    def _storage(self, reader: MetricReader) -> ReaderStorage:
        return ReaderStorage(
            self._config,
            reader._instrument_class_temporality,  # noqa: SLF001  as the SDK's consumer does
            reader._instrument_class_aggregation,  # noqa: SLF001
            inside=self._feeding.inside,
            before=self._before_collection,
            after=self._after_collection,
        )

    def _before_collection(self, storage: ReaderStorage) -> None:
        attempt("metrics.before", self._before)
        for number, lane in enumerate(self._feeding.lanes):
            if storage in lane:
                self._settle(number)

    def _after_collection(self, storage: ReaderStorage) -> None:
        idle = self._idle_seconds
        if idle is not None:
            attempt("metrics.forget", lambda: self._forget_idle(storage, time.monotonic() - idle))

    # -- draining

    def steps(self) -> Iterator[None]:
        """Drain the buffers, in pieces of some 50 µs. Never raises."""
        for number, series in enumerate(list(self._buffered), 1):
            for _ in range(series.pieces()):
                try:
                    series.drain()
                except Exception as error:  # noqa: BLE001  one bad series must not keep the others waiting
                    report("metrics.drain", error)
                yield
            if number % _LOOKED_AT_ONCE == 0:
                yield

    def settle_all(self) -> None:
        """Bring everything that was recorded so far into the streams of the readers there are."""
        for lane in range(len(self._feeding.lanes)):
            self._settle(lane)

    def _settle(self, lane: int) -> None:
        for series in list(self._series):
            breathe()
            try:
                series.settle(lane)
            except Exception as error:  # noqa: BLE001  see steps
                report("metrics.settle", error)

    def _forget_idle(self, storage: ReaderStorage, moment: float) -> None:
        """Let go of idle series by steps, lest a measurement be lost that is recorded meanwhile.

        First the reader's streams forget it; what is recorded now finds its way there again. When no reader has it any
        more, its instrument forgets it; a thread that has just looked it up still records into it. It is looked after
        until it has been idle once more, and then let go.
        """
        idle = [series for series in list(self._series) if series.idle_since(moment) and not series.pinned]
        for series in idle:
            series.disconnect(storage)
        gone = [series for series in idle if not series.connected()]
        fresh: dict[AttributeSets, list[Series]] = {}
        for series in gone:
            if series.home is not None and not series.retired:
                fresh.setdefault(series.home, []).append(series)
        ended = {id(series) for series in gone if series.retired and self._is_over(series, moment)}
        for home, forgotten in fresh.items():
            home.forget(forgotten)
        if ended:
            with self._lock:
                self._series = [series for series in self._series if id(series) not in ended]
                self._buffered = [series for series in self._buffered if id(series) not in ended]

    def _is_over(self, series: Series, moment: float) -> bool:
        for lane in range(len(self._feeding.lanes)):
            series.settle(lane)
        return series.idle_since(moment) and not series.connected()

    # -- instruments

    def sets_of(self, instrument: _Synchronous) -> AttributeSets:
        """The series of one of the SDK's instruments."""
        with self._lock:
            sets = self._sets.get(instrument)
            if sets is None:
                maker = _Maker(self, instrument)
                sets = AttributeSets(maker.make, self.keep, maker.keys, self._series_limit)
                self._sets[instrument] = sets
            return sets

    @property
    def feeding(self) -> Feeding:
        """What all series have in common."""
        return self._feeding

    def keep(self, series: Series) -> None:
        """Drain this one, too."""
        if isinstance(series, DroppedSeries):
            return
        with self._lock:
            self._series.append(series)
            if isinstance(series, BufferedSeries):
                self._buffered.append(series)

    def shape_for(self, instrument: _Synchronous) -> Shape:
        """The shape of an instrument's streams for the readers there are, or what a plain reader would make of it.

        Readers for which a view or the instrument's advice is wrong get nothing, and that is reported; the SDK raises it
        from the application's own call.
        """
        storages = list(self.storages.values())
        if not storages:
            kind: Any = type(instrument)
            temporality: dict[type, AggregationTemporality] = {kind: AggregationTemporality.CUMULATIVE}
            aggregation: dict[type, Aggregation] = {kind: DefaultAggregation()}
            inside = self._feeding.inside
            plain = ReaderStorage(
                self._config, temporality, aggregation, inside=inside, before=_nothing, after=_nothing
            )
            storages = [plain]
        found: list[_ViewInstrumentMatch] = []
        for storage in storages:
            try:
                found.extend(storage.matches(instrument))
            except Exception as error:  # noqa: BLE001  see above
                report(f"metrics.streams of {instrument.name}", error)
        return shape_of(found)

    # -- accounts

    def overflow_count(self) -> Mapping[str, int]:
        """How many measurements of each instrument went to its overflow series, by its name."""
        counts: dict[str, int] = {}
        for instrument, sets in list(self._sets.items()):
            if sets.overflowed:
                counts[instrument.name] = counts.get(instrument.name, 0) + sets.overflowed
        return counts

    @property
    def rejected(self) -> int:
        """How many invalid measurements were dropped."""
        return self._invalid.count

    def series_count(self) -> Mapping[str, int]:
        """How many series each stream has, by its name, for the reader that has most."""
        most: dict[str, int] = {}
        for storage in list(self.storages.values()):
            for name, count in storage.counts().items():
                most[name] = max(most.get(name, 0), count)
        return most

    def close(self) -> None:
        """Record nowhere from now on."""
        for sets in list(self._sets.values()):
            attempt("metrics.close", sets.close)

    def reset_locks(self) -> None:
        """In a forked child: threads that are gone may have held locks."""
        self._lock = threading.RLock()
        self._invalid.reset_lock()
        self._feeding.inside.reset()
        for sets in list(self._sets.values()):
            sets.reset_lock()
        for series in list(self._series):
            series.reset_lock()
        for storage in list(self.storages.values()):
            storage.reset_locks()


def _nothing(_storage: ReaderStorage) -> None:
    """Nobody collects."""


class _Maker:
    """Makes the series of one instrument, of the kind that its streams ask for."""

    def __init__(self, registry: SeriesRegistry, instrument: _Synchronous) -> None:
        self._registry = registry
        self._instrument = instrument
        self._low = NOT_NEGATIVE if isinstance(instrument, _NOT_NEGATIVE) else ANY_SIGN
        self._shape: tuple[object, Shape] | None = None

    def _shape_now(self) -> Shape:
        readers = self._registry.storages  # another dict whenever they change
        if self._shape is None or self._shape[0] is not readers:
            self._shape = readers, self._registry.shape_for(self._instrument)
        return self._shape[1]

    def keys(self) -> frozenset[str] | None:
        return self._shape_now().keys

    def make(self, attributes: Mapping[str, Any], overflow: bool) -> Series:
        kinds = self._shape_now().kinds
        kind: type[Series] = BufferedSeries
        if not kinds:
            kind = DroppedSeries
        elif TURNS and kinds <= {_SumAggregation}:
            kind = TotalSeries
        elif TURNS and kinds <= {_LastValueAggregation}:
            kind = LastSeries
        series = kind(self._registry.feeding, self._instrument, attributes, self._low, fixed=overflow)
        if isinstance(series, BufferedSeries):
            series.recent = not kinds.isdisjoint(_HISTOGRAMS)
        return series
