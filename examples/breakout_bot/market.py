"""The market: candles replayed from a file, or made up by a seeded random walk that misbehaves like the real thing."""

from __future__ import annotations

import csv
import math
import random
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Candle",
    "CandleFileError",
    "Market",
    "is_bad_tick",
    "read_candles",
    "synthetic_market",
    "write_candles",
]

COLUMNS = ("ts", "open", "high", "low", "close", "volume")
LONG_PAUSE = 5  # a hole of more bars than this counts as a closed market, not as a quiet minute
BAD_TICK_JUMP = 0.12  # a wick this far from both the last close and this close is not believed


class CandleFileError(Exception):
    """A candle file that cannot be read, with its place."""


@dataclass(frozen=True, slots=True)
class Candle:
    """One bar. Times are unix milliseconds; prices are floats, because indicators are statistics, not money."""

    open_time: int
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int | None = None

    @property
    def closed_at(self) -> float:
        """Close time in unix seconds."""
        return self.close_time / 1000


@dataclass(frozen=True)
class Market:
    """Candles of one symbol, oldest first, with the step between bars in milliseconds and the price's tick size."""

    venue: str
    symbol: str
    candles: Sequence[Candle]
    step: int
    tick_size: Decimal

    @property
    def timeframe(self) -> str:
        """The step in the field's words: 1m, 5m, 1h, 1d."""
        for milliseconds, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m")):
            if self.step % milliseconds == 0:
                return f"{self.step // milliseconds}{unit}"
        return f"{self.step // 1000}s"

    @property
    def closures(self) -> list[tuple[float, float]]:
        """Spans of time (unix seconds) in which the market was closed: the longer holes in the data."""
        return [
            (before.closed_at, after.open_time / 1000)
            for before, after in pairwise(self.candles)
            if after.open_time - before.open_time > LONG_PAUSE * self.step
        ]


def read_candles(path: str | Path, *, venue: str = "replay", symbol: str | None = None) -> Market:
    """Read `ts,open,high,low,close,volume` (ts = open time in unix ms, ascending; a `trades` column is optional).

    The timeframe is the most common step. Raises CandleFileError, naming file and line.
    """
    path = Path(path)
    rows: list[tuple[int, tuple[float, float, float, float], float, int | None]] = []
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise CandleFileError(
                    f"{path}:1: missing column(s) {', '.join(missing)}; needed: {','.join(COLUMNS)}"
                )
            for row in reader:
                try:
                    opened = int(row["ts"])
                    prices = (float(row["open"]), float(row["high"]), float(row["low"]), float(row["close"]))
                    volume = float(row["volume"])
                    trades = int(row["trades"]) if row.get("trades") else None
                except (TypeError, ValueError) as error:
                    raise CandleFileError(f"{path}:{reader.line_num}: {error}") from error
                if rows and opened <= rows[-1][0]:
                    raise CandleFileError(f"{path}:{reader.line_num}: ts {opened} is not after {rows[-1][0]}")
                rows.append((opened, prices, volume, trades))
    except OSError as error:
        raise CandleFileError(f"{path}: {error.strerror}") from error
    if len(rows) < 2:
        raise CandleFileError(f"{path}: {len(rows)} candle(s); at least 2 are needed to tell the timeframe")
    step = _most_common_step([row[0] for row in rows])
    candles = [
        Candle(opened, opened + step, *prices, volume=volume, trades=trades)
        for opened, prices, volume, trades in rows
    ]
    return Market(venue, symbol or _symbol_of(path), candles, step, _tick_size(candles))


def write_candles(path: str | Path, candles: Iterable[Candle]) -> None:
    """Write candles in the form that `read_candles` reads."""
    with Path(path).open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(COLUMNS)
        writer.writerows((c.open_time, c.open, c.high, c.low, c.close, c.volume) for c in candles)


def synthetic_market(
    bars: int, seed: int, *, price: float = 42_000.0, step: int = 60_000, start: int = 1_640_995_200_000
) -> Market:
    """Make up `bars` candles: volatility in clusters, drifts that come and go, missing bars and a few bad ticks."""
    rng = random.Random(f"market:{seed}")
    tick = 10.0 ** (math.floor(math.log10(price)) - 5)
    volatility, drift, opened = 0.0006, 0.0, start
    candles: list[Candle] = []
    while len(candles) < bars:
        shock = rng.gauss(0, 1)
        # GARCH(1,1) in spirit: today's variance remembers yesterday's and yesterday's surprise.
        volatility = math.sqrt(8e-9 + 0.87 * volatility**2 + 0.10 * (volatility * shock) ** 2)
        if rng.random() < 0.03:
            drift = rng.gauss(0, 0.6) * volatility
        path = [price]
        for _ in range(6):
            path.append(path[-1] * math.exp(drift / 6 + rng.gauss(0, volatility) / math.sqrt(6)))
        activity = (abs(path[-1] / price - 1) + volatility) / 0.0006
        volume = round(20 * activity * rng.lognormvariate(0, 0.5), 3)
        prices = [round(round(p / tick) * tick, 8) for p in path]
        high, low = max(prices), min(prices)
        if rng.random() < 0.001:  # a fat finger, or a feed that lies
            high = round(high * 1.2, 8) if rng.random() < 0.5 else high
            low = round(low * 0.8, 8) if high == max(prices) else low
        candles.append(Candle(opened, opened + step, prices[0], high, low, prices[-1], volume))
        price = path[-1]
        opened += step
        if rng.random() < 0.004:  # the stream dropped out for a while
            opened += step * (rng.randint(1, 3) if rng.random() < 0.7 else rng.randint(6, 40))
    return Market("synthetic", "BTC/USDT", candles, step, _tick_size(candles))


def is_bad_tick(candle: Candle, last_close: float | None) -> bool:
    """Tell whether a bar contradicts itself or the bar before so badly that no decision may rest on it."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    if not all(math.isfinite(price) and price > 0 for price in prices):
        return True
    if not candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high:
        return True
    if last_close is None:
        return False
    above = min(candle.high / last_close, candle.high / candle.close) - 1
    below = 1 - max(candle.low / last_close, candle.low / candle.close)
    return max(above, below) > BAD_TICK_JUMP


def _most_common_step(times: Sequence[int]) -> int:
    steps = Counter(after - before for before, after in pairwise(times))
    return min(steps, key=lambda step: (-steps[step], step))


def _tick_size(candles: Sequence[Candle]) -> Decimal:
    """The finest price step seen, at most eight decimals (files carry float noise such as 0.09946999999000001)."""
    sample = candles[:: max(1, len(candles) // 500)]
    exponents = [
        int(Decimal(repr(round(price, 8))).normalize().as_tuple().exponent)
        for candle in sample
        for price in (candle.open, candle.high, candle.low, candle.close)
        if math.isfinite(price) and price > 0
    ]
    return Decimal(1).scaleb(min(0, min(exponents, default=0)))


def _symbol_of(path: Path) -> str:
    """`btc_perp_1m_20220119.csv` is BTC/PERP: the first two words of the name that are not a timeframe or a date."""
    words = path.stem.split("_")[:2]
    return "/".join(word.upper() for word in words if word and not word[0].isdigit()) or "UNKNOWN"
