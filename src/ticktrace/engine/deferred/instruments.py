"""The synchronous instruments: OTel's call, and `bind` for those who know their attributes beforehand.

Each method that the trading thread calls is a closure in the instrument's own dict: it finds the series by the items
of the attributes, one lookup in a dict, and calls what the series gave out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.sdk.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.sdk.metrics._internal.instrument import Gauge
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from ticktrace.engine.barrier import report
from ticktrace.engine.deferred.intake import discard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics import ExemplarFilter
    from opentelemetry.sdk.metrics._internal.instrument import _Synchronous

    from ticktrace.engine.deferred.cardinality import AttributeSets
    from ticktrace.engine.deferred.series import Series

__all__ = [
    "BoundSeries",
    "BoundSeriesCounter",
    "BoundSeriesGauge",
    "BoundSeriesHistogram",
    "DeferredCounter",
    "DeferredGauge",
    "DeferredHistogram",
    "DeferredUpDownCounter",
]


class BoundSeries:
    """An instrument and one attribute set, resolved.

    While it lives, or the function that is its ``add``, ``record`` or ``set``, its series is not forgotten, however idle.

    Args:
        record: the hot path.
        series: where the measurements go; None where nobody listens.
        attributes: all of them, clean, also those that views filter out.
        exemplars: which exemplars are wanted.
    """

    __slots__ = ("__weakref__", "_exemplars", "_series", "attributes")

    _method: str

    def __init__(
        self,
        record: Callable[[Any], None],
        series: Series | None,
        attributes: Mapping[str, Any],
        exemplars: ExemplarFilter,
    ) -> None:
        self._series = series
        self._exemplars = exemplars
        self.attributes: Mapping[str, Any] = attributes
        setattr(self, self._method, record)

    def silence(self) -> None:
        """Record nowhere from now on."""
        self._series = None
        setattr(self, self._method, discard)

    def offer_exemplar(self, value: float, trace_id: int, span_id: int, time_unix_nano: int) -> None:
        """Let a measurement that was recorded before stand as an example in the next point. Never raises.

        The newest in each bucket of an explicit histogram is kept, a small sample elsewhere. A sum or a gauge that nobody
        has written since the last collection of a delta reader keeps them for its next point. Not for the hot path.

        Args:
            value: what was recorded.
            trace_id: of a trace that was kept.
            span_id: the span in which it was recorded.
            time_unix_nano: when, in ns since the epoch.
        """
        series = self._series
        if series is None:
            return
        try:
            flags = TraceFlags(TraceFlags.SAMPLED)
            span = NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags))
            context = set_span_in_context(span)
            if self._exemplars.should_sample(value, time_unix_nano, self.attributes, context):
                series.offer_exemplar(value, time_unix_nano, self.attributes, context)
        except Exception as error:  # noqa: BLE001  called from the drain, which must go on
            report("metrics.exemplar", error)


class BoundSeriesCounter(BoundSeries):
    """A counter, or an up-down counter, with its attributes: ``add(amount)``."""

    __slots__ = ("add",)
    add: Callable[[float], None]
    _method = "add"


class BoundSeriesHistogram(BoundSeries):
    """A histogram with its attributes: ``record(value)``."""

    __slots__ = ("record",)
    record: Callable[[float], None]
    _method = "record"

    def record_many(self, values: Sequence[float]) -> None:
        """Record each of the values, in this order, for less than as many calls of ``record``. Never raises."""
        series = self._series
        try:
            if series is None or series.fixed:  # an overflow series counts what it gets
                for value in values:
                    self.record(value)
            else:
                series.record_many(values)
        except Exception as error:  # noqa: BLE001  called from the drain, which must go on
            report("metrics.record", error)


class BoundSeriesGauge(BoundSeries):
    """A gauge with its attributes: ``set(value)``."""

    __slots__ = ("set",)
    set: Callable[[float], None]
    _method = "set"


def _by_attributes(sets: AttributeSets) -> Callable[..., None]:
    known = sets.records.get
    record_for = sets.record_for

    def record(amount: float, attributes: Any = None, context: Context | None = None) -> None:  # noqa: ARG001  OTel's
        try:
            function = known(tuple(attributes.items()) if attributes else ())
        except Exception:  # noqa: BLE001  values without a hash, or no mapping at all
            function = None
        if function is None:
            function = record_for(attributes)
        function(amount)

    return record


B = TypeVar("B", bound=BoundSeries)


class _Deferred:
    """What the four kinds share. Not initialised by the SDK: `sdk` is its instrument, this one only stamps for it."""

    _sets: AttributeSets
    _exemplars: ExemplarFilter

    def _stand_for(
        self, sdk: _Synchronous, sets: AttributeSets, exemplars: ExemplarFilter, method: str
    ) -> None:
        self.__dict__.update(vars(sdk))  # its name, its unit, and whatever else the SDK knows of it
        self._sets = sets
        self._exemplars = exemplars
        self.__dict__[method] = _by_attributes(sets)

    def _bind(self, kind: type[B], attributes: Any) -> B:
        try:
            clean = self._sets.clean(attributes)
            record, series = self._sets.lease(clean)
            handle = kind(record, series, clean, self._exemplars)
        except Exception as error:  # noqa: BLE001  attributes may be any object
            report("metrics.bind", error)
            handle = kind(self._sets.record_for(attributes), None, {}, self._exemplars)
        self._sets.watch(handle)
        return handle


class DeferredCounter(_Deferred, Counter):
    """A counter."""

    def __init__(self, sdk: _Synchronous, sets: AttributeSets, exemplars: ExemplarFilter) -> None:
        self._stand_for(sdk, sets, exemplars, "add")

    def add(self, amount: float, attributes: Any = None, context: Context | None = None) -> None:
        """Record an increment; see OTel. Shadowed by the instance's own."""
        raise NotImplementedError  # pragma: no cover

    def bind(self, attributes: Any) -> BoundSeriesCounter:
        """A handle for one attribute set, whose ``add`` is the hot path."""
        return self._bind(BoundSeriesCounter, attributes)


