"""The tracking decorators: labels from arguments, every kind of function, and errors where they are declared."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace.compat import track_call_count, track_duration, track_duration_context, track_metric
from ticktrace.engine import internal_errors
from ticktrace.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from ticktrace import Telemetry

EVALUATION = "trading.strategy.evaluation.duration"
EVALUATIONS = "trading.strategy.evaluations"


@pytest.fixture(autouse=True)
def nothing_is_contained() -> Iterator[None]:
    before = internal_errors()
    yield
    assert internal_errors() == before


@dataclass
class Order:
    symbol: str
    side: str = "buy"


def test_the_seeds_example_works_as_it_stands(telemetry: Telemetry) -> None:
    @track_duration("strategy_evaluation_duration_seconds", labels=["strategy"])
    @track_call_count("strategy_evaluations_total", labels=["strategy"])
    def evaluate_strategy(strategy: str, symbol: str) -> str:
        return f"{strategy} {symbol}"

    assert evaluate_strategy("sma", "AAPL") == "sma AAPL"
    assert evaluate_strategy(symbol="AAPL", strategy="ema") == "ema AAPL"
    captured = Captured(telemetry)
    for strategy in ("sma", "ema"):
        assert captured.count(EVALUATION, trading__strategy__name=strategy) == 1
        assert captured.value(EVALUATIONS, trading__strategy__name=strategy) == 1


def test_labels_come_from_positions_keywords_defaults_and_attributes(telemetry: Telemetry) -> None:
    class Desk:
        @track_call_count("trades_executed_total", labels=["order.symbol", "order.side", "strategy"])
        def execute(self, order: Order, *notes: str, strategy: str = "sma") -> int:
            return len(notes)

    desk = Desk()
    assert desk.execute(Order("BTC"), "a", "b") == 2
    desk.execute(order=Order("ETH", "sell"), strategy="ema")
    found = {
        (
            point.attributes["trading.symbol"],
            point.attributes["trading.order.side"],
            point.attributes["trading.strategy.name"],
        )
        for point in Captured(telemetry).points("trading.trades.executed")
    }
    assert found == {("BTC", "buy", "sma"), ("ETH", "sell", "ema")}


def test_labels_may_be_constants_and_functions_of_the_call(telemetry: Telemetry) -> None:
    @track_call_count(
        "trades_executed_total", labels={"strategy": "sma", "symbol": lambda order, **_: order.symbol}
    )
    def execute(order: Order, *, dry: bool = False) -> bool:
        return dry

    assert execute(Order("BTC"), dry=True)
    assert (
        Captured(telemetry).value(
            "trading.trades.executed", trading__strategy__name="sma", trading__symbol="BTC"
        )
        == 1
    )


def test_a_label_that_cannot_be_had_is_left_out_and_the_call_goes_on(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    @track_call_count("trades_executed_total", labels=["order.symbol"])
    def execute(order: Any) -> str:
        return "done"

    assert execute(3) == "done"
    assert execute(None) == "done"
    assert execute(order=Order("BTC")) == "done"
    captured = Captured(telemetry)
    assert captured.value("trading.trades.executed") == 3
    assert captured.value("trading.trades.executed", trading__symbol="BTC") == 1
    assert "could not be taken from the arguments" in caplog.text


def test_a_call_that_does_not_fit_raises_what_it_did(telemetry: Telemetry) -> None:
    @track_duration("strategy_evaluation_duration_seconds", labels=["strategy"])
    def evaluate(strategy: str) -> None:
        """Nothing."""

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'strategy'"):
        evaluate()  # type: ignore[call-arg]
    assert Captured(telemetry).count(EVALUATION, error__type="TypeError") == 1


def test_errors_are_the_error_type_where_the_instrument_has_it(telemetry: Telemetry) -> None:
    @track_duration("strategy_evaluation_duration_seconds")
    @track_call_count("strategy_evaluations_total")
    @track_call_count("signals_generated_total")
    def evaluate() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        evaluate()
    captured = Captured(telemetry)
    assert captured.count(EVALUATION, error__type="KeyError") == 1
    assert captured.value(EVALUATIONS, error__type="KeyError") == 1
    assert captured.value("trading.signals.generated") == 1


async def test_coroutines_and_generators_are_tracked_until_they_end(telemetry: Telemetry) -> None:
    @track_duration("strategy_evaluation_duration_seconds", labels=["strategy"])
    async def evaluate(strategy: str) -> str:
        await asyncio.sleep(0)
        return strategy

    @track_call_count("strategy_evaluations_total", labels=["strategy"])
    async def stream(strategy: str) -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    captured = Captured(telemetry)
    assert await evaluate("sma") == "sma"
    steps = stream("sma")
    assert await anext(steps) == 1
    assert captured.points(EVALUATIONS) == []
    assert [step async for step in steps] == [2]
    assert captured.count(EVALUATION, trading__strategy__name="sma") == 1
    assert captured.value(EVALUATIONS, trading__strategy__name="sma") == 1


async def test_durations_are_also_taken_of_blocks(telemetry: Telemetry) -> None:
    context = track_duration_context("trade_execution_duration_seconds", labels={"strategy": "sma"})
    with context, context:
        pass
    with track_duration("trade_execution_duration_seconds", labels={"strategy": "sma"}):
        pass
    async with track_duration("trade_execution_duration_seconds", {"strategy": "sma"}):
        pass
    captured = Captured(telemetry)
    assert captured.count("trading.trade.execution.duration", trading__strategy__name="sma") == 4


def test_track_metric_records_what_is_returned(telemetry: Telemetry) -> None:
    @track_metric("portfolio_value")
    def value(cash: float) -> float:
        return cash + 1

    @track_metric("signal_confidence", labels=["strategy"], value=lambda signal: signal["confidence"])
    def signal(strategy: str) -> dict[str, float]:
        return {"confidence": 0.75}

    @track_metric("signals_generated_total", value=len)
    async def scan(symbols: str) -> list[str]:
        return list(symbols)

    @track_metric("trades_executed_total")
    def trade() -> None:
        """Counts calls."""

    assert value(99) == 100
    assert signal("sma") == {"confidence": 0.75}
    assert asyncio.run(scan("abc")) == ["a", "b", "c"]
    trade()
    captured = Captured(telemetry)
    assert captured.value("trading.portfolio.value") == 100
    assert captured.sum("trading.signal.confidence", trading__strategy__name="sma") == 0.75
    assert captured.value("trading.signals.generated") == 3
    assert captured.value("trading.trades.executed") == 1


def test_track_metric_records_nothing_of_nothing(telemetry: Telemetry) -> None:
    @track_metric("portfolio_value")
    def value(known: bool) -> float | None:
        if known:
            raise LookupError
        return None

    assert value(False) is None
    with pytest.raises(LookupError):
        value(True)
    assert Captured(telemetry).points("trading.portfolio.value") == []


def test_track_metric_refuses_generators() -> None:
    def prices() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="is a generator"):
        track_metric("portfolio_value")(prices)


def test_wrong_labels_are_errors_where_they_are_declared() -> None:
    def evaluate(strategy: str) -> None:
        """Nothing."""

    with pytest.raises(CatalogError, match=r"has no label 'order_id'; it has trading\.symbol"):
        track_duration_context("strategy_evaluation_duration_seconds", labels={"order_id": "1"})
    with pytest.raises(CatalogError, match="has no label 'wibble'"):
        track_call_count("strategy_evaluations_total", labels=["wibble"])(evaluate)
    with pytest.raises(TypeError, match="evaluate has no parameter 'symbol'; it has strategy"):
        track_call_count("strategy_evaluations_total", labels=["symbol"])(evaluate)


def test_static_and_class_methods_are_tracked(telemetry: Telemetry) -> None:
    class Desk:
        @track_call_count("strategy_evaluations_total", labels=["strategy"])
        @staticmethod
        def static(strategy: str) -> str:
            return strategy

        @track_call_count("strategy_evaluations_total", labels=["strategy"])
        @classmethod
        def of_class(cls, strategy: str) -> str:
            return cls.__name__ + strategy

    assert (Desk.static("a"), Desk().of_class("b")) == ("a", "Deskb")
    captured = Captured(telemetry)
    assert captured.value(EVALUATIONS, trading__strategy__name="a") == 1
    assert captured.value(EVALUATIONS, trading__strategy__name="b") == 1
