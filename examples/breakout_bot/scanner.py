"""The scanner: is this market worth looking at right now, and if not, which filter says so?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from breakout_bot.conditions import Condition

if TYPE_CHECKING:
    from breakout_bot.indicators import Window

__all__ = ["Filters", "scan"]

USUAL_TRADES_PER_MINUTE = (
    30.0  # what an average bar is taken to hold where a feed reports no number of trades
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Thresholds, all relative to the market's own past except the number of trades."""

    min_atr: float = 0.6
    max_atr: float = 3.5
    min_volume: float = 0.5
    min_trades_per_minute: float = 8.0
    min_bars_since_gap: int = 3


def scan(window: Window, filters: Filters) -> tuple[Condition, ...]:
    """Evaluate every filter, also after one has failed: a funnel is only readable when each stage was asked."""
    atr = window.atr / window.usual_atr if window.usual_atr else 0.0
    volume = window.volume / window.usual_volume if window.has_volume else 1.0
    return (
        Condition("warm_up", window.bars, ">=", window.warm_up),
        Condition("freshness", window.bars_since_gap, ">=", filters.min_bars_since_gap),
        Condition("atr_range_min", atr, ">=", filters.min_atr),
        Condition("atr_range_max", atr, "<=", filters.max_atr),
        Condition("volume", volume, ">=", filters.min_volume),
        Condition("trades_per_minute", trades_per_minute(window), ">=", filters.min_trades_per_minute),
    )


def trades_per_minute(window: Window) -> float:
    """The feed's own count, or an estimate from volume: a bar of usual volume is taken for a usual number of trades."""
    candle = window.last
    minutes = (candle.close_time - candle.open_time) / 60_000
    if candle.trades is not None:
        return candle.trades / minutes
    return USUAL_TRADES_PER_MINUTE * window.volume_ratio
