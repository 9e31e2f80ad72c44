"""How new the data is that a provider gave, where its shape tells: as ccxt has it, and most others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MARKET_DATA", "newest_time"]

# ccxt's operations that give market data; an order's or a balance's time says nothing about freshness.
MARKET_DATA = frozenset(
    verb + what
    for verb in ("fetch", "watch")
    for what in (
        "ohlcv",
        "ticker",
        "tickers",
        "trades",
        "orderbook",
        "bidsasks",
        "l2orderbook",
        "fundingrate",
    )
)

_FIRST = 1e9  # as seconds this is 2001; smaller numbers are prices and volumes


def newest_time(result: object) -> float | None:
    """The time of the newest item, as a Unix number of whatever unit; None where none can be told.

    Args:
        result: a mapping with a ``timestamp``; a candle, that is a row that begins with its opening time; a mapping of
            symbols to mappings; or a list of these, sorted either way.
    """
    if isinstance(result, Mapping):
        time = _time(result.get("timestamp"))
        if time is None and result and all(isinstance(item, Mapping) for item in result.values()):
            time = _latest(_time(item.get("timestamp")) for item in result.values())
        return time
    if _is_row(result):
        first = result[0]
        if isinstance(first, Mapping) or _is_row(first):
            return _latest(_of_item(item) for item in (first, result[-1]))
        return _time(first)
    return None


def _is_row(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and len(value) > 0


def _of_item(item: object) -> float | None:
    if isinstance(item, Mapping):
        return _time(item.get("timestamp"))
    return _time(item[0]) if _is_row(item) else None


def _latest(times: Iterable[float | None]) -> float | None:
    return max((time for time in times if time is not None), default=None)


def _time(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= _FIRST:
        return float(value)
    return None
