"""A meter provider of the deferred engine, and what its readers have collected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.sdk.metrics._internal.instrument import Gauge
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from ticktrace.engine.deferred.meter import DeferredMeterProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Measured", "delta_reader"]


def delta_reader() -> InMemoryMetricReader:
    """A reader that asks for what came since its last collection."""
    kinds: tuple[type, ...] = (Counter, UpDownCounter, Histogram, Gauge)
    return InMemoryMetricReader(dict.fromkeys(kinds, AggregationTemporality.DELTA))


class Measured:
    """A provider, its readers, and what was dropped: the reason and the number, as often as it was said."""

    def __init__(self, readers: Sequence[InMemoryMetricReader] | None = None, **options: Any) -> None:
        self.readers = [InMemoryMetricReader()] if readers is None else list(readers)
        self.dropped: list[tuple[str, int]] = []
        noted: Callable[[str, int], None] = lambda reason, count: self.dropped.append((reason, count))  # noqa: E731
        self.provider = DeferredMeterProvider(
            metric_readers=self.readers, **{"resource": Resource({}), "on_dropped": noted, **options}
        )
        self.meter: Any = self.provider.get_meter("tests")

    def metrics(self, reader: int = 0) -> dict[str, Any]:
        """What a reader collects now, by name."""
        data = self.readers[reader].get_metrics_data()
        resources = [] if data is None else data.resource_metrics
        return {m.name: m for r in resources for scope in r.scope_metrics for m in scope.metrics}

    def points(self, name: str, reader: int = 0) -> list[Any]:
        """The points of a metric that a reader collects now; none where there is no such metric."""
        metric = self.metrics(reader).get(name)
        return [] if metric is None else list(metric.data.data_points)

    def point(self, name: str, reader: int = 0) -> Any:
        """The only point of a metric that a reader collects now."""
        (point,) = self.points(name, reader)
        return point

    def values(self, name: str, reader: int = 0) -> dict[tuple[tuple[str, Any], ...], Any]:
        """The values of a metric, or the counts of a histogram, by their sorted attributes."""
        return {
            tuple(sorted(point.attributes.items())): getattr(point, "value", getattr(point, "count", None))
            for point in self.points(name, reader)
        }

    def lost(self, reason: str) -> int:
        """How many measurements were dropped for a reason."""
        return sum(count for why, count in self.dropped if why == reason)

    def drain(self) -> int:
        """Let the drain pass once; the number of pieces it came in."""
        return sum(1 for _ in self.provider.steps())
