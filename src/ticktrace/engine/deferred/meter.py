"""The meter provider of the deferred engine: the SDK's, with synchronous instruments that only stamp.

Asynchronous instruments, views, readers, points and exporters are the SDK's. What differs from it:

What is counted
- attributes that differ only in the class of a string are one series;
- an instrument has a limit of series, one for all of its views, and an overflow series; idle series may be forgotten;
- nothing raises into the application: where the SDK would (a value that is no number, an integer beyond all doubles,
  boundaries that do not increase), the measurement is dropped and counted, or the instrument is silent for that reader
  and the fault reported;
- numbers that cannot be added to those before them, a Decimal to a float, are added as floats, where the SDK raises, in
  the application or in each collection from then on;
- an exponential histogram whose first values were all zero goes on, where the SDK's next collection may raise;
- whether a meter is enabled is asked when measurements are drained; what came before it changed is drained first;
- after the provider was shut down its instruments record nowhere; the SDK's go on for readers that were added later;
- a collection on top of a thread that aggregates just now, by a signal handler, gives nothing, where the SDK waits for
  itself.

How it is said
- the start time of a series is when it was bound or first written, also if that write was not valid;
- invalid measurements are warned of once for each instrument, and counted, instead of each time;
- points stand in the order in which their series were first drained.

Exemplars
- the context of a measurement is not looked at: exemplars are offered later, see `BoundSeries.offer_exemplar`. An
  aggregation of somebody else's class is not given attributes or context either.

Several readers
- a reader that is added later, and asks for another kind of aggregation than the readers before it, gets it for
  series that are new;
- sums of floats may differ from the SDK's in the last place, as their parts are added in another order: with more than
  two readers, or readers that were added later; where numbers of other classes, such as numpy's, come between floats.

Several views that keep different attributes of one instrument
- what counts in one stream together has waited apart, and its order is not known: sums of floats may differ in the last
  place; the last value is that of the set which was drained last; and where the least or the greatest was recorded as
  numbers of two classes, it may have either.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar, cast

from opentelemetry.sdk.metrics import Meter, MeterProvider

from ticktrace.engine.barrier import attempt
from ticktrace.engine.deferred.instruments import (
    DeferredCounter,
    DeferredGauge,
    DeferredHistogram,
    DeferredUpDownCounter,
)
from ticktrace.engine.deferred.registry import SeriesRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.metrics import Meter as ApiMeter
    from opentelemetry.sdk.metrics import ExemplarFilter
    from opentelemetry.sdk.metrics._internal.instrument import _Synchronous
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import View
    from opentelemetry.sdk.resources import Resource

    from ticktrace.engine.recent import Recent

__all__ = ["DeferredMeter", "DeferredMeterProvider"]

D = TypeVar("D", DeferredCounter, DeferredUpDownCounter, DeferredHistogram, DeferredGauge)


class DeferredMeter(Meter):
    """The SDK's meter: it checks names and units, knows duplicates, and makes asynchronous instruments.

    Args:
        provider: whose meter it is.
        sdk: the SDK's meter of the scope.
    """

    def __init__(self, provider: DeferredMeterProvider, sdk: Meter) -> None:
        super().__init__(sdk._instrumentation_scope, sdk._measurement_consumer)  # noqa: SLF001  its equal
        self._meter_config = sdk._meter_config  # noqa: SLF001  one switch for both
        self._provider = provider

    def create_counter(self, name: str, unit: str = "", description: str = "") -> DeferredCounter:
        """Make a counter; see OTel."""
        return self._provider.deferred(DeferredCounter, super().create_counter(name, unit, description))

    def create_up_down_counter(
        self, name: str, unit: str = "", description: str = ""
    ) -> DeferredUpDownCounter:
        """Make an up-down counter; see OTel."""
        made = super().create_up_down_counter(name, unit, description)
        return self._provider.deferred(DeferredUpDownCounter, made)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> DeferredHistogram:
        """Make a histogram; see OTel."""
        made = super().create_histogram(
            name, unit, description, explicit_bucket_boundaries_advisory=explicit_bucket_boundaries_advisory
        )
        return self._provider.deferred(DeferredHistogram, made)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> DeferredGauge:
        """Make a gauge; see OTel."""
        return self._provider.deferred(DeferredGauge, super().create_gauge(name, unit, description))


class DeferredMeterProvider(MeterProvider):
    """Makes meters whose instruments record at the cost of a few bytecodes; what they record is aggregated in bulk.

    A source of the drain: histograms, and instruments with several kinds of aggregation, wait in buffers until `steps`,
    a collection, or a full buffer drains them. Sums and last values need no draining.

    Args:
        metric_readers: the SDK's.
        resource: what produces the metrics.
        exemplar_filter: which of the exemplars that are offered are taken; the SDK's default.
        views: the SDK's.
        buffer_size: how many values a series may have waiting before the recording thread aggregates a piece of them.
        unbounded: do not look at the size: recording is then `list.append`, and memory depends on the drain.
        series_limit: how many series an instrument may have; measurements of further attribute sets go to the last,
            ``otel.metric.overflow``.
        idle_series_seconds: forget a series when it was not written for so long and a reader has collected it; each
            reader forgets it at its own collection. A cumulative series that is seen again starts from zero, with a new
            start time. Not forgotten are series that somebody has bound, while the handle or its function lives: what
            was bound is expected to be seen, and handles are cheap to drop. None for never.
        wake: called, from any thread, when a buffer was full and should be drained soon.
        before: called before a reader collects; brings in what others have not recorded yet.
        on_dropped: told what was lost, from any thread: ``invalid`` (no number, NaN, infinite, negative where that is
            wrong) or ``buffer_full`` (another thread did not get on with draining), and how many measurements.
        recent: keeps the newest values of what is aggregated into histograms, for statistics in process.
    """

    def __init__(
        self,
        *,
        metric_readers: Sequence[MetricReader] = (),
        resource: Resource | None = None,
        exemplar_filter: ExemplarFilter | None = None,
        views: Sequence[View] = (),
        buffer_size: int = 4096,
        unbounded: bool = False,
        series_limit: int = 2000,
        idle_series_seconds: float | None = None,
        wake: Callable[[], None] | None = None,
        before: Callable[[], None] | None = None,
        on_dropped: Callable[[str, int], None] | None = None,
        recent: Recent | None = None,
    ) -> None:
        self._deferred_meters: dict[Meter, DeferredMeter] = {}
        self._deferred_instruments: dict[object, Any] = {}
        super().__init__(metric_readers, resource, exemplar_filter, shutdown_on_exit=False, views=views)
        self._registry = SeriesRegistry(
            self._sdk_config,
            metric_readers,
            buffer_size=None if unbounded else buffer_size,
            series_limit=series_limit,
            idle_seconds=idle_series_seconds,
            wake=wake or (lambda: None),
            before=before or (lambda: None),
            on_dropped=on_dropped or (lambda _reason, _count: None),
            recent=recent,
        )
        # The SDK's consumer has storages for these readers, empty ones: ours know what waits to be put into them.
        self._measurement_consumer._reader_storages = dict(self._registry.storages)  # noqa: SLF001

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> ApiMeter:
        """The meter of a scope; the same one for the same scope."""
        sdk = super().get_meter(name, version, schema_url, attributes)
        if not isinstance(sdk, Meter):  # disabled, shut down, or without a name
            return sdk
        with self._meter_lock:
            meter = self._deferred_meters.get(sdk)
            if meter is None:
                meter = self._deferred_meters[sdk] = DeferredMeter(self, sdk)
            return meter

    def deferred(self, kind: type[D], sdk: object) -> D:
        """The instrument of ours that stands for one of the SDK's; the same one each time."""
        made = self._deferred_instruments.get(sdk)
        if made is None:
            instrument = cast("_Synchronous", sdk)
            sets = self._registry.sets_of(instrument)
            fresh = kind(instrument, sets, self._sdk_config.exemplar_filter)
            made = self._deferred_instruments.setdefault(sdk, fresh)
        found: D = made
        return found

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """Register a reader, which gets what is recorded from now on."""
        super().add_metric_reader(metric_reader)
        consumer = self._measurement_consumer
        with consumer._lock:  # noqa: SLF001  as the SDK's own method: copied, changed, put in place
            storages = dict(consumer._reader_storages)  # noqa: SLF001
            if metric_reader in storages and metric_reader not in self._registry.storages:
                storages[metric_reader] = self._registry.add_reader(metric_reader)
                consumer._reader_storages = storages  # noqa: SLF001

    def remove_metric_reader(self, metric_reader: MetricReader) -> None:
        """Unregister a reader, and shut it down."""
        try:
            super().remove_metric_reader(metric_reader)
        finally:  # a reader may raise while it is shut down
            if metric_reader not in self._measurement_consumer._reader_storages:  # noqa: SLF001
                self._registry.remove_reader(metric_reader)

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Shut the readers down, which may collect once more; instruments record nowhere from then on."""
        try:
            super().shutdown(timeout_millis)
        finally:
            self._registry.close()

    def close(self) -> None:
        """Record nowhere from now on, for readers that were shut down by whoever made them."""
        self._registry.close()

    def steps(self) -> Iterator[None]:
        """Drain what waits, in pieces of some 50 µs; a source of the drain. Never raises."""
        return self._registry.steps()

    @property
    def overflowed(self) -> int:
        """How many measurements went to overflow series."""
        return sum(self._registry.overflow_count().values())

    def overflow_count(self) -> Mapping[str, int]:
        """How many measurements of each instrument went to its overflow series; those that have one."""
        return self._registry.overflow_count()

    @property
    def rejected(self) -> int:
        """How many invalid measurements were dropped; those that still wait in buffers are not known yet."""
        return self._registry.rejected

    def series_count(self) -> Mapping[str, int]:
        """How many series each stream has, by its exported name."""
        return self._registry.series_count()

    def reset_locks(self) -> None:
        """In a forked child: threads that are gone may have held locks, also those of the SDK."""
        self._measurement_consumer._lock = threading.Lock()  # noqa: SLF001
        for meter in list(self._deferred_meters.values()):
            meter._instrument_registration_lock = threading.Lock()  # noqa: SLF001
        self._registry.reset_locks()

    def _handle_fork(self) -> None:
        self.reset_locks()
        super()._handle_fork()

    def _set_meter_configurator(self, *, meter_configurator: Any) -> None:
        attempt("metrics.settle", self._registry.settle_all)  # by the rules under which it was recorded
        super()._set_meter_configurator(meter_configurator=meter_configurator)
