"""Exponential histograms as classic buckets, for formats that know no others.

Data model: https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram
"""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint

__all__ = ["MAX_BUCKETS", "MAX_SCALE", "classic_buckets"]

MAX_SCALE = 3  # eight bounds for each doubling, 9 % apart: finer ones cost series and tell no more
MAX_BUCKETS = 64  # of one series, +Inf included


def classic_buckets(point: ExponentialHistogramDataPoint) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Return the upper bounds and the cumulative counts of the classic histogram that `point` contains.

    Exponential buckets of one scale merge in pairs, groups of four, … into those of the scales below, so there is a
    coarser set of bounds at which the counts are known exactly; nothing is
    interpolated. The bounds of a coarser scale are among those of a finer one: as a histogram's range grows, series end
    but none changes its meaning.

    Returns:
        bounds, ascending, the first 0 (which also holds all negative values), without +Inf; and for each the number of
        values at or below it.
    """
    below = point.zero_count + sum(point.negative.bucket_counts)
    bounds: list[float] = [0.0]
    cumulative: list[int] = [below]
    filled = [
        (point.positive.offset + place, count)
        for place, count in enumerate(point.positive.bucket_counts)
        if count
    ]
    if not filled:
        return tuple(bounds), tuple(cumulative)
    shift = max(0, point.scale - MAX_SCALE)
    while (filled[-1][0] >> shift) - (filled[0][0] >> shift) + 2 > MAX_BUCKETS - 2:  # one is 0, one +Inf
        shift += 1
    scale = point.scale - shift
    merged: dict[int, int] = {}
    for index, count in filled:
        merged[index >> shift] = merged.get(index >> shift, 0) + count
    first, last = filled[0][0] >> shift, filled[-1][0] >> shift
    for edge in range(first, last + 2):
        below += merged.get(edge - 1, 0)
        bound = _power(edge, scale)
        # Below the smallest normal number the SDK puts all values into one bucket; above the largest is +Inf.
        if sys.float_info.min <= bound < math.inf:
            bounds.append(bound)
            cumulative.append(below)
    return tuple(bounds), tuple(cumulative)


def _power(index: int, scale: int) -> float:
    """Return the largest float that is not above 2 ** (index / 2 ** scale)."""
    if scale <= 0:
        exponent, mantissa = index << -scale, 1.0
    else:
        exponent, remainder = index >> scale, index & ((1 << scale) - 1)
        mantissa = _mantissa(remainder, scale)
    try:
        return math.ldexp(mantissa, exponent)
    except OverflowError:
        return math.inf


@lru_cache(maxsize=1 << MAX_SCALE + 1)
def _mantissa(remainder: int, scale: int) -> float:
    # A bound that was rounded up would count values between the true and the rounded one in the wrong bucket.
    steps = 1 << scale
    bound: float = 2.0 ** (remainder / steps)
    while Fraction(bound) ** steps > 2**remainder:
        bound = math.nextafter(bound, 0.0)
    while Fraction(higher := math.nextafter(bound, math.inf)) ** steps <= 2**remainder:
        bound = higher
    return bound
