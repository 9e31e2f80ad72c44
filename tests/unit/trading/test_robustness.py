"""Wrong values, wrong order of calls, broken parts of the application: the bot goes on and what can be recorded is."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor

from support.captured import Captured
from ticktrace import current_candle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context

    from ticktrace import Telemetry
    from ticktrace.trading import Market

CLOSE = 1_700_000_040


class Unprintable(Exception):  # noqa: N818  it is nothing but unprintable
    def __str__(self) -> str:
        raise RuntimeError


WRONG: list[Any] = [
    Unprintable(),
    None,
    "text",
    b"bytes",
    float("nan"),
    Decimal("NaN"),
    10**400,
    [],
    {},
    object(),
]


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def btc(telemetry: Telemetry) -> Market:
    return telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
def test_no_wrong_value_reaches_the_bot(telemetry: Telemetry, wrong: Any) -> None:
    trading = telemetry.trading
    market = trading.market(venue=wrong, symbol=wrong, timeframe=wrong)
    market.disconnected(wrong)
    with market.candle(open_time=wrong, close_time=wrong) as candle:
        with candle.signal(wrong) as signal:
            signal.check(wrong, value=wrong, threshold=wrong, comparison=wrong, margin=wrong)
            signal.emit(wrong, confidence=wrong, price=wrong)
            signal.reject(wrong, wrong)
        with signal.order(
            side=wrong, type=wrong, quantity=wrong, expected_price=wrong, client_id=wrong
        ) as order:
            order.acknowledged(wrong)
            order.filled(price=wrong, quantity=wrong, fee=wrong, at=wrong)
            order.rejected(wrong, wrong)
    trading.fill(wrong, price=wrong, quantity=wrong)
    trading.order(wrong)
    trading.order_canceled(wrong)
    engine = trading.engine(states=[wrong], initial=wrong, transitions={"a": [wrong]})
    engine.transition(wrong, wrong)
    engine.positions_open(wrong)
    with trading.scanner(wrong).scan() as scan:
        scan.filtered(wrong, wrong)
    trading.performance.trade_closed(profit_loss=wrong, strategy=wrong, symbol=wrong)
    trading.performance.update(realized=wrong)
    trading.risk.check(wrong, True, value=wrong, limit=wrong)
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_span_processor_that_raises_costs_no_metrics(
    telemetry: Telemetry, captured: Captured, btc: Market
) -> None:
    class Broken(SpanProcessor):
        def on_start(self, span: Any, parent_context: Context | None = None) -> None:
            raise RuntimeError

    provider: Any = telemetry.tracer_provider
    provider.add_span_processor(Broken())
    with btc.candle(close_time=CLOSE) as candle, candle.signal("m") as signal:
        assert current_candle() is candle
        with signal.order(side="buy", quantity=1) as order:
            order.filled(price=1, quantity=1)
    assert captured.value("trading.candles.processed") == 1
    assert captured.value("trading.trades.executed") == 1


def test_a_market_clock_that_raises_costs_no_candle(
    telemetry: Telemetry, captured: Captured, btc: Market
) -> None:
    def broken() -> float:
        raise OSError

    telemetry.trading.use_clock(broken)
    with btc.candle(close_time=CLOSE):
        pass
    assert captured.value("trading.candles.processed") == 1
    assert captured.points("trading.candle.delay") == []


def test_an_unprintable_exception_is_recorded_as_far_as_it_goes(captured: Captured, btc: Market) -> None:
    def fail() -> None:
        with (
            btc.candle(close_time=CLOSE) as candle,
            candle.signal("m") as signal,
            signal.order(side="buy", quantity=1),
        ):
            raise Unprintable

    with pytest.raises(Unprintable):
        fail()
    assert captured.value("trading.candles.processed") == 1
    assert captured.value("trading.orders.rejected", trading__order__reject__reason="other") == 1
    assert captured.span("order buy").status.description == "order rejected: other"


def test_a_stage_that_is_entered_twice_is_one(
    captured: Captured, btc: Market, caplog: pytest.LogCaptureFixture
) -> None:
    candle = btc.candle(close_time=CLOSE)
    with candle, candle:
        pass
    with candle:
        pass
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert captured.value("trading.candles.processed") == 1
    assert "entered again" in caplog.text


def test_blocks_that_overlap_leave_nothing_current(captured: Captured, btc: Market) -> None:
    first, second = btc.candle(close_time=CLOSE), btc.candle(close_time=CLOSE + 60)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert trace.get_current_span() is second.span
    second.__exit__(None, None, None)
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert captured.value("trading.candles.processed") == 2


def test_one_bar_from_the_future_does_not_stop_time(captured: Captured, btc: Market) -> None:
    for minute in (0, 1, 100_000, 2, 3, 4, 5):
        with btc.candle(close_time=CLOSE + 60 * minute):
            pass
    assert captured.value("trading.candle.last_close.timestamp") == CLOSE + 300
    assert captured.value("trading.candle.gaps") == 1


def test_bars_sent_again_are_no_reason_to_turn_time_back(captured: Captured, btc: Market) -> None:
    for minute in (0, 1, 1, 1, 1, 0, 0, 0, 2):
        with btc.candle(close_time=CLOSE + 60 * minute):
            pass
    assert captured.value("trading.candle.last_close.timestamp") == CLOSE + 120
    assert captured.value("trading.candle.gaps") == 0


def test_thirds_of_an_order_fill_it(telemetry: Telemetry, captured: Captured, btc: Market) -> None:
    with (
        btc.candle() as candle,
        candle.signal("m") as signal,
        signal.order(side="buy", quantity=1.0) as order,
    ):
        for _ in range(3):
            order.filled(price=1, quantity=1 / 3)
    assert order.status == "filled"
    assert captured.value("trading.trades.executed") == 1


def test_an_order_by_cost_is_complete_when_the_venue_says_so(captured: Captured, btc: Market) -> None:
    with (
        btc.candle() as candle,
        candle.signal("m") as signal,
        signal.order(side="buy", quantity=None) as order,
    ):
        order.filled(price=1, quantity=2)
        order.filled(price=1, quantity=3, complete=True)
    assert order.status == "filled"
    assert order.filled_quantity == 5
    assert captured.value("trading.trades.executed") == 1


@pytest.mark.parametrize("wrong", [None, float("nan"), "much"])
def test_a_fill_with_an_unusable_price_still_counts(captured: Captured, btc: Market, wrong: Any) -> None:
    with (
        btc.candle() as candle,
        candle.signal("m") as signal,
        signal.order(side="buy", quantity=1, expected_price=1) as order,
    ):
        order.filled(price=wrong, quantity=1, at=wrong)
    assert captured.value("trading.order.fills") == 1
    assert captured.value("trading.trades.executed") == 1


def test_a_generator_cannot_be_decorated(telemetry: Telemetry, btc: Market) -> None:
    def bars() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="is a generator"):
        btc.on_candle(bars)
    with pytest.raises(TypeError, match="is a generator"):
        telemetry.trading.strategy("m")(bars)


async def test_an_object_with_a_coroutine_call_is_decorated_as_one(captured: Captured, btc: Market) -> None:
    class Handler:
        __name__ = "handler"

        async def __call__(self, close_time: int) -> bool:
            return current_candle() is not None

    assert await btc.on_candle(Handler())(close_time=CLOSE)
    assert captured.value("trading.candles.processed") == 1


def test_more_wei_than_64_bits_are_kept_as_text(captured: Captured, btc: Market) -> None:
    with btc.candle() as candle, candle.signal("m") as signal:
        signal.check("balance", value=20 * 10**18, threshold=1)
    (event,) = captured.span("signal m").events
    assert dict(event.attributes or {})["trading.filter.value"] == "20000000000000000000"
