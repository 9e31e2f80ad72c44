"""Collected metrics without secrets in the attributes of their points.

ticktrace's own labels are scrubbed where a word is first seen; this is for instruments that are recorded to by other
means, such as OpenTelemetry's API. Series that become the same are merged into one, since a receiver may refuse a metric
that has one twice: counters and histograms add up, of gauges the newest value holds.
"""

from __future__ import annotations

import dataclasses
import logging
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics.export import Gauge, MetricsData

from ticktrace.scrubbing.merging import merged
from ticktrace.scrubbing.spans import scrubbed_attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.metrics.export import Metric, MetricReader

    from ticktrace.scrubbing.scrubber import Scrubber

__all__ = ["MetricScrubber", "scrub_reader"]

_log = logging.getLogger("ticktrace")

_AT_ONCE: Final = 500  # points, some 0.2 ms; then whoever waits for the GIL gets it
_PAUSE_SECONDS: Final = 0.00005


class MetricScrubber:
    """Replaces secrets in what a reader has collected.

    Args:
        scrubber: finds them.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._points = 0
        self._said = False

    def __call__(self, data: MetricsData) -> MetricsData:
        """The metrics without secrets; the same object where they have none. Never raises.

        A metric whose attributes cannot be read is left out, and that is said once.
        """
        resources = [
            _with(resource, "scope_metrics", [self._scope(scope) for scope in resource.scope_metrics])
            for resource in data.resource_metrics
        ]
        same = all(new is old for new, old in zip(resources, data.resource_metrics, strict=True))
        return data if same else MetricsData(resources)

    def _scope(self, scope: Any) -> Any:
        metrics = []
        for metric in scope.metrics:
            try:
                metrics.append(self._metric(metric))
            except Exception as error:  # noqa: BLE001  what cannot be looked at does not go out
                if not self._said:
                    self._said = True
                    _log.warning(
                        "ticktrace: metric %s is left out, its attributes cannot be read: %s",
                        metric.name,
                        error,
                    )
        return _with(scope, "metrics", metrics)

    def _metric(self, metric: Metric) -> Metric:
        before = metric.data.data_points
        points = [self._point(point) for point in before]
        if all(new is old for new, old in zip(points, before, strict=True)):
            return metric
        data: Any = metric.data
        return dataclasses.replace(metric, data=dataclasses.replace(data, data_points=_merge(metric, points)))

    def _point(self, point: Any) -> Any:
        self._points += 1
        if not self._points % _AT_ONCE:
            sleep(_PAUSE_SECONDS)
        attributes = scrubbed_attributes(self._scrubber, point.attributes)
        if attributes is not point.attributes:
            point = dataclasses.replace(point, attributes=attributes)
        exemplars = point.exemplars
        if exemplars:
            scrubbed = [self._exemplar(exemplar) for exemplar in exemplars]
            if any(new is not old for new, old in zip(scrubbed, exemplars, strict=True)):
                point = dataclasses.replace(point, exemplars=scrubbed)
        return point

    def _exemplar(self, exemplar: Any) -> Any:
        attributes = scrubbed_attributes(self._scrubber, exemplar.filtered_attributes)
        if attributes is exemplar.filtered_attributes:
            return exemplar
        return dataclasses.replace(exemplar, filtered_attributes=attributes)


def _with(whole: Any, field: str, parts: list[Any]) -> Any:
    """`whole` with these parts; the same object where they are its own."""
    before = getattr(whole, field)
    if len(parts) == len(before) and all(new is old for new, old in zip(parts, before, strict=True)):
        return whole
    return dataclasses.replace(whole, **{field: parts})


def _merge(metric: Metric, points: Sequence[Any]) -> list[Any]:
    series: dict[tuple[tuple[str, str], ...], Any] = {}
    additive = not isinstance(metric.data, Gauge)
    for point in points:
        key = tuple(sorted((name, repr(value)) for name, value in (point.attributes or {}).items()))
        known = series.get(key)
        series[key] = point if known is None else merged(known, point, additive=additive)
    return list(series.values())


def scrub_reader(reader: MetricReader, scrubber: MetricScrubber) -> None:
    """Have what a reader collects scrubbed before it, or the exporter behind it, sees it.

    `_receive_metrics` is what the SDK has readers override; this one is overridden on the object, so that readers of
    other packages are served as well.
    """
    receive = reader._receive_metrics  # noqa: SLF001  documented as to be overridden

    def receive_scrubbed(metrics_data: MetricsData, *args: Any, **kwargs: Any) -> None:
        receive(scrubber(metrics_data), *args, **kwargs)

    reader._receive_metrics = receive_scrubbed  # type: ignore[method-assign]  # noqa: SLF001
