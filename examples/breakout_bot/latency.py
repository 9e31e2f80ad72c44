"""How long things took, read from the bot's own clocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import quantiles

__all__ = ["Latencies", "percentiles"]


@dataclass
class Latencies:
    """Seconds: `candle` and `signal` are real processing time, `ack` and `fill` are market time."""

    candle: list[float] = field(default_factory=list)
    signal: list[float] = field(default_factory=list)
    ack: list[float] = field(default_factory=list)
    fill: list[float] = field(default_factory=list)


def percentiles(seconds: list[float]) -> tuple[float, float, float] | None:
    """The 50th, 95th and 99th percentile; None where there is nothing to rank."""
    if len(seconds) < 2:
        return (seconds[0],) * 3 if seconds else None
    ranks = quantiles(seconds, n=100, method="inclusive")
    return ranks[49], ranks[94], ranks[98]
