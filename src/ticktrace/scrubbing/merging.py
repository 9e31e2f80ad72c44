"""Two points of one series as one: what differed by nothing but a secret is the same series without it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from opentelemetry.sdk.metrics.export import (
    Buckets,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    NumberDataPoint,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["merged"]

P = TypeVar("P", bound=NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint)

_MOST_BUCKETS: Final = 160  # per sign, as the SDK has it


def merged(first: P, second: P, *, additive: bool) -> P:
    """One point for both.

    Args:
        first: a point of a metric.
        second: another one of it, with the same attributes.
        additive: whether numbers add up; of others the newer one holds.

    Raises:
        ValueError: histograms with other bounds, which points of one metric do not have.
        TypeError: points of different kinds, likewise.
    """
    point: Any
    if isinstance(first, NumberDataPoint) and isinstance(second, NumberDataPoint):
        point = _number(first, second, additive=additive)
    elif isinstance(first, HistogramDataPoint) and isinstance(second, HistogramDataPoint):
        point = _histogram(first, second)
    elif isinstance(first, ExponentialHistogramDataPoint) and isinstance(
        second, ExponentialHistogramDataPoint
    ):
        point = _exponential(first, second)
    else:
        raise TypeError("points of different kinds cannot be merged")
    return cast("P", point)


def _number(first: NumberDataPoint, second: NumberDataPoint, *, additive: bool) -> NumberDataPoint:
    if not additive:
        return second if second.time_unix_nano >= first.time_unix_nano else first
    return dataclasses.replace(
        first,
        value=first.value + second.value,
        start_time_unix_nano=_earlier(first.start_time_unix_nano, second.start_time_unix_nano),
        time_unix_nano=max(first.time_unix_nano, second.time_unix_nano),
        exemplars=[*first.exemplars, *second.exemplars],
    )


def _earlier(first: int | None, second: int | None) -> int:
    return min(first or second or 0, second or first or 0)


def _histogram(first: HistogramDataPoint, second: HistogramDataPoint) -> HistogramDataPoint:
    if tuple(first.explicit_bounds) != tuple(second.explicit_bounds):
        raise ValueError("histograms with different bounds cannot be merged")
    counts = zip(first.bucket_counts, second.bucket_counts, strict=True)
    return dataclasses.replace(
        first,
        start_time_unix_nano=_earlier(first.start_time_unix_nano, second.start_time_unix_nano),
        time_unix_nano=max(first.time_unix_nano, second.time_unix_nano),
        count=first.count + second.count,
        sum=first.sum + second.sum,
        bucket_counts=[one + other for one, other in counts],
        min=min(first.min, second.min),
        max=max(first.max, second.max),
        exemplars=[*first.exemplars, *second.exemplars],
    )


def _exponential(
    first: ExponentialHistogramDataPoint, second: ExponentialHistogramDataPoint
) -> ExponentialHistogramDataPoint:
    scale = min(first.scale, second.scale)
    signs = [
        (_indexed(first.positive), _indexed(second.positive)),
        (_indexed(first.negative), _indexed(second.negative)),
    ]
    while True:
        combined = [
            _combined((one, first.scale - scale), (other, second.scale - scale)) for one, other in signs
        ]
        if all(not counts or max(counts) - min(counts) < _MOST_BUCKETS for counts in combined):
            break
        scale -= 1  # each step halves the number of buckets, which are twice as wide
    positive, negative = map(_dense, combined)
    return dataclasses.replace(
        first,
        start_time_unix_nano=_earlier(first.start_time_unix_nano, second.start_time_unix_nano),
        time_unix_nano=max(first.time_unix_nano, second.time_unix_nano),
        count=first.count + second.count,
        sum=first.sum + second.sum,
        scale=scale,
        zero_count=first.zero_count + second.zero_count,
        positive=positive,
        negative=negative,
        min=min(first.min, second.min),
        max=max(first.max, second.max),
        exemplars=[*first.exemplars, *second.exemplars],
    )


def _indexed(buckets: Buckets) -> dict[int, int]:
    return {buckets.offset + place: count for place, count in enumerate(buckets.bucket_counts) if count}


def _combined(*sides: tuple[Mapping[int, int], int]) -> dict[int, int]:
    """The counts of both sides, each with the steps by which its scale is lowered."""
    counts: dict[int, int] = {}
    for side, steps in sides:
        for index, count in side.items():
            counts[index >> steps] = counts.get(index >> steps, 0) + count
    return counts


def _dense(counts: Mapping[int, int]) -> Buckets:
    if not counts:
        return Buckets(0, [])
    lowest = min(counts)
    return Buckets(lowest, [counts.get(index, 0) for index in range(lowest, max(counts) + 1)])
