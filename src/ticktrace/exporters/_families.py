"""OTel metrics as Prometheus metric families: one family a name, one series a label set.

Mapping: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

from __future__ import annotations

import json
import logging
import math
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry.exporter.prometheus import _mapping
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogramDataPoint,
    Gauge,
    HistogramDataPoint,
    NumberDataPoint,
    Sum,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.samples import Exemplar, Timestamp
from prometheus_client.utils import floatToGoString

from ticktrace.exporters._exponential import classic_buckets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import Metric, MetricsData
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from prometheus_client.core import Metric as Family

__all__ = ["Translator"]

_log = logging.getLogger("ticktrace")

_EXEMPLAR_RUNES = 128  # OpenMetrics 1.0: label names and values of an exemplar together
_TARGET = "target"
# The names of the samples that a family of each type owns, besides its own; two families must not share one.
_SUFFIXES = {
    CounterMetricFamily: ("_total", "_created"),
    GaugeMetricFamily: (),
    HistogramMetricFamily: ("_bucket", "_count", "_sum", "_created"),
}

Labels = tuple[tuple[str, str], ...]
S = TypeVar("S", "_Number", "_Distribution")


@dataclass(slots=True)
class _Number:
    """The value of one counter or gauge series."""

    value: float
    time_ns: int
    exemplars: list[Any]

    def merge(self, other: _Number, *, additive: bool) -> None:
        if additive:
            self.value += other.value
        elif other.time_ns >= self.time_ns:
            self.value = other.value
        self.time_ns = max(self.time_ns, other.time_ns)
        self.exemplars += other.exemplars


@dataclass(slots=True)
class _Distribution:
    """One histogram series: how many values are at or below each bound, and how many there are."""

    bounds: Sequence[float]
    cumulative: Sequence[int]
    count: int
    sum: float
    exemplars: list[Any]

    def merge(self, other: _Distribution, *, additive: bool) -> None:  # noqa: ARG002  distributions always add up
        if self.bounds == other.bounds:
            self.cumulative = [a + b for a, b in zip(self.cumulative, other.cumulative, strict=True)]
        else:
            # Only at the bounds that both have is the common count known.
            theirs = dict(zip(other.bounds, other.cumulative, strict=True))
            common = [
                (bound, mine + theirs[bound])
                for bound, mine in zip(self.bounds, self.cumulative, strict=True)
                if bound in theirs
            ]
            self.bounds = [bound for bound, _ in common]
            self.cumulative = [count for _, count in common]
        self.count += other.count
        self.sum += other.sum
        self.exemplars += other.exemplars


@dataclass(slots=True)
class _Draft(Generic[S]):
    """A family while its series are gathered from all scopes."""

    family: Family
    additive: bool
    label_names: set[str] = field(default_factory=set)
    series: dict[Labels, S] = field(default_factory=dict)

    def add(self, labels: Labels, series: S) -> None:
        self.label_names.update(name for name, _ in labels)
        known = self.series.get(labels)
        if known is None:
            self.series[labels] = series
        else:
            known.merge(series, additive=self.additive)

    def complete(self, labels: Labels) -> dict[str, str]:
        """All label names of the family: OpenMetrics wants the same ones on each of its series."""
        return dict.fromkeys(sorted(self.label_names), "") | dict(labels)


class Translator:
    """Makes metric families of what a reader collected.

    Args:
        scope_labels: put `otel_scope_name`, `_version`, `_schema_url` and the scope's attributes on every series. When
            they are off, series that differ by scope alone are one: counts add up, of gauges the newest holds.
        target_info: add the resource as the family `target_info`.
    """

    def __init__(self, *, scope_labels: bool, target_info: bool) -> None:
        self._scope_labels = scope_labels
        self._target_info = target_info
        self._reported: set[str] = set()

    def translate(self, data: MetricsData) -> list[Family]:
        """Return the families of `data`, each once."""
        families: list[Family] = []
        owners: dict[str, str] = {}
        if self._target_info:
            resource: dict[str, Any] = {}
            for resource_metrics in data.resource_metrics:
                resource.update(resource_metrics.resource.attributes)
            families.append(InfoMetricFamily(_TARGET, "Target metadata", value=dict(_labels(resource))))
            owners = dict.fromkeys((_TARGET, f"{_TARGET}_info"), _TARGET)
        drafts: dict[str, _Draft[Any]] = {}
        for resource_metrics in data.resource_metrics:
            for scope_metrics in resource_metrics.scope_metrics:
                scope = _scope_labels(scope_metrics.scope) if self._scope_labels else ()
                for metric in scope_metrics.metrics:
                    draft = self._draft(metric, drafts, owners)
                    if draft is not None:
                        _gather(metric, scope, draft)
        families += (_render(draft) for draft in drafts.values())
        return families

    def _draft(
        self, metric: Metric, drafts: dict[str, _Draft[Any]], owners: dict[str, str]
    ) -> _Draft[Any] | None:
        """Return the family that `metric` belongs to; None when another family has its name already."""
        kind, additive = _kind(metric)
        family = kind(
            name=_mapping.sanitize_full_name(metric.name),
            documentation=metric.description or "",
            unit=_mapping.map_unit(metric.unit or ""),
        )
        draft = drafts.get(family.name)
        if draft is None:
            names = (family.name, *(family.name + suffix for suffix in _SUFFIXES[kind]))
            taken = next((owners[name] for name in names if name in owners), None)
            if taken is not None:
                self._report(metric, f"{family.type} {family.name}", taken)
                return None
            owners.update(dict.fromkeys(names, family.name))
            draft = drafts[family.name] = _Draft(family, additive)
        elif draft.family.type != family.type or draft.family.unit != family.unit:
            self._report(metric, f"{family.type} {family.name}", f"{draft.family.type} {draft.family.name}")
            return None
        elif not draft.family.documentation:
            draft.family.documentation = family.documentation
        return draft

    def _report(self, metric: Metric, family: str, other: str) -> None:
        if metric.name not in self._reported:
            self._reported.add(metric.name)
            _log.warning(
                "ticktrace: metric %s is left out of the Prometheus exposition: as %s it would clash with %s; "
                "rename one with a view",
                metric.name,
                family,
                other,
            )


def _kind(
    metric: Metric,
) -> tuple[type[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily], bool]:
    """Return the type of family, and whether series that fall together add up."""
    if isinstance(metric.data, Sum):
        return (CounterMetricFamily if metric.data.is_monotonic else GaugeMetricFamily), True
    if isinstance(metric.data, Gauge):
        return GaugeMetricFamily, False
    return HistogramMetricFamily, True


def _gather(metric: Metric, scope: Labels, draft: _Draft[Any]) -> None:
    reserved = "le" if draft.family.type == "histogram" else None
    for point in metric.data.data_points:
        labels = _labels(point.attributes or {}, reserved)
        if scope:
            labels = tuple(sorted((dict(labels) | dict(scope)).items()))
        draft.add(labels, _series(point))


def _series(
    point: NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint,
) -> _Number | _Distribution:
    exemplars = list(point.exemplars)
    if isinstance(point, NumberDataPoint):
        return _Number(point.value, point.time_unix_nano, exemplars)
    if isinstance(point, HistogramDataPoint):
        bounds: Sequence[float] = tuple(point.explicit_bounds)
        cumulative: Sequence[int] = tuple(accumulate(point.bucket_counts))[: len(bounds)]
        if bounds and bounds[-1] == math.inf:  # +Inf is every histogram's last bucket, and must be so once
            bounds, cumulative = bounds[:-1], cumulative[:-1]
    else:
        bounds, cumulative = classic_buckets(point)
    return _Distribution(bounds, cumulative, point.count, point.sum, exemplars)


def _render(draft: _Draft[Any]) -> Family:
    family = draft.family
    for labels, series in draft.series.items():
        complete = draft.complete(labels)
        if isinstance(series, _Distribution):
            _render_distribution(family, complete, series)
        elif family.type == "counter":
            newest = _newest(series.exemplars)
            family.add_sample(f"{family.name}_total", complete, series.value, exemplar=newest)
        else:
            family.add_sample(family.name, complete, series.value)
    return family


def _render_distribution(family: Family, labels: dict[str, str], series: _Distribution) -> None:
    by_bucket: dict[int, list[Any]] = {}
    for exemplar in series.exemplars:
        by_bucket.setdefault(bisect_left(series.bounds, exemplar.value), []).append(exemplar)
    buckets = (*zip(series.bounds, series.cumulative, strict=True), (math.inf, series.count))
    for place, (bound, count) in enumerate(buckets):
        family.add_sample(
            f"{family.name}_bucket",
            labels | {"le": _bound(bound)},
            count,
            exemplar=_newest(by_bucket.get(place, ())),
        )
    # prometheus_client leaves these out when there are negative bounds; Prometheus and its other clients keep them,
    # and a mean of a signed quantity such as slippage needs them.
    family.add_sample(f"{family.name}_count", labels, series.count)
    family.add_sample(f"{family.name}_sum", labels, series.sum)


def _newest(exemplars: Iterable[Any]) -> Exemplar | None:
    """Return the newest exemplar that points at a trace, in OpenMetrics' form."""
    traced = [exemplar for exemplar in exemplars if exemplar.trace_id]
    if not traced:
        return None
    exemplar = max(traced, key=lambda one: one.time_unix_nano)
    labels = {"trace_id": f"{exemplar.trace_id:032x}", "span_id": f"{exemplar.span_id or 0:016x}"}
    further = dict(_labels(exemplar.filtered_attributes or {}))
    if sum(len(name) + len(value) for name, value in (labels | further).items()) <= _EXEMPLAR_RUNES:
        labels = further | labels
    seconds, nanoseconds = divmod(exemplar.time_unix_nano, 1_000_000_000)
    return Exemplar(labels, exemplar.value, Timestamp(seconds, nanoseconds))


def _labels(attributes: Mapping[str, Any], reserved: str | None = None) -> Labels:
    """Return the labels of a point, sorted; an empty value is no label, as in Prometheus.

    Attributes whose names become the same label share it, joined by `;` in the order of their names, as specified.
    """
    labels: dict[str, str] = {}
    for key in sorted(attributes):
        name = _label_name(key)
        if name == reserved:
            name = f"exported_{name}"
        value = attributes[key]
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        if text and name:
            labels[name] = f"{labels[name]};{text}" if name in labels else text
    return tuple(sorted(labels.items()))


def _scope_labels(scope: InstrumentationScope) -> Labels:
    attributes = {f"otel_scope_{key}": value for key, value in (scope.attributes or {}).items()}
    return _labels(
        attributes
        | {
            "otel_scope_name": scope.name or "",
            "otel_scope_version": scope.version or "",
            "otel_scope_schema_url": scope.schema_url or "",
        }
    )


@lru_cache(maxsize=4096)
def _bound(bound: float) -> str:
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]  # prometheus_client forgot the annotation


@lru_cache(maxsize=4096)
def _label_name(key: str) -> str:
    return _mapping.sanitize_attribute(key)
