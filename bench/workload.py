"""What everybody measures: the same attributes, the same buckets, the same values."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

from bench.interleaved import Contestant
from ticktrace.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.util.types import AttributeValue

__all__ = ["BOUNDS", "CHECKED", "DRAW", "LABELS", "SPAN_ATTRIBUTES", "draw"]

LABELS = {"trading.venue": "binance", "trading.symbol": "BTC/USDT", "trading.strategy.name": "momentum"}
"""Three attributes, as a metric has them."""

SPAN_ATTRIBUTES: dict[str, AttributeValue] = {
    **LABELS,
    "trading.timeframe": "1m",
    "trading.candle.number": 42,
}
"""Five attributes, as a span has them."""

CHECKED: dict[str, AttributeValue] = {
    "trading.filter.name": "volume",
    "trading.filter.value": 2,
    "trading.filter.threshold": 1,
}
"""The diagnostic event of the candle pipeline."""

BOUNDS = CATALOG["trading.candle.processing.duration"].buckets or ()
"""The buckets of every histogram, in seconds."""


def _durations() -> list[float]:
    """Durations over all buckets, in no order: equal or sorted ones would flatter whoever sorts them in bulk."""
    rng = random.Random(1)
    return [rng.lognormvariate(-7, 2) for _ in range(4099)]


draw: Callable[[], float] = itertools.cycle(_durations()).__next__
"""The next duration, in seconds."""

DRAW = Contestant("draw()", {"draw": draw})
"""What all contestants that record values do besides."""
