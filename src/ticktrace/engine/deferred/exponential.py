"""Exponential histograms in bulk, exact to the SDK's scale, offset, counts and even the length of its bucket arrays.

The SDK looks at one value after the other: it computes the bucket's index at the scale of that moment, and lowers the
scale when the range of indexes no longer fits. An index computed at a low scale may differ from one computed at a
high scale and shifted, in the last place, so the order matters. Here the same is done by *stretches*: all indexes at
the present scale are computed at once, those up to the first that does not fit are counted, the scale is lowered, and
the rest starts over. The scale only ever falls, so a series sees some thirty stretches in its life.
"""

from __future__ import annotations

from threading import RLock
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from opentelemetry.sdk.metrics._internal.aggregation import _ExponentialBucketHistogramAggregation
from opentelemetry.sdk.metrics._internal.exponential_histogram.buckets import Buckets

from ticktrace.engine.deferred.breath import breathe
from ticktrace.engine.deferred.chunk import addable, running_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from opentelemetry.sdk.metrics._internal.aggregation import AggregationTemporality
    from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping import Mapping

    from ticktrace.engine.deferred.chunk import Chunk

__all__ = ["BulkExponential"]

_MIN_NORMAL: Final = float(np.finfo(float).tiny)
_NEAR: Final = 1e-5  # numpy's log may err by some units in the last place: at scale 20, 5e-7 of a bucket


class BulkExponential(_ExponentialBucketHistogramAggregation):
    """A histogram with exponential bounds."""

    _value_positive: Any
    _value_negative: Any
    _previous_value_positive: Any
    _previous_value_negative: Any
    _previous_scale: Any
    _mapping: Any
    _scale: Any
    _get_scale_change: Any
    _get_low_high_previous_current: Any
    _sum: Any
    _previous_sum: Any

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lock: Any = (
            RLock()
        )  # what `collect` prepares must not change until the SDK has made a point of it

    def add_chunk(self, chunk: Chunk) -> None:
        """Aggregate the chunk."""
        doubles = chunk.array
        if doubles is None or chunk.smallest < 0:
            self._one_by_one(chunk)
            return
        with self._lock:
            if self._value_positive is None:
                self._value_positive, self._value_negative = _empty(), _empty()
            total = running_sum(chunk, self._sum)
            self._sum, self._previous_sum = addable(total, self._previous_sum)
            if self._record_min_max:
                self._min = min(self._min, chunk.smallest)
                self._max = max(self._max, chunk.largest)
            self._count += len(doubles)
            positive = doubles[doubles > 0]
            self._zero_count += len(doubles) - len(positive)
            if len(positive):
                self._count_positive(positive)
                self._scale = self._mapping.scale
            elif self._count == self._zero_count:
                self._scale = 0

    def _one_by_one(self, chunk: Chunk) -> None:
        values = chunk.values
        with self._lock:
            try:
                sum(values, self._sum)
            except (TypeError, OverflowError):  # see running_sum
                values, self._sum = [float(value) for value in values], float(self._sum)
            for value in values:
                self.aggregate(SimpleNamespace(value=value), False)  # type: ignore[arg-type]
            self._sum, self._previous_sum = addable(self._sum, self._previous_sum)

    def _count_positive(self, values: NDArray[np.float64]) -> None:
        buckets = self._value_positive
        while len(values):
            indexes = _indexes(values, self._mapping)
            low, high = int(indexes.min()), int(indexes.max())
            if len(buckets):
                low, high = min(low, buckets.index_start), max(high, buckets.index_end)
            if high - low < self._max_size:
                _add(buckets, indexes, self._max_size)
                return
            fits, low, high = self._stretch(indexes, buckets)
            if fits:
                _add(buckets, indexes[:fits], self._max_size)
            change = self._get_scale_change(low, high)
            self._downscale(change, self._value_positive, self._value_negative)
            self._mapping = self._new_mapping(self._mapping.scale - change)
            values = values[fits:]

    def _stretch(self, indexes: NDArray[np.int64], buckets: Any) -> tuple[int, int, int]:
        """How many of the indexes fit, and the range which the first that does not would make of it."""
        lowest, highest = np.minimum.accumulate(indexes), np.maximum.accumulate(indexes)
        if len(buckets):
            lowest = np.minimum(lowest, buckets.index_start)
            highest = np.maximum(highest, buckets.index_end)
        first = int(np.argmax(highest - lowest >= self._max_size))
        return first, int(lowest[first]), int(highest[first])

    def collect(
        self, collection_aggregation_temporality: AggregationTemporality, collection_start_nano: int
    ) -> Any:
        """The point of this moment; see the SDK."""
        breathe()
        with self._lock:
            if None not in (self._scale, self._previous_scale):
                self._place_history()
            return super().collect(collection_aggregation_temporality, collection_start_nano)

    def _place_history(self) -> None:
        """Where the SDK would fail, let an empty history begin where the first values are.

        The SDK merges into buckets that have seen nothing as if they had seen index 0, and raises when the values
        are too far from there. That would take all metrics of the collection along.
        """
        befores = [self._previous_value_positive, self._previous_value_negative]
        nows = [self._value_positive, self._value_negative]
        scale = lower = min(self._scale, self._previous_scale)
        for before, now in zip(befores, nows, strict=True):
            low, high = self._get_low_high_previous_current(before, now, self._scale, lower)
            scale = min(scale, lower - self._get_scale_change(low, high))
        for before, now in zip(befores, nows, strict=True):
            if before.counts != [0] or not len(now):
                continue
            shift = self._previous_scale - scale
            low, high = now.index_start >> (self._scale - scale), now.index_end >> (self._scale - scale)
            there = before.index_start >> shift
            if max(there, high) - min(there, low) >= self._max_size:
                before.index_start = before.index_end = before.index_base = low << shift


