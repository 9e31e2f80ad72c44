"""Candles: times, gaps, delays, freshness."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from support.captured import Captured
from ticktrace import current_candle

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry
    from ticktrace.trading import Market

CLOSE = 1_700_000_040


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def btc(telemetry: Telemetry) -> Market:
    return telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")


def test_a_candle_is_a_root_span_with_its_market(captured: Captured, btc: Market) -> None:
    with btc.candle(close_time=CLOSE) as candle:
        assert trace.get_current_span() is candle.span
        assert current_candle() is candle
    assert current_candle() is None
    span = captured.span("candle 1m")
    assert span.parent is None
    assert dict(span.attributes or {}) == {
        "trading.engine.mode": "live",
        "trading.venue": "binance",
        "trading.symbol": "BTC/USDT",
        "trading.timeframe": "1m",
        "trading.candle.open_time": "2023-11-14T22:13:00+00:00",
        "trading.candle.close_time": "2023-11-14T22:14:00+00:00",
        "trading.event.time_unix_nano": CLOSE * 10**9,
    }


def test_a_candle_is_counted_and_timed_with_the_spans_own_duration(captured: Captured, btc: Market) -> None:
    with btc.candle(close_time=CLOSE):
        pass
    span = captured.span("candle 1m")
    assert captured.value("trading.candles.processed", trading__symbol="BTC/USDT") == 1
    seconds = ((span.end_time or 0) - (span.start_time or 0)) * 1e-9
    assert captured.sum("trading.candle.processing.duration") == pytest.approx(seconds, abs=1e-12)


def test_the_last_close_is_known(captured: Captured, btc: Market) -> None:
    for step in range(3):
        with btc.candle(close_time=CLOSE + 60 * step):
            pass
    assert captured.value("trading.candle.last_close.timestamp") == CLOSE + 120


@pytest.mark.parametrize(
    "time",
    [
        CLOSE,
        float(CLOSE),
        CLOSE * 10**3,
        CLOSE * 10**6,
        CLOSE * 10**9,
        datetime.fromtimestamp(CLOSE, UTC),
    ],
    ids=["s", "float s", "ms", "us", "ns", "datetime"],
)
def test_times_are_told_apart_by_magnitude(captured: Captured, btc: Market, time: Any) -> None:
    with btc.candle(close_time=time):
        pass
    assert captured.value("trading.candle.last_close.timestamp") == CLOSE


def test_the_close_follows_from_the_open(captured: Captured, btc: Market) -> None:
    with btc.candle(open_time=CLOSE - 60):
        pass
    assert captured.value("trading.candle.last_close.timestamp") == CLOSE


def test_a_gap_is_counted_once_however_many_bars_it_misses(captured: Captured, btc: Market) -> None:
    for minute in (0, 1, 5, 6, 8):
        with btc.candle(close_time=CLOSE + 60 * minute):
            pass
    assert captured.value("trading.candle.gaps") == 2
    missing = [
        dict(event.attributes or {})["trading.candle.gap_count"]
        for span in captured.named("candle 1m")
        for event in span.events
        if event.name == "trading.candle.gap"
    ]
    assert missing == [3, 1]


def test_a_bar_out_of_order_is_marked_and_moves_nothing(captured: Captured, btc: Market) -> None:
    for minute in (0, 1, 0, 2):
        with btc.candle(close_time=CLOSE + 60 * minute):
            pass
    assert captured.value("trading.candle.gaps") == 0
    marked = [[event.name for event in span.events] for span in captured.named("candle 1m")]
    assert marked == [[], [], ["trading.candle.out_of_order"], []]


def test_the_delay_is_measured_against_the_markets_own_clock(
    telemetry: Telemetry, captured: Captured, btc: Market
) -> None:
    telemetry.trading.use_clock(lambda: CLOSE + 1.5)
    with btc.candle(close_time=CLOSE):
        pass
    assert captured.sum("trading.candle.delay") == pytest.approx(1.5)


def test_a_backtest_measures_no_delay(start: Callable[..., Telemetry]) -> None:
    telemetry = start(mode="backtest")
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    with market.candle(close_time=CLOSE):
        pass
    assert Captured(telemetry).points("trading.candle.delay") == []


def test_an_error_in_the_block_marks_the_span_and_goes_on(captured: Captured, btc: Market) -> None:
    with pytest.raises(ZeroDivisionError), btc.candle(close_time=CLOSE):
        _ = 1 / 0
    span = captured.span("candle 1m")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ZeroDivisionError: division by zero"
    assert [event.name for event in span.events] == ["exception"]
    assert captured.value("trading.candles.processed") == 1


async def test_candles_of_concurrent_tasks_do_not_mix(telemetry: Telemetry, captured: Captured) -> None:
    async def one(symbol: str) -> None:
        market = telemetry.trading.market(venue="binance", symbol=symbol, timeframe="1m")
        async with market.candle(close_time=CLOSE) as candle:
            await asyncio.sleep(0)
            with candle.signal("momentum"):
                await asyncio.sleep(0)
                assert current_candle() is candle

    await asyncio.gather(*(one(symbol) for symbol in ("A", "B", "C")))
    candles = {span.context.span_id: span for span in captured.named("candle 1m")}
    for signal in captured.named("signal momentum"):
        assert signal.parent is not None
        parent = candles[signal.parent.span_id]
        assert (parent.attributes or {})["trading.symbol"] == (signal.attributes or {})["trading.symbol"]


async def test_the_decorator_makes_a_candle_of_each_call(captured: Captured, btc: Market) -> None:
    @btc.on_candle
    async def handle(bot: object, bar: SimpleNamespace) -> float:
        await asyncio.sleep(0)
        candle = current_candle()
        assert candle is not None
        return float(bar.close)

    @btc.on_candle(close_time="T")
    def handle_mapping(bar: dict[str, int]) -> str:
        return "done"

    assert await handle(object(), SimpleNamespace(close=5, open_time=CLOSE - 60)) == 5.0
    assert handle_mapping({"T": (CLOSE + 60) * 1000}) == "done"
    assert captured.value("trading.candles.processed") == 2
    assert captured.value("trading.candle.last_close.timestamp") == CLOSE + 60


def test_a_closed_generator_makes_no_noise(
    telemetry: Telemetry, btc: Market, caplog: pytest.LogCaptureFixture
) -> None:
    """An async generator that the loop closes leaves its block in another context (opentelemetry-python #2606)."""

    async def bars() -> Any:
        with btc.candle(close_time=CLOSE):
            yield 1

    async def abandon() -> None:
        async for _ in bars():
            break

    with caplog.at_level(logging.WARNING):
        asyncio.run(abandon())
    assert caplog.records == []
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_symbols_beyond_the_limit_share_one_series(start: Callable[..., Telemetry]) -> None:
    telemetry = start(trading={"max_symbols": 3})
    for number in range(10_000):
        market = telemetry.trading.market(venue="x", symbol=f"S{number}", timeframe="1m")
        market.message()
    points = Captured(telemetry).points("trading.stream.messages")
    assert {point.attributes["trading.symbol"]: point.value for point in points} == {
        "S0": 1,
        "S1": 1,
        "S2": 1,
        "other": 9_997,
    }


def test_an_allow_list_names_the_symbols_with_series(start: Callable[..., Telemetry]) -> None:
    telemetry = start(trading={"symbols": ["ETH"]})
    for symbol in ("BTC", "ETH"):
        with telemetry.trading.market(venue="x", symbol=symbol, timeframe="1m").candle(close_time=CLOSE):
            pass
    captured = Captured(telemetry)
    assert captured.value("trading.candles.processed", trading__symbol="ETH") == 1
    assert captured.value("trading.candles.processed", trading__symbol="other") == 1
    spans = captured.named("candle 1m")
    assert [(span.attributes or {})["trading.symbol"] for span in spans] == ["BTC", "ETH"]


def test_an_unreadable_timeframe_is_said_and_turns_gaps_off(
    telemetry: Telemetry, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="sometimes")
    for close in (CLOSE, CLOSE + 10_000):
        with market.candle(close_time=close):
            pass
    assert captured.value("trading.candle.gaps") == 0
    assert "timeframe 'sometimes' of Y" in caplog.text


@pytest.mark.parametrize(
    "time",
    [datetime(2024, 1, 1), "yesterday", float("nan"), object()],  # noqa: DTZ001  the mistake under test
    ids=["naive", "text", "nan", "object"],
)
def test_a_time_that_names_no_moment_is_left_out(captured: Captured, btc: Market, time: Any) -> None:
    with btc.candle(close_time=time):
        pass
    assert "trading.candle.close_time" not in (captured.span("candle 1m").attributes or {})
    assert captured.value("trading.candles.processed") == 1


async def test_bars_of_one_market_may_end_in_any_order(captured: Captured, btc: Market) -> None:
    first_may_end = asyncio.Event()

    async def first() -> None:
        async with btc.candle(close_time=CLOSE):
            await first_may_end.wait()

    async def second() -> None:
        async with btc.candle(close_time=CLOSE + 60):
            pass
        first_may_end.set()

    with btc.candle(close_time=CLOSE - 60):
        pass
    await asyncio.gather(first(), second())
    assert captured.value("trading.candle.gaps") == 0
    assert [span.events for span in captured.named("candle 1m")] == [(), (), ()]


def test_streams_tell_of_life_and_death(captured: Captured, btc: Market) -> None:
    btc.message()
    btc.message()
    btc.disconnected("stale")
    btc.disconnected("alien abduction")
    with btc.buffer_update():
        pass
    assert captured.value("trading.stream.messages") == 2
    assert captured.value("trading.stream.last_message.timestamp") > CLOSE
    assert captured.value("trading.stream.disconnects", trading__stream__disconnect__reason="stale") == 1
    assert captured.value("trading.stream.disconnects", trading__stream__disconnect__reason="other") == 1
    assert captured.count("trading.buffer.update.duration") == 1
