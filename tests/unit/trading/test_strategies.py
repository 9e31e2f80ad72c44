"""Strategies: how long they think, how often they speak, which are in use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from support.captured import Captured
from ticktrace import current_signal
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ticktrace import Telemetry

START = 1_700_000_040.0


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture(autouse=True)
def nothing_breaks_inside() -> Iterator[None]:
    before = internal_errors()
    yield
    assert internal_errors() == before


class MarketClock:
    """Time that passes when the test says so."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.now = START
        telemetry.trading.use_clock(lambda: self.now)


def per_hour(captured: Captured, strategy: str = "momentum") -> float:
    (point,) = [
        point
        for point in captured.points("trading.strategy.signals.per_hour")
        if point.attributes["trading.strategy.name"] == strategy
    ]
    value: float = point.value
    return value


def test_an_evaluation_is_timed_and_counted(telemetry: Telemetry, captured: Captured) -> None:
    momentum = telemetry.trading.strategy("momentum")
    with momentum.evaluation(symbol="BTC/USDT", timeframe="1m"):
        pass
    labels = {
        "trading__strategy__name": "momentum",
        "trading__symbol": "BTC/USDT",
        "trading__timeframe": "1m",
    }
    assert captured.count("trading.strategy.evaluation.duration", **labels) == 1
    assert captured.value("trading.strategy.evaluations", **labels) == 1
    assert captured.spans == ()


async def test_an_evaluation_that_fails_says_how(telemetry: Telemetry, captured: Captured) -> None:
    async def fail() -> None:
        async with telemetry.trading.strategy("momentum").evaluation():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert captured.value("trading.strategy.evaluations", error__type="ZeroDivisionError") == 1


def test_a_strategy_is_in_use_from_its_first_evaluation(telemetry: Telemetry, captured: Captured) -> None:
    momentum, retest = telemetry.trading.strategy("momentum"), telemetry.trading.strategy("retest")
    before = momentum.active
    with momentum.evaluation():
        pass
    assert (before, momentum.active) == (False, True)
    assert captured.value("trading.strategy.active", trading__strategy__name="momentum") == 1
    retest.deactivate()
    with retest.evaluation():
        pass
    assert not retest.active, "the bot has said so"
    assert captured.value("trading.strategy.active", trading__strategy__name="retest") == 0
    retest.activate()
    assert captured.value("trading.strategy.active") == 2


def test_signals_per_hour_are_those_of_the_last_hour(telemetry: Telemetry, captured: Captured) -> None:
    clock = MarketClock(telemetry)
    momentum = telemetry.trading.strategy("momentum")
    for _ in range(3):
        with momentum.evaluation() as evaluation:
            evaluation.emit()
    clock.now += 1_800
    momentum.emitted(2)
    assert per_hour(captured) == 5
    clock.now += 1_800
    assert per_hour(captured) == 2, "time passes also for a strategy that fell silent"
    clock.now += 36_000
    assert per_hour(captured) == 0


def test_a_strategy_that_has_said_nothing_has_the_rate_0(telemetry: Telemetry, captured: Captured) -> None:
    with telemetry.trading.strategy("momentum").evaluation():
        pass
    assert per_hour(captured) == 0


def test_a_replay_that_begins_again_counts_afresh(telemetry: Telemetry, captured: Captured) -> None:
    clock = MarketClock(telemetry)
    momentum = telemetry.trading.strategy("momentum")
    momentum.emitted(4)
    clock.now -= 86_400
    momentum.emitted(1)
    assert per_hour(captured) == 1


async def test_a_decorated_strategy_is_evaluated_by_each_call(
    telemetry: Telemetry, captured: Captured
) -> None:
    @telemetry.trading.strategy("momentum")
    def momentum(value: float) -> float:
        signal = current_signal()
        if signal is not None and signal.check("volume", value=value, threshold=20):
            signal.emit("long")
        return value

    @telemetry.trading.strategy("retest")
    async def retest() -> bool:
        return current_signal() is not None

    market = telemetry.trading.market(venue="x", symbol="BTC", timeframe="1m")
    with market.candle(close_time=START):
        assert momentum(25) == 25
        assert momentum(5) == 5
        assert await retest()
    assert momentum(30) == 30, "outside a candle it simply runs"
    assert not await retest()
    labels = {"trading__strategy__name": "momentum", "trading__symbol": "BTC", "trading__timeframe": "1m"}
    assert captured.value("trading.strategy.evaluations", **labels) == 2
    assert captured.value("trading.strategy.evaluations", trading__strategy__name="momentum") == 3
    assert captured.value("trading.strategy.evaluations", trading__strategy__name="retest") == 2
    assert captured.count("trading.signal.generation.duration", trading__strategy__name="momentum") == 2
    assert per_hour(captured) == 1


async def test_a_signal_of_a_strategy_is_one_of_its_evaluations(
    telemetry: Telemetry, captured: Captured
) -> None:
    market = telemetry.trading.market(venue="x", symbol="BTC", timeframe="1m")
    momentum = telemetry.trading.strategy("momentum")
    with market.candle(close_time=START) as candle:
        with momentum.signal(candle) as signal:
            signal.emit("long", confidence=0.9)
        async with momentum.signal(candle) as quiet:
            assert not quiet.emitted
    assert captured.value("trading.strategy.evaluations", trading__symbol="BTC") == 2
    assert captured.count("trading.signal.generation.duration") == 2
    assert per_hour(captured) == 1
    assert [span.name for span in captured.named("signal momentum")] == ["signal momentum"] * 2


def test_an_evaluation_that_the_bot_timed_itself(telemetry: Telemetry, captured: Captured) -> None:
    telemetry.trading.strategy("momentum").evaluated(0.25, symbol="BTC", signals=2, failed="ValueError")
    assert captured.sum("trading.strategy.evaluation.duration", error__type="ValueError") == 0.25
    assert per_hour(captured) == 2


def test_ten_thousand_strategies_and_symbols_make_bounded_series(
    telemetry: Telemetry, captured: Captured
) -> None:
    for number in range(10_000):
        strategy = telemetry.trading.strategy(f"grid-{number}")
        with strategy.evaluation(symbol=f"COIN{number % 300}") as evaluation:
            evaluation.emit()
    assert strategy.name == "grid-9999"
    for name in ("active", "signals.per_hour"):
        assert len(captured.points(f"trading.strategy.{name}")) == 201  # two hundred, and other
    assert per_hour(captured, "other") == 9_800
    assert captured.value("trading.strategy.evaluations") == 10_000
    assert len(captured.points("trading.strategy.evaluations")) <= 301


def test_four_threads_lose_no_signal(telemetry: Telemetry, captured: Captured) -> None:
    MarketClock(telemetry)
    momentum = telemetry.trading.strategy("momentum")

    def evaluate() -> None:
        for _ in range(250):
            with momentum.evaluation() as evaluation:
                evaluation.emit()

    threads = [threading.Thread(target=evaluate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert per_hour(captured) == 1_000
    assert captured.value("trading.strategy.evaluations") == 1_000


def test_a_decorated_strategy_runs_while_telemetry_is_off(start: Callable[..., Telemetry]) -> None:
    trading = start(enabled=False).trading

    @trading.strategy("momentum")
    def momentum() -> int:
        return 3

    assert momentum() == 3
    with trading.strategy("momentum").evaluation() as evaluation:
        evaluation.emit()
    assert trading.strategy("momentum").active
