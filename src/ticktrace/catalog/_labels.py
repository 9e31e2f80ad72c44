"""Attribute lists that several rows share."""

from __future__ import annotations

from typing import Final

from ticktrace import semconv

__all__ = ["DECISION", "MARKET", "MODE", "ORDER", "RESULT", "STRATEGY"]

# Every row of trading's own allows the mode: money that is at stake must never be added to money that is not.
MODE: Final = (semconv.ENGINE_MODE,)
MARKET: Final = (semconv.VENUE, semconv.SYMBOL, semconv.TIMEFRAME, *MODE)
DECISION: Final = (semconv.VENUE, semconv.SYMBOL, semconv.TIMEFRAME, semconv.STRATEGY_NAME, *MODE)
ORDER: Final = (
    semconv.VENUE,
    semconv.SYMBOL,
    semconv.STRATEGY_NAME,
    semconv.ORDER_SIDE,
    semconv.ORDER_TYPE,
    *MODE,
)
STRATEGY: Final = (semconv.STRATEGY_NAME, *MODE)
RESULT: Final = (semconv.VENUE, semconv.SYMBOL, semconv.STRATEGY_NAME, *MODE)
