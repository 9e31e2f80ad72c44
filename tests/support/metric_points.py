"""Collected metrics as plain, comparable values, without their times."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

__all__ = ["described"]

_TIMES = {"start_time_unix_nano", "time_unix_nano"}


def described(data: MetricsData | None) -> list[Any]:
    """Every metric of a collection with its points, in an order that does not depend on that of recording.

    Numbers stand there as they are written, so that `1`, `1.0` and `True` differ and every bit counts.
    """
    if data is None:
        return []
    return sorted(
        (
            repr((scope.scope, scope.schema_url, metric.name, metric.unit, metric.description)),
            type(metric.data).__name__,
            repr([getattr(metric.data, name, None) for name in ("aggregation_temporality", "is_monotonic")]),
            sorted(_point(point) for point in metric.data.data_points),
        )
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )


def _point(point: Any) -> str:
    named = {field.name: getattr(point, field.name) for field in fields(point) if field.name not in _TIMES}
    named["attributes"] = sorted(named["attributes"].items(), key=repr)
    return repr(named)
