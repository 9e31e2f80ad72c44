"""Bulk aggregation: the SDK's own aggregations, taught to take a run of values at once.

A point, its temporality, its start time and its reset are the SDK's code on the SDK's state; only how the state gets
there is ours. Every class here leaves exactly the state that as many calls of the SDK's `aggregate` would have left.
"""

from __future__ import annotations

from bisect import bisect_left
from time import time_ns
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.metrics._internal.aggregation import (
    DefaultAggregation,
    _DropAggregation,
    _ExplicitBucketHistogramAggregation,
    _ExponentialBucketHistogramAggregation,
    _LastValueAggregation,
    _SumAggregation,
)
from opentelemetry.sdk.metrics._internal.exemplar import ExemplarReservoir

from ticktrace.engine.deferred.breath import breathe
from ticktrace.engine.deferred.chunk import addable, running_sum
from ticktrace.engine.deferred.exponential import BulkExponential

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.metrics._internal._view_instrument_match import _ViewInstrumentMatch
    from opentelemetry.sdk.metrics._internal.aggregation import _Aggregation
    from opentelemetry.sdk.metrics._internal.exemplar import Exemplar
    from opentelemetry.util.types import Attributes

    from ticktrace.engine.deferred.chunk import Chunk

__all__ = [
    "BulkExplicit",
    "BulkLastValue",
    "BulkSum",
    "LateReservoir",
    "aggregation_like",
    "feed",
    "is_dropped",
]


class _Breathing:
    """A collection of thousands of points takes tens of milliseconds."""

    def collect(self, *arguments: Any) -> Any:
        """The point of this moment; see the SDK."""
        breathe()
        return super().collect(*arguments)  # type: ignore[misc]  # the SDK's aggregation comes next


class BulkSum(_Breathing, _SumAggregation):
    """A sum."""

    _value: Any
    _previous_value: Any

    def add_total(self, total: Any) -> None:
        """Add what several measurements, in whose sum a zero is the first addend, add up to."""
        with self._lock:
            value = self._value
            if value is not None:
                value, total = addable(value, total)
                total = value + total
            self._value, self._previous_value = addable(total, self._previous_value)

    def add_one(self, value: Any) -> None:
        """Add one measurement, of any class."""
        self.add_total(0 + value if self._value is None else value)

    def add_chunk(self, chunk: Chunk) -> None:
        """Aggregate the chunk."""
        with self._lock:
            value = self._value
            total = running_sum(chunk, 0 if value is None else value)
            self._value, self._previous_value = addable(total, self._previous_value)


class BulkLastValue(_Breathing, _LastValueAggregation):
    """The last value."""

    def set_last(self, value: Any) -> None:
        """Make this the last value."""
        with self._lock:
            self._value = value

    def add_chunk(self, chunk: Chunk) -> None:
        """Aggregate the chunk."""
        self.set_last(chunk.values[-1])


class BulkExplicit(_Breathing, _ExplicitBucketHistogramAggregation):
    """A histogram with explicit bounds."""

    _value: Any
    _sum: Any
    _previous_sum: Any

    def add_chunk(self, chunk: Chunk) -> None:
        """Aggregate the chunk."""
        with self._lock:
            total = running_sum(chunk, self._sum)
            counts = self._value or self._get_empty_bucket_counts()
            if chunk.array is None:
                bounds = self._boundaries
                for value in chunk.values:
                    counts[bisect_left(bounds, value)] += 1
            else:
                counts = [was + new for was, new in zip(counts, chunk.counts(self._boundaries), strict=True)]
            self._value = counts
            self._sum, self._previous_sum = addable(total, self._previous_sum)
            if self._record_min_max:
                self._min = min(self._min, chunk.smallest)
                self._max = max(self._max, chunk.largest)


