"""Ask captured telemetry simple questions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from ticktrace import Telemetry

__all__ = ["Captured"]


class Captured:
    """The telemetry that a handle's memory exporter holds."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._memory = telemetry.memory

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """All spans, in the order in which they ended."""
        return self._memory.spans

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of one name."""
        return [span for span in self.spans if span.name == name]

    def span(self, name: str) -> ReadableSpan:
        """The only span of that name."""
        (span,) = self.named(name)
        return span

    def points(self, metric: str) -> list[Any]:
        """The data points of a metric; none when it was never recorded."""
        data = self._memory.metrics
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for found in scope.metrics
            if found.name == metric
            for point in found.data.data_points
        ]

    def value(self, metric: str, **attributes: Any) -> float:
        """The value of a counter or gauge, summed over the points whose attributes contain these.

        Keys are written with ``__`` for the dot: ``trading__symbol="BTC/USDT"``.
        """
        return math.fsum(point.value for point in self._matching(metric, attributes))

    def count(self, metric: str, **attributes: Any) -> int:
        """How many values a histogram has taken, over the points whose attributes contain these."""
        return sum(point.count for point in self._matching(metric, attributes))

    def sum(self, metric: str, **attributes: Any) -> float:
        """The sum of a histogram's values, over the points whose attributes contain these."""
        return math.fsum(point.sum for point in self._matching(metric, attributes))

    def _matching(self, metric: str, attributes: dict[str, Any]) -> list[Any]:
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}
        return [
            point
            for point in self.points(metric)
            if all(point.attributes.get(key) == value for key, value in wanted.items())
        ]
