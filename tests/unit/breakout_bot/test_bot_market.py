"""Candles from files and from the random walk."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from breakout_bot.market import (
    Candle,
    CandleFileError,
    is_bad_tick,
    read_candles,
    synthetic_market,
    write_candles,
)

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "ts,open,high,low,close,volume\n"


def bar(
    open_time: int = 0, price: float = 100.0, high: float | None = None, low: float | None = None
) -> Candle:
    return Candle(open_time, open_time + 60_000, price, high or price, low or price, price, 1.0)


def test_the_timeframe_is_the_most_common_step(tmp_path: Path) -> None:
    path = tmp_path / "eth_btc_5m.csv"
    write_candles(path, [bar(step * 300_000) for step in (0, 1, 2, 5, 6)])
    market = read_candles(path)
    assert (market.timeframe, market.step, market.symbol) == ("5m", 300_000, "ETH/BTC")
    assert [candle.close_time for candle in market.candles][:2] == [300_000, 600_000]


@pytest.mark.parametrize(
    ("prices", "tick"),
    [([42389.0, 42390.5], "0.1"), ([0.09946999000000001, 0.0994766], "1E-8"), ([42389.0, 42390.0], "1")],
)
def test_the_tick_size_is_the_finest_step_seen_without_float_noise(
    tmp_path: Path, prices: list[float], tick: str
) -> None:
    path = tmp_path / "x.csv"
    write_candles(path, [bar(number * 60_000, price) for number, price in enumerate(prices)])
    assert read_candles(path).tick_size == Decimal(tick)


def test_a_written_market_reads_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "synthetic.csv"
    market = synthetic_market(200, seed=3)
    write_candles(path, market.candles)
    again = read_candles(path)
    assert list(again.candles) == list(market.candles)
    assert again.closures == market.closures


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ts,open,high,low,close\n", "x.csv:1: missing column(s) volume"),
        (HEADER + "0,1,1,1,1,1\n60000,1,one,1,1,1\n", "x.csv:3: could not convert string to float: 'one'"),
        (HEADER + "60000,1,1,1,1,1\n0,1,1,1,1,1\n", "x.csv:3: ts 0 is not after 60000"),
        (HEADER + "0,1,1,1,1,1\n60000,1\n", "x.csv:3:"),
        (HEADER + "0,1,1,1,1,1\n", "x.csv: 1 candle(s)"),
    ],
)
def test_an_unreadable_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CandleFileError) as caught:
        read_candles(path)
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CandleFileError, match=r"nowhere\.csv: No such file"):
        read_candles(tmp_path / "nowhere.csv")


def test_the_same_seed_makes_the_same_market_and_another_one_does_not() -> None:
    assert synthetic_market(300, seed=1) == synthetic_market(300, seed=1)
    assert synthetic_market(300, seed=1).candles != synthetic_market(300, seed=2).candles


def test_the_synthetic_market_has_clusters_gaps_and_bad_ticks() -> None:
    market = synthetic_market(3000, seed=7)
    assert len(market.candles) == 3000
    steps = [after.open_time - before.open_time for before, after in pairwise(market.candles)]
    assert any(step > market.step for step in steps)
    assert market.closures
    closes = [candle.close for candle in market.candles]
    assert any(is_bad_tick(candle, last) for last, candle in zip(closes, market.candles[1:], strict=False))
    # In clusters: a large move is more often followed by a large one than moves in general are large.
    moves = [abs(after / before - 1) for before, after in pairwise(closes)]
    large = sorted(moves)[len(moves) * 3 // 4]
    followed = [after > large for before, after in pairwise(moves) if before > large]
    assert sum(followed) / len(followed) > 0.3


@pytest.mark.parametrize(
    ("candle", "bad"),
    [
        (bar(), False),
        (bar(high=105.0, low=96.0), False),
        (bar(high=120.0), True),
        (bar(low=80.0), True),
        (bar(high=99.0), True),
        (bar(price=float("nan")), True),
        (bar(price=-1.0), True),
    ],
)
def test_a_bad_tick_is_a_bar_that_contradicts_itself_or_the_bar_before(candle: Candle, bad: bool) -> None:
    assert is_bad_tick(candle, 100.0) is bad


def test_a_real_crash_is_not_a_bad_tick() -> None:
    assert not is_bad_tick(Candle(0, 60_000, 100.0, 100.0, 75.0, 76.0, 1.0), 100.0)
