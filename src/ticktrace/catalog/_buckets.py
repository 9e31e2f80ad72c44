"""Bucket boundaries, one set for each quantity.

A boundary is inclusive. Latencies go 1, 2.5, 5 a decade: an interpolated quantile is then off by a quarter at most.
Thresholds of objectives join them as boundaries of their own, see `ticktrace.views`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BODY_SIZE",
    "CONFIDENCE",
    "DATABASE",
    "DELAY",
    "EXECUTION",
    "FILL",
    "HOLDING",
    "HOT_PATH",
    "NAMED",
    "NETWORK",
    "NOTIONAL",
    "PROFIT_LOSS",
    "R_MULTIPLE",
    "SCORE",
    "SLIPPAGE_AMOUNT",
    "SLIPPAGE_BPS",
    "TASK",
]

Buckets = tuple[float, ...]


def _symmetric(*positive: float) -> Buckets:
    return (*(-bound for bound in reversed(positive)), 0.0, *positive)


HOT_PATH: Final[Buckets] = (
    *(1e-5, 2.5e-5, 5e-5),
    *(1e-4, 2.5e-4, 5e-4),
    *(1e-3, 2.5e-3, 5e-3),
    *(0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0),
    10.0,
)
"""Seconds of our own code: 10 µs to 10 s."""

EXECUTION: Final[Buckets] = (
    *(5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)
"""Seconds until a venue answers: 0.5 ms beside it, 30 s when it is on its knees."""

NETWORK: Final[Buckets] = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5),
    *(0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0),
)
"""Seconds of HTTP and provider calls: OpenTelemetry's advice for HTTP, 5 ms to 10 s, and 30 s."""

FILL: Final[Buckets] = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0),
)
"""Seconds until a fill: a market order's milliseconds, a resting limit order's day."""

DELAY: Final[Buckets] = (
    *(0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    *(10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0),
)
"""Seconds that data is behind its market time; at or below 0 only when clocks disagree."""

TASK: Final[Buckets] = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Seconds of work beside the hot path, such as a scan: 1 ms to a minute."""

DATABASE: Final[Buckets] = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Seconds of database work: OpenTelemetry's advice for ``db.client.operation.duration``."""

HOLDING: Final[Buckets] = (
    *(1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0),
    *(86400.0, 259200.0, 604800.0, 2592000.0),
)
"""Seconds that a position is held: 1 s to 30 days."""

CONFIDENCE: Final[Buckets] = tuple(round(step * 0.05, 2) for step in range(1, 21))
"""0 to 1 in steps of 0.05."""

SCORE: Final[Buckets] = tuple(round(step * 0.1, 1) for step in range(-10, 11))
"""-1 to 1 in steps of 0.1."""

SLIPPAGE_BPS: Final[Buckets] = _symmetric(0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
"""Basis points either side of 0."""

SLIPPAGE_AMOUNT: Final[Buckets] = _symmetric(
    1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0, 100.0, 1000.0
)
"""Quote currency either side of 0; wide, because one unit may be a satoshi's worth or a bitcoin."""

PROFIT_LOSS: Final[Buckets] = _symmetric(
    0.1, 0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 5000.0, 10000.0, 100000.0
)
"""Account currency either side of 0."""

NOTIONAL: Final[Buckets] = (
    *(1.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0),
    *(10000.0, 25000.0, 50000.0, 100000.0, 1000000.0),
)
"""Account currency put into a position."""

R_MULTIPLE: Final[Buckets] = (-5.0, -3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Result as a multiple of the risk taken."""

BODY_SIZE: Final[Buckets] = tuple(float(128 * 4**power) for power in range(10))
"""Bytes: 128 to 32 MiB, times 4."""

NAMED: Final[Mapping[str, Buckets]] = MappingProxyType(
    {
        "hot path": HOT_PATH,
        "execution": EXECUTION,
        "network": NETWORK,
        "fill": FILL,
        "delay": DELAY,
        "task": TASK,
        "database": DATABASE,
        "holding": HOLDING,
        "confidence": CONFIDENCE,
        "score": SCORE,
        "slippage bps": SLIPPAGE_BPS,
        "slippage amount": SLIPPAGE_AMOUNT,
        "profit and loss": PROFIT_LOSS,
        "notional": NOTIONAL,
        "R multiple": R_MULTIPLE,
        "body size": BODY_SIZE,
    }
)
"""The sets by the name that the reference page gives them."""
