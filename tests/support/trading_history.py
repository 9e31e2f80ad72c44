"""A trading history over real candles, and plain books on it that share nothing with the ledger but their definitions."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

__all__ = ["Bar", "Fill", "PlainBooks", "orders_of", "real_bars"]

_FOLDER = Path(os.environ.get("TICKTRACE_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")


class Bar(NamedTuple):
    """A candle: when it closed, Unix s, and at what."""

    at: float
    close: Decimal


class Fill(NamedTuple):
    """A fill: signed units, price, fee."""

    strategy: str
    units: Decimal
    price: Decimal
    fee: Decimal


def real_bars(file: str, seconds: int) -> list[Bar]:
    """The candles of a file; without it the test is skipped."""
    path = _FOLDER / file
    if not path.exists():
        pytest.skip(f"{path} is not there; TICKTRACE_TEST_DATA names the folder with real candles")
    with path.open(encoding="utf-8", newline="") as lines:
        return [Bar(int(row["ts"]) / 1000 + seconds, Decimal(row["close"])) for row in csv.DictReader(lines)]


def orders_of(bars: list[Bar]) -> list[list[Fill]]:
    """What two strategies trade after each bar: long, short, in parts, at worse prices, with fees, and through zero.

    One follows a breakout of the last ninety closes and grows into its position, the other bets on the return to their
    mean; both decide seldom enough to have some hundred trades.
    """
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    history: list[list[Fill]] = []
    for number, bar in enumerate(bars):
        fills: list[Fill] = []
        past = [each.close for each in bars[max(0, number - 90) : number]]
        if len(past) == 90 and number % 13 == 0:
            fills += _reach(held, "breakout", _breakout(bar.close, past, held["breakout"]), bar.close)
        if len(past) == 90 and number % 31 == 0:
            middle = sum(past, Decimal(0)) / len(past)
            away = bar.close / middle - 1
            target = Decimal(0) if abs(away) < Decimal("0.002") else -Decimal("0.25").copy_sign(away)
            fills += _reach(held, "reversion", target, bar.close)
        history.append(fills)
    return history


def _breakout(close: Decimal, past: list[Decimal], held: Decimal) -> Decimal:
    step = Decimal("0.1")
    if close > max(past):
        return step if held < 0 else min(held + step, 3 * step)
    if close < min(past):
        return -step if held > 0 else max(held - step, -3 * step)
    return Decimal(0) if abs(held) > step else held


def _reach(held: dict[str, Decimal], strategy: str, target: Decimal, close: Decimal) -> list[Fill]:
    units = target - held[strategy]
    held[strategy] = target
    if not units:
        return []
    first = (units / 3).quantize(Decimal("0.001"))
    slipped = (close * Decimal("0.0001")).quantize(Decimal("0.1")).copy_sign(units)
    fills = []
    for part, price in ((first, close + slipped), (units - first, close + 2 * slipped)):
        if part:
            fills.append(Fill(strategy, part, price, abs(part) * price * Decimal("0.0002")))
    return fills


@dataclass
class PlainBooks:
    """Cash, units and trades in floats, as one would write them down on one page.

    Attributes:
        cash: capital, minus what was bought, plus what was sold, minus fees.
        units: held, by strategy.
        equity: after each event.
        trades: results by strategy, in the order in which they were closed.
    """

    cash: float
    price: float = 0.0
    units: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    equity: list[float] = field(default_factory=list)
    trades: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _round_trip: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def __post_init__(self) -> None:
        self.equity.append(self.cash)

    def mark(self, price: Decimal) -> None:
        """The market is at that price."""
        self.price = float(price)
        self._value()

    def fill(self, fill: Fill) -> None:
        """Units changed hands; what goes through zero is two fills."""
        before = self.units[fill.strategy]
        self._book(fill, -before if before * (before + fill.units) < 0 else fill.units)
        self._value()

    def _book(self, fill: Fill, part: Decimal) -> None:
        share = float(part / fill.units)
        paid = float(part) * float(fill.price) + share * float(fill.fee)
        self.cash -= paid
        self._round_trip[fill.strategy] -= paid
        self.units[fill.strategy] += part
        if not self.units[fill.strategy]:
            self.trades[fill.strategy].append(self._round_trip.pop(fill.strategy))
        if part != fill.units:
            rest = fill.units - part
            self._book(fill._replace(units=rest, fee=fill.fee * rest / fill.units), rest)

    def _value(self) -> None:
        self.equity.append(self.cash + self.price * sum(map(float, self.units.values())))
