"""Feed, sentiment, trade store: what the bot depends on, what goes wrong there, and what is told of it."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from breakout_bot.bot import Bot
from breakout_bot.feed import TRIES, Archive, Feed
from breakout_bot.ledger import Ledger
from breakout_bot.market import synthetic_market
from breakout_bot.positions import Trade
from breakout_bot.sentiment import HOUR, KEPT, SentimentDesk
from breakout_bot.store import TradeStore
from support.captured import Captured

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from breakout_bot.market import Candle, Market
    from ticktrace import Telemetry

MARKET = synthetic_market(700, seed=1)


@pytest.fixture
def off(start: Callable[..., Telemetry]) -> Telemetry:
    """Telemetry that is switched off."""
    return start(enabled=False)


# --- feed ----------------------------------------------------------------------------------------------------------------


async def all_candles(feed: Feed, market: Market) -> list[Candle]:
    candles: list[Candle] = []
    since = market.candles[0].open_time
    while page := await feed.page(since):
        candles += page
        since = page[-1].open_time + 1
    return candles


async def test_the_feed_gives_every_candle_once_although_requests_are_lost(
    monkeypatch: pytest.MonkeyPatch, telemetry: Telemetry
) -> None:
    monkeypatch.setattr("breakout_bot.feed.PAGE", 10)
    ledger = Ledger()
    feed = Feed(MARKET, telemetry, ledger, seed=7)
    assert await all_candles(feed, MARKET) == list(MARKET.candles)
    lost = ledger.counted("provider_errors")["archive fetch_ohlcv TimeoutError"]
    assert lost > 0
    assert ledger.counted("provider_calls") == {"archive fetch_ohlcv": 71 + lost}
    captured = Captured(telemetry)
    assert captured.value("trading.provider.api.calls") == 71 + lost
    assert captured.value("trading.provider.api.errors", error__type="TimeoutError") == lost
    assert captured.value("trading.provider.api.retries") == lost
    assert captured.value("trading.stream.disconnects", trading__stream__disconnect__reason="timeout") == lost
    assert captured.value("trading.errors", trading__component="feed") == lost


async def test_bars_that_are_closer_together_than_usual_are_not_left_out(off: Telemetry) -> None:
    odd = MARKET.candles[1].open_time - 30_000
    candles = sorted(
        (*MARKET.candles[:5], dataclasses.replace(MARKET.candles[1], open_time=odd)),
        key=lambda candle: candle.open_time,
    )
    market = dataclasses.replace(MARKET, candles=candles)
    assert await all_candles(Feed(market, off, Ledger(), seed=1), market) == candles


async def test_a_feed_that_stays_silent_ends_the_bot(monkeypatch: pytest.MonkeyPatch, off: Telemetry) -> None:
    async def silent(*_: object) -> None:
        raise TimeoutError("the archive has not answered")

    monkeypatch.setattr(Archive, "fetch_ohlcv", silent)
    bot = Bot(MARKET, off)
    with pytest.raises(ExceptionGroup) as raised:
        await bot.run()
    assert raised.group_contains(TimeoutError)
    assert bot.ledger.counted("provider_calls") == {"archive fetch_ohlcv": TRIES}
    assert bot.finished


# --- sentiment -----------------------------------------------------------------------------------------------------------


def test_sentiment_is_asked_once_an_hour_and_the_oldest_hours_are_forgotten(telemetry: Telemetry) -> None:
    ledger = Ledger()
    desk = SentimentDesk("BTC/USDT", telemetry, ledger, seed=7, outages=0.0)
    scores = [desk.score(hour * HOUR + second) for hour in range(10) for second in (0, 1800, 3599)]
    assert all(-1 <= score <= 1 for score in scores)
    assert len(set(scores)) == 10
    assert desk.score(0.0) == scores[0]  # forgotten, and calculated again
    assert ledger.counted("cache_lookups") == {"hit": 20, "miss": 11}
    assert ledger.counted("cache_evictions") == {"": 11 - KEPT}
    captured = Captured(telemetry)
    assert captured.value("trading.cache.lookups", trading__cache__result="hit") == 20
    assert captured.value("trading.cache.evictions") == 11 - KEPT
    assert captured.count("trading.sentiment.score", trading__provider__name="aggregate") == 11
    assert captured.sum("trading.sentiment.score", trading__provider__name="aggregate") == pytest.approx(
        sum(scores[::3]) + scores[0]
    )
    assert captured.value("trading.sentiment.provider.weight", trading__provider__name="news") == 0.6
    assert captured.value("trading.provider.cache.hit_rate") == pytest.approx(20 / 31)


@pytest.mark.parametrize(("outages", "score"), [(0.0, False), (1.0, True)])
def test_sentiment_is_neutral_where_no_source_answers(
    telemetry: Telemetry, outages: float, score: bool
) -> None:
    ledger = Ledger()
    desk = SentimentDesk("BTC/USDT", telemetry, ledger, seed=7, outages=outages)
    assert (desk.score(0.0) == 0.0) is score
    failed = 2 if outages else 0
    captured = Captured(telemetry)
    assert captured.value("trading.provider.api.errors", error__type="ConnectionError") == failed
    assert captured.value("trading.errors", trading__component="sentiment") == failed
    assert ledger.counted("errors") == ({"sentiment ConnectionError": 2} if failed else {})


# --- trade store ---------------------------------------------------------------------------------------------------------


def a_trade(number: int) -> Trade:
    return Trade(
        "momentum",
        "long",
        Decimal("0.3"),
        Decimal("42000.10"),
        Decimal("42010.30"),
        Decimal("3.06") + number,
        Decimal("0.01"),
        1000.0,
        1060.5 + number,
        "target",
    )


def test_trades_outlive_the_bot_digit_for_digit(telemetry: Telemetry, tmp_path: Path) -> None:
    file = tmp_path / "trades.db"
    ledger = Ledger()
    store = TradeStore(file, telemetry.trading, ledger)
    for number in range(3):
        store.add(a_trade(number))
    again = TradeStore(file, telemetry.trading, ledger)
    assert [trade["profit_loss"] for trade in again.trades()] == ["3.06", "4.06", "5.06"]
    (last,) = again.trades(last=1)
    assert last == {
        "strategy": "momentum",
        "direction": "long",
        "quantity": "0.3",
        "entry_price": "42000.10",
        "exit_price": "42010.30",
        "profit_loss": "5.06",
        "opened_at": 1000.0,
        "closed_at": 1062.5,
        "reason": "target",
    }
    assert ledger.counted("database_operations") == {"CREATE": 2, "INSERT": 3, "SELECT": 2}
    captured = Captured(telemetry)
    for operation, number in ledger.counted("database_operations").items():
        labels = {
            "db__operation__name": operation,
            "db__system__name": "sqlite",
            "db__namespace": "trades.db",
        }
        assert captured.count("db.client.operation.duration", **labels) == number
        assert len(captured.named(f"{operation} trades.db")) == number