def _empty() -> Any:
    make: Any = Buckets
    return make()


def _indexes(values: NDArray[np.float64], mapping: Mapping) -> NDArray[np.int64]:
    """What `mapping.map_to_index` gives for each of the values, all of them positive."""
    scale = mapping.scale
    if scale <= 0:
        mantissas, exponents = np.frexp(values)
        indexes: NDArray[np.int64] = (exponents.astype(np.int64) - 1 - (mantissas == 0.5)) >> -scale  # noqa: PLR2004  powers of two
        unsure = values < _MIN_NORMAL
    else:
        factor: float = mapping._scale_factor  # type: ignore[attr-defined]  # noqa: SLF001
        exact = np.log(values) * factor
        floors = np.floor(exact)
        indexes = floors.astype(np.int64)
        # Powers of two, and all whose floor hangs on the last place of the logarithm; and the two ends of the range.
        rest = exact - floors
        unsure = (rest < _NEAR) | (rest > 1 - _NEAR) | (values <= _MIN_NORMAL) | (values > 2.0**1023)
    for at in np.flatnonzero(unsure):
        indexes[at] = mapping.map_to_index(float(values[at]))
    return indexes


def _add(buckets: Any, indexes: NDArray[np.int64], max_size: int) -> None:
    low, high = int(indexes.min()), int(indexes.max())
    counts = np.bincount(indexes - low).tolist()
    if not len(buckets):
        buckets.index_start = buckets.index_end = buckets.index_base = low
    if low < buckets.index_start:
        _make_room(buckets, buckets.index_end - low, max_size)
        buckets.index_start = low
    if high > buckets.index_end:
        _make_room(buckets, high - buckets.index_start, max_size)
        buckets.index_end = high
    cells = buckets.counts
    size = len(cells)
    base = buckets.index_base
    for index, count in enumerate(counts, low):
        cells[(index - base) % size] += count


def _make_room(buckets: Any, span: int, max_size: int) -> None:
    if span >= len(buckets.counts):
        buckets.grow(span + 1, max_size)
