"""Telemetry says what the bot's own books say, figure by figure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from breakout_bot.bot import Bot
from breakout_bot.exchange import Behaviour
from breakout_bot.market import synthetic_market
from breakout_bot.risk import Limits
from support.bot_figures import figures
from support.captured import Captured

if TYPE_CHECKING:
    from ticktrace import Telemetry

BARS = 900

# A plain day; one on which the exchange wants to be left alone; one on which much is lost; one whose trades are counted.
DAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "hurried": {"behaviour": Behaviour(requests=1, request_window=240.0)},
    "unreliable": {"behaviour": Behaviour(lost_requests=0.4, partial_fills=0.9)},
    "counted": {"limits": Limits(day_trades=4)},
}
HAPPENS = {
    "plain": {"trading.trade.profit_loss", "trading.provider.api.errors", "trading.cache.evictions"},
    "hurried": {"trading.provider.rate_limit.hits", "trading.provider.rate_limit.wait"},
    "unreliable": {"trading.critical_errors", "trading.provider.api.retries"},
    "counted": {"trading.pdt.avoided", "trading.risk.limit.hits"},
}

# By the tests here that ask for single figures.
HELD_HERE = {
    "trading.average_loss",
    "trading.average_win",
    "trading.best_trade",
    "trading.cache.hit_rate",
    "trading.cache.size",
    "trading.candle.last_close.timestamp",
    "trading.engine.state",
    "trading.loss_streak",
    "trading.profit_factor",
    "trading.provider.available",
    "trading.provider.data.freshness",
    "trading.provider.rate_limit.used_ratio",
    "trading.strategy.active",
    "trading.strategy.profit_loss",
    "trading.win_streak",
    "trading.worst_trade",
}

# What the bot records and no test of it holds against its books: the tests of those instruments do.
NOT_IN_THE_BOOKS = {
    "trading.decision.duration",
    "trading.engine.cycles.without_signal",
    "trading.engine.heartbeat.timestamp",
    "trading.engine.signals.active",
    "trading.engine.uptime",
    "trading.order.reject.ratio",
    "trading.pnl.daily",
    "trading.pnl.monthly",
    "trading.provider.availability",
    "trading.provider.cache.hit_rate",
    "trading.recovery.duration",
    "trading.sentiment.provider.weight",
    "trading.sharpe_ratio",
    "trading.slippage.amount",
    "trading.strategy.signals.per_hour",
    "trading.stream.last_message.timestamp",
    "trading.trades.per_day",
    "trading.trades.per_hour",
}


@pytest.mark.parametrize("day", DAYS)
async def test_every_figure_is_the_one_in_the_books(telemetry: Telemetry, day: str) -> None:
    bot = Bot(synthetic_market(BARS, seed=1), telemetry, **DAYS[day])
    await bot.run()
    captured = Captured(telemetry)
    told = list(figures(bot.ledger.as_dict()))
    problems = [problem for figure in told if (problem := figure.problem(figure.captured(captured)))]
    assert problems == []
    assert {figure.name for figure in told if figure.expected} >= HAPPENS[day]
    # Nothing was lost but log records of errors, of which there are a few of each kind a minute.
    not_logged = captured.value("ticktrace.dropped", ticktrace__buffer__name="errors")
    assert captured.value("ticktrace.dropped") == not_logged


async def test_a_wrong_figure_would_be_found(telemetry: Telemetry) -> None:
    bot = Bot(synthetic_market(200, seed=1), telemetry)
    await bot.run()
    captured = Captured(telemetry)
    bot.ledger.candles += 1
    bot.ledger.count("errors", "feed", "NoSuchError")
    wrong = {
        figure.name
        for figure in figures(bot.ledger.as_dict())
        if figure.problem(figure.captured(captured)) is not None
    }
    assert wrong >= {"trading.candles.processed", "trading.errors", "trading.exceptions"}
    assert not any(name.startswith("trading.order") for name in wrong)


async def test_the_figures_of_all_trades_are_those_of_the_books(telemetry: Telemetry) -> None:
    bot = Bot(synthetic_market(BARS, seed=1), telemetry)
    await bot.run()
    results = [trade.profit_loss for trade in bot.ledger.trades]
    won, lost = [r for r in results if r > 0], [r for r in results if r < 0]
    assert won
    assert lost
    streak = next(
        (n for n, r in enumerate(reversed(results)) if (r > 0) is not (results[-1] > 0)), len(results)
    )
    expected = {
        "trading.average_win": sum(won) / len(won),
        "trading.average_loss": sum(lost) / len(lost),
        "trading.profit_factor": sum(won) / -sum(lost),
        "trading.best_trade": max(results),
        "trading.worst_trade": min(results),
        "trading.win_streak": streak if results[-1] > 0 else 0,
        "trading.loss_streak": streak if results[-1] < 0 else 0,
    }
    captured = Captured(telemetry)
    for name, value in expected.items():
        (point,) = [p for p in captured.points(name) if "trading.strategy.name" not in p.attributes]
        assert point.value == pytest.approx(float(value), rel=1e-12), name
    for strategy in ("momentum", "retest"):
        booked = sum((t.profit_loss for t in bot.ledger.trades if t.strategy == strategy), Decimal(0))
        assert bot.ledger.positions_open == 0
        told = captured.value("trading.strategy.profit_loss", trading__strategy__name=strategy)
        assert told == pytest.approx(float(booked), rel=1e-12)


async def test_gauges_tell_how_things_stand_at_the_end(telemetry: Telemetry) -> None:
    bot = Bot(synthetic_market(BARS, seed=1), telemetry)
    await bot.run()
    captured = Captured(telemetry)
    last = bot.market.candles[-1]
    assert captured.value("trading.candle.last_close.timestamp") == last.closed_at
    assert captured.value("trading.engine.state", trading__engine__state="idle") == 1
    assert captured.value("trading.engine.state") == 1
    assert len(captured.points("trading.engine.state")) == 4
    assert [point.value for point in captured.points("trading.strategy.active")] == [0, 0]
    assert captured.value("trading.provider.data.freshness") == bot.clock.now() - last.closed_at
    assert captured.value("trading.provider.available", trading__provider__name="paper") == 1
    headers = (
        bot.exchange.last_response_headers
    )  # of the last order; the look at the position after it read them, too
    used = 1 - int(headers["X-RateLimit-Remaining"]) / int(headers["X-RateLimit-Limit"])
    assert captured.value("trading.provider.rate_limit.used_ratio") == used
    lookups = bot.ledger.counted("cache_lookups")
    rate = lookups["hit"] / (lookups["hit"] + lookups["miss"])
    assert captured.value("trading.cache.hit_rate") == pytest.approx(rate)
    assert captured.value("trading.cache.size") == min(6, lookups["miss"])


async def test_what_is_not_held_against_the_books_is_written_down(telemetry: Telemetry) -> None:
    bot = Bot(synthetic_market(BARS, seed=1), telemetry)
    await bot.run()
    data = telemetry.memory.metrics
    assert data is not None
    recorded = {
        metric.name
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        # What other tests of the process have instrumented lives on in scopes of its own.
        if scope.scope.name == "ticktrace.trading"
        for metric in scope.metrics
        if not metric.name.startswith("ticktrace.")
    }
    held = {figure.name for figure in figures(bot.ledger.as_dict())} | HELD_HERE
    assert (
        recorded - held - {"trading.event_bus.handlers.slow"} == NOT_IN_THE_BOOKS
    )  # a busy machine has some