class DeferredUpDownCounter(_Deferred, UpDownCounter):
    """An up-down counter."""

    def __init__(self, sdk: _Synchronous, sets: AttributeSets, exemplars: ExemplarFilter) -> None:
        self._stand_for(sdk, sets, exemplars, "add")

    def add(self, amount: float, attributes: Any = None, context: Context | None = None) -> None:
        """Record a change; see OTel. Shadowed by the instance's own."""
        raise NotImplementedError  # pragma: no cover

    def bind(self, attributes: Any) -> BoundSeriesCounter:
        """A handle for one attribute set, whose ``add`` is the hot path."""
        return self._bind(BoundSeriesCounter, attributes)


class DeferredHistogram(_Deferred, Histogram):
    """A histogram."""

    def __init__(self, sdk: _Synchronous, sets: AttributeSets, exemplars: ExemplarFilter) -> None:
        self._stand_for(sdk, sets, exemplars, "record")

    def record(self, amount: float, attributes: Any = None, context: Context | None = None) -> None:
        """Record a measurement; see OTel. Shadowed by the instance's own."""
        raise NotImplementedError  # pragma: no cover

    def bind(self, attributes: Any) -> BoundSeriesHistogram:
        """A handle for one attribute set, whose ``record`` is the hot path."""
        return self._bind(BoundSeriesHistogram, attributes)


class DeferredGauge(_Deferred, Gauge):
    """A gauge."""

    def __init__(self, sdk: _Synchronous, sets: AttributeSets, exemplars: ExemplarFilter) -> None:
        self._stand_for(sdk, sets, exemplars, "set")

    def set(self, amount: float, attributes: Any = None, context: Context | None = None) -> None:
        """Record the present value; see OTel. Shadowed by the instance's own."""
        raise NotImplementedError  # pragma: no cover

    def bind(self, attributes: Any) -> BoundSeriesGauge:
        """A handle for one attribute set, whose ``set`` is the hot path."""
        return self._bind(BoundSeriesGauge, attributes)
