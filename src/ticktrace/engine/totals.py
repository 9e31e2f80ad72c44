"""What the instruments have counted so far, read where the readers' points are made of it.

A reader's storage holds for each series the sum, the last value, or the counts of the buckets since the start. Looking at
them makes no points, takes nothing away from the reader and costs the recording threads nothing: whoever wants to know
how many values were at most 50 ms reads the counts of the buckets up to there, which are exact where 50 ms is a boundary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.sdk.metrics._internal.aggregation import (
    _ExplicitBucketHistogramAggregation,
    _LastValueAggregation,
    _SumAggregation,
)
from opentelemetry.sdk.metrics._internal.instrument import _Counter, _Gauge, _Histogram, _UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader

from ticktrace.engine.barrier import report
from ticktrace.engine.deferred.breath import breathe
from ticktrace.engine.deferred.streams import ReaderStorage

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping

    from opentelemetry.metrics import Instrument
    from opentelemetry.sdk.metrics.export import MetricsData

__all__ = ["KeepingReader", "SeriesTotal", "Totals", "keeps_totals"]

_KINDS: Final[tuple[type[Instrument], ...]] = (_Counter, _Histogram, _UpDownCounter, _Gauge)
_PATIENCE_SECONDS: Final = 1.0  # for a lock that is held for microseconds


class SeriesTotal(NamedTuple):
    """What one series has come to.

    Attributes:
        attributes: of the series.
        life: what stays the same object as long as the series goes on; another one when it was forgotten and began anew.
        value: the sum of a counter, the last value of a gauge, the number of values of a histogram.
        bounds: of a histogram: the upper bounds of its buckets, inclusive, without the last.
        counts: of a histogram: the number of values in each bucket, one more than there are bounds.
    """

    attributes: Mapping[str, Any]
    life: object
    value: float
    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


def keeps_totals(reader: MetricReader) -> bool:
    """Whether what is read for this reader goes on from the start, rather than from its last collection."""
    temporality = reader._instrument_class_temporality  # noqa: SLF001  as the SDK's consumer does
    return all(temporality.get(kind) is AggregationTemporality.CUMULATIVE for kind in _KINDS)


class KeepingReader(MetricReader):
    """A reader that never collects; for those who read totals where every other reader starts again and again."""

    def _receive_metrics(self, metrics_data: MetricsData, *args: Any, **kwargs: Any) -> None:
        pass

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002  the SDK's signature
        """True: nothing is under way."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing is to be ended."""


class Totals:
    """The totals of a meter provider. Thread-safe; not for the hot path.

    Args:
        provider: the SDK's, or one made of it, with a reader that keeps totals (`keeps_totals`). Without one all is empty.
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    def settle(self) -> None:
        """Bring in what was recorded up to now and waits in buffers. In small pieces, as a collection does it."""
        storage = self._storage()
        if isinstance(storage, ReaderStorage):
            storage.bring_in()

    def of(self, instrument: str) -> list[SeriesTotal]:
        """Each series of an instrument, over all meters that have it.

        Args:
            instrument: its OpenTelemetry name; case does not count.

        Raises:
            TimeoutError: a lock is held for long, as where a signal handler asks on top of the very thread that records.
        """
        storage = self._storage()
        if storage is None:
            return []
        wanted = instrument.lower()
        found: list[SeriesTotal] = []
        for known, matches in list(storage._instrument_view_instrument_matches.items()):  # noqa: SLF001  the SDK's inside
            if known.name.lower() == wanted:
                for match in matches:
                    found += self._series(match)
        return found

    def every(self) -> dict[str, list[SeriesTotal]]:
        """The series of every instrument that has any, by its OpenTelemetry name in lower case.

        Raises:
            TimeoutError: see `of`.
        """
        storage = self._storage()
        found: dict[str, list[SeriesTotal]] = {}
        if storage is not None:
            for known, matches in list(storage._instrument_view_instrument_matches.items()):  # noqa: SLF001  see of
                for match in matches:
                    series = list(self._series(match))
                    if series:
                        found.setdefault(known.name.lower(), []).extend(series)
        return found

    def _storage(self) -> Any:
        try:
            consumer = self._provider._measurement_consumer  # noqa: SLF001  see of
            storages: Mapping[MetricReader, Any] = consumer._reader_storages  # noqa: SLF001
        except AttributeError as error:  # somebody else's provider
            report("metrics.totals", error)
            return None
        return next((storage for reader, storage in storages.items() if keeps_totals(reader)), None)

    def _series(self, match: Any) -> Iterable[SeriesTotal]:
        with _held(match._lock):  # noqa: SLF001
            every = list(match._attributes_aggregation.values())  # noqa: SLF001
        for aggregation in every:
            breathe()
            total = _total(aggregation)
            if total is not None:
                yield total


class _held:  # noqa: N801  used as a verb
    """A lock of the SDK's, which is not reentrant, with a bound to the wait."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            raise TimeoutError("a series is locked for long")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _total(aggregation: Any) -> SeriesTotal | None:
    attributes = aggregation._attributes or {}  # noqa: SLF001  all this is the state of the SDK's aggregation
    with _held(aggregation._lock):  # noqa: SLF001
        value = aggregation._value  # noqa: SLF001
        if isinstance(aggregation, _LastValueAggregation):
            return None if value is None else SeriesTotal(attributes, aggregation, value)
        if isinstance(aggregation, _SumAggregation):
            if aggregation._instrument_aggregation_temporality is AggregationTemporality.DELTA:  # noqa: SLF001  synchronous
                value = aggregation._previous_value + (value or 0)  # noqa: SLF001
            return None if value is None else SeriesTotal(attributes, aggregation, value)
        if isinstance(aggregation, _ExplicitBucketHistogramAggregation):
            empty = (0,) * (len(aggregation._boundaries) + 1)  # noqa: SLF001
            parts = (aggregation._previous_value or empty, value or empty)  # noqa: SLF001
            counts = tuple(before + since for before, since in zip(*parts, strict=True))
            return SeriesTotal(attributes, aggregation, sum(counts), aggregation._boundaries, counts)  # noqa: SLF001
    return None