class LateReservoir(ExemplarReservoir):
    """The reservoir that a view asks for, made when the first exemplar comes: most series never see one."""

    __slots__ = ("_arguments", "_builder", "_reservoir")

    def __init__(self, builder: Callable[..., ExemplarReservoir], arguments: dict[str, Any]) -> None:
        self._builder = builder
        self._arguments = arguments
        self._reservoir: ExemplarReservoir | None = None

    def offer(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> None:
        """Offer a measurement to be kept."""
        if self._reservoir is None:
            self._reservoir = self._builder(**self._arguments)
        self._reservoir.offer(value, time_unix_nano, attributes, context)

    def reset_lock(self) -> None:
        """In a forked child: a thread that is gone may have held the lock. What it kept is forgotten."""
        self._reservoir = None

    def collect(self, point_attributes: Attributes) -> list[Exemplar]:
        """Hand over what was kept, and begin anew."""
        return [] if self._reservoir is None else self._reservoir.collect(point_attributes)


def _late(builder: Callable[..., ExemplarReservoir]) -> Callable[..., ExemplarReservoir]:
    return lambda **arguments: LateReservoir(builder, arguments)


def is_dropped(model: _Aggregation[Any]) -> bool:
    """Whether the stream of this aggregation is not exported."""
    return isinstance(model, _DropAggregation)


def feed(aggregation: Any, chunk: Chunk) -> None:
    """Aggregate a chunk, also where the class of the aggregation is somebody's own."""
    if isinstance(aggregation, _BULK_CLASSES):
        aggregation.add_chunk(chunk)
        return
    now = time_ns()
    for value in chunk.values:
        measurement = SimpleNamespace(value=value, time_unix_nano=now, attributes=None, context=Context())
        aggregation.aggregate(measurement, False)


def aggregation_like(
    match: _ViewInstrumentMatch, attributes: dict[str, Any], start_time_unix_nano: int
) -> Any:
    """What the SDK would make for another attribute set of a stream, in its bulk form.

    Args:
        match: the stream. It holds an aggregation that the SDK made to look at, configured as view and reader ask.
        attributes: the attribute set.
        start_time_unix_nano: since when it is observed.

    Returns:
        A bulk aggregation, or, where the class is somebody's own, one of that class.
    """
    model = match._aggregation  # noqa: SLF001  all this is the inside of the SDK's stream
    view = match._view  # noqa: SLF001
    factory = view._exemplar_reservoir_factory  # noqa: SLF001
    bulk = _BULK.get(type(model))
    if bulk is not None:
        return bulk(vars(model), attributes, start_time_unix_nano, _late(factory(type(model))))
    instrument = match._instrument  # noqa: SLF001
    maker = view._aggregation  # noqa: SLF001
    if isinstance(maker, DefaultAggregation):
        maker = match._instrument_class_aggregation[type(instrument)]  # noqa: SLF001
    return maker._create_aggregation(instrument, attributes, factory, start_time_unix_nano)  # noqa: SLF001


def _sum(model: dict[str, Any], attributes: Any, start: int, builder: Any) -> BulkSum:
    temporality = model["_instrument_aggregation_temporality"]
    return BulkSum(attributes, model["_instrument_is_monotonic"], temporality, start, builder)


def _last_value(model: dict[str, Any], attributes: Any, _start: int, builder: Any) -> BulkLastValue:
    return BulkLastValue(attributes, builder, model["_instrument_is_synchronous"])


def _explicit(model: dict[str, Any], attributes: Any, start: int, builder: Any) -> BulkExplicit:
    temporality = model["_instrument_aggregation_temporality"]
    bounds = model["_boundaries"]  # one tuple for all series of the stream: tuple() of a tuple is itself
    return BulkExplicit(attributes, temporality, start, builder, bounds, model["_record_min_max"])


def _exponential(model: dict[str, Any], attributes: Any, start: int, builder: Any) -> BulkExponential:
    temporality = model["_instrument_aggregation_temporality"]
    size, scale = model["_max_size"], model["_max_scale"]
    return BulkExponential(attributes, builder, temporality, start, size, scale, model["_record_min_max"])


_BULK: Final[dict[Any, Callable[..., Any]]] = {
    _SumAggregation: _sum,
    _LastValueAggregation: _last_value,
    _ExplicitBucketHistogramAggregation: _explicit,
    _ExponentialBucketHistogramAggregation: _exponential,
}
_BULK_CLASSES: Final = (BulkSum, BulkLastValue, BulkExplicit, BulkExponential)
