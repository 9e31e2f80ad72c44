"""The whole bot: it decides the same every time, keeps straight books, and its telemetry says the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from breakout_bot.bot import Bot
from breakout_bot.exchange import Behaviour
from breakout_bot.market import Market, synthetic_market
from support.captured import Captured

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from ticktrace import Telemetry

BARS = 700


Run = Callable[..., Awaitable[Bot]]


@pytest.fixture
def off(start: Callable[..., Telemetry]) -> Run:
    """Runs a bot to its end with telemetry switched off; each one is an account of its own."""

    async def run(market: Market, **options: Any) -> Bot:
        with start(enabled=False) as telemetry:
            bot = Bot(market, telemetry, **options)
            await bot.run()
        return bot

    return run


async def test_the_same_seed_decides_the_same_at_any_speed(off: Run, telemetry: Telemetry) -> None:
    market = synthetic_market(BARS, seed=1)
    observed = Bot(market, telemetry, seed=5)
    await observed.run()
    telemetry.shutdown()
    first, paced = [(await off(market, seed=5, speed=speed)).ledger.as_dict() for speed in (None, 1e7)]
    assert first == paced == observed.ledger.as_dict()
    assert first["trades"]["closed"] > 0
    assert (await off(market, seed=6)).ledger.as_dict() != first


async def test_both_strategies_trade_and_the_books_add_up(off: Run) -> None:
    bot = await off(synthetic_market(3000, seed=7))
    books = bot.ledger
    assert books.candles == 3000
    assert {(strategy, kind) for strategy, kind in books.signals} >= {
        (strategy, kind) for strategy in ("momentum", "retest") for kind in ("long", "short")
    }
    assert books.wins > 0
    assert books.losses > 0
    assert len(books.orders_rejected) >= 2
    assert books.orders == books.orders_acknowledged + sum(books.orders_rejected.values())
    assert books.orders_acknowledged == books.orders_filled + books.orders_expired + books.orders_open
    assert books.fills > books.orders_filled  # some came in pieces
    flat = sum((trade.profit_loss for trade in books.trades), Decimal(0))
    assert books.realized == flat + sum((p.booked for p in bot.account.book.open.values()), Decimal(0))
    assert books.value == 10_000 + books.realized + books.unrealized
    assert books.counted("events_published") == books.counted("events_handled")
    assert books.counted("database_operations") == {"CREATE": 1, "INSERT": len(books.trades)}
    assert books.counted("reconciliations")[""] > 40
    assert books.mismatch == 0


@pytest.mark.parametrize("price", [42_000.0, 0.09, 0.0016])
async def test_the_price_scale_does_not_matter(off: Run, price: float) -> None:
    bot = await off(synthetic_market(1500, seed=2, price=price))
    assert bot.ledger.trades


async def test_a_market_without_volume_is_traded_without_it(off: Run) -> None:
    market = synthetic_market(1500, seed=2)
    candles = [
        type(c)(c.open_time, c.close_time, c.open, c.high, c.low, c.close, volume=0.0) for c in market.candles
    ]
    bot = await off(Market("index", "SP500", candles, market.step, market.tick_size))
    assert bot.ledger.candles == 1500
    assert bot.ledger.trades


async def test_a_stopped_bot_waits_and_goes_on(off: Run, telemetry: Telemetry) -> None:
    market = synthetic_market(400, seed=1)
    bot = Bot(market, telemetry)
    bot.stop()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bot.run())
        await asyncio.sleep(0.01)
        assert (bot.engine.state, bot.bars_done, bot.running) == ("idle", 0, False)
        bot.start()
    assert (bot.bars_done, bot.finished) == (400, True)
    telemetry.shutdown()
    books = bot.ledger.as_dict()
    # It has begun and stopped once more than one that runs through; all else is the same.
    through = (await off(market)).ledger.as_dict()
    for counts in (books["counts"], through["counts"]):
        counts["transitions"] = {
            step: number for step, number in counts["transitions"].items() if "idle" not in step
        }
    assert books == through


async def test_a_fill_that_overtakes_its_acknowledgement_is_booked(telemetry: Telemetry) -> None:
    """With a round trip of seconds, market orders are filled before the exchange's answer arrives."""
    slow = Behaviour(latency=20.0, latency_spread=0.0, requests=100)
    bot = Bot(synthetic_market(BARS, seed=1), telemetry, behaviour=slow)
    await bot.run()
    assert bot.ledger.trades
    assert min(bot.latencies.fill) < 0
    assert Captured(telemetry).value("trading.trades.executed") == bot.ledger.orders_filled


async def test_every_filled_order_is_traced_from_candle_to_fill(telemetry: Telemetry) -> None:
    bot = Bot(synthetic_market(BARS, seed=1), telemetry)
    await bot.run()
    spans = telemetry.memory.spans
    by_id = {span.context.span_id: span for span in spans if span.context is not None}

    def parent(span: ReadableSpan) -> ReadableSpan:
        assert span.parent is not None
        assert span.context is not None
        assert span.parent.trace_id == span.context.trace_id
        return by_id[span.parent.span_id]

    fills = [span for span in spans if span.name == "fill"]
    assert len(fills) == bot.ledger.fills > 0
    filled: Counter[int] = Counter()
    for fill in fills:
        assert fill.parent is None  # it comes from the exchange, in a trace of its own
        (link,) = fill.links
        order = by_id[link.context.span_id]
        assert order.name in {"order buy", "order sell"}
        signal = parent(order)
        assert signal.name in {"signal momentum", "signal retest"}
        candle = parent(signal)
        assert candle.name == "candle 1m"
        assert candle.parent is None
        if (fill.attributes or {})["trading.order.status"] == "filled":
            filled[link.context.span_id] += 1
    assert set(filled.values()) == {1}
    assert len(filled) == bot.ledger.orders_filled
