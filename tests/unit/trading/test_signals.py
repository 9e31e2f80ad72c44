"""Signals: conditions, verdicts, near misses, emission, rejection."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from support.captured import Captured
from ticktrace import current_signal

if TYPE_CHECKING:
    from ticktrace import Telemetry
    from ticktrace.trading import Market

CLOSE = 1_700_000_040


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def btc(telemetry: Telemetry) -> Market:
    return telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")


@pytest.mark.parametrize(
    ("value", "comparison", "threshold", "verdict"),
    [
        (2, ">", 1, "pass"),
        (1, ">", 1, "near_miss"),
        (1, ">=", 1, "pass"),
        (0.95, ">=", 1, "near_miss"),
        (0.5, ">=", 1, "fail"),
        (1.05, "<", 1, "near_miss"),
        (5, "<=", 5, "pass"),
        (3, "==", 3, "pass"),
        (3, "!=", 3, "near_miss"),
        (Decimal("0.1"), ">=", Decimal("0.1"), "pass"),
        (0.05, ">", 0, "pass"),
        (-0.05, ">", 0, "near_miss"),
        (float("nan"), ">", 1, "fail"),
        (2, "=>", 1, "fail"),
    ],
)
def test_a_check_judges_and_says_so(
    captured: Captured, btc: Market, *, value: Any, comparison: str, threshold: Any, verdict: str
) -> None:
    with btc.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        passed = signal.check("volume", value=value, threshold=threshold, comparison=comparison)
    assert passed is (verdict == "pass")
    (event,) = captured.span("signal momentum").events
    assert event.name == "trading.filter.evaluated"
    assert dict(event.attributes or {})["trading.filter.result"] == verdict
    assert (
        captured.value(
            "trading.filter.evaluations", trading__filter__name="volume", trading__filter__result=verdict
        )
        == 1
    )


def test_a_margin_of_its_own_decides_what_is_near(captured: Captured, btc: Market) -> None:
    with btc.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        signal.check("volume", value=50, threshold=100, margin=0.5)
        signal.check("volume", value=99, threshold=100, margin=0.0)
    assert captured.value("trading.filter.evaluations", trading__filter__result="near_miss") == 1
    assert captured.value("trading.filter.evaluations", trading__filter__result="fail") == 1


def test_decimals_keep_their_digits(captured: Captured, btc: Market) -> None:
    with btc.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        signal.check("spread", value=Decimal("0.100000000000000000001"), threshold=Decimal("1E-7"))
        signal.emit("long", price=Decimal("42000.10"))
    span = captured.span("signal momentum")
    checked = dict(span.events[0].attributes or {})
    assert checked["trading.filter.value"] == "0.100000000000000000001"
    assert checked["trading.filter.threshold"] == "0.0000001"
    assert (span.attributes or {})["trading.signal.price"] == "42000.10"


def test_an_emitted_signal_is_counted_by_strategy_and_type(captured: Captured, btc: Market) -> None:
    with btc.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        before = signal.emitted
        signal.emit("long", confidence=0.8)
    assert (before, signal.emitted) == (False, True)
    assert (
        captured.value(
            "trading.signals.generated", trading__strategy__name="momentum", trading__signal__type="long"
        )
        == 1
    )
    assert captured.sum("trading.signal.confidence") == pytest.approx(0.8)
    assert captured.count("trading.signal.generation.duration", trading__strategy__name="momentum") == 1


def test_a_rejection_inside_the_block_is_told_on_the_signal(captured: Captured, btc: Market) -> None:
    with btc.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        signal.emit("long")
        signal.reject("cooldown", "three candles to go")
    assert signal.rejected == "cooldown"
    event = captured.span("signal momentum").events[-1]
    assert event.name == "trading.signal.rejected"
    assert dict(event.attributes or {})["trading.reject.message"] == "three candles to go"
    assert captured.value("trading.signals.rejected", trading__signal__reject__reason="cooldown") == 1
    assert captured.count("trading.decision.duration") == 1


def test_a_rejection_after_the_block_is_told_on_the_candle(captured: Captured, btc: Market) -> None:
    with btc.candle(close_time=CLOSE) as candle:
        with candle.signal("momentum") as signal:
            signal.emit("long")
        signal.reject("risk_denied")
    event = captured.span("candle 1m").events[-1]
    assert event.name == "trading.signal.rejected"
    assert dict(event.attributes or {})["trading.strategy.name"] == "momentum"
    assert captured.value("trading.signals.rejected") == 1


def test_an_unknown_reason_becomes_other_and_is_said(
    captured: Captured, btc: Market, caplog: pytest.LogCaptureFixture
) -> None:
    with btc.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        signal.reject("the moon was full")
    assert captured.value("trading.signals.rejected", trading__signal__reject__reason="other") == 1
    assert "'the moon was full' is not one of SignalRejectReason" in caplog.text


def test_a_strategy_decorator_makes_a_signal_of_the_current_candle(
    telemetry: Telemetry, captured: Captured, btc: Market
) -> None:
    @telemetry.trading.strategy("retest")
    def retest(price: float) -> bool:
        signal = current_signal()
        return signal is not None and signal.check("distance", value=price, threshold=1)

    assert retest(2) is False  # outside a candle there is no signal, and the function simply runs
    with btc.candle(close_time=CLOSE):
        assert retest(2) is True
    assert captured.span("signal retest").parent == captured.span("candle 1m").context


async def test_an_async_strategy_decorator(telemetry: Telemetry, captured: Captured, btc: Market) -> None:
    @telemetry.trading.strategy("retest")
    async def retest() -> str:
        signal = current_signal()
        assert signal is not None
        signal.emit("short")
        return signal.strategy

    with btc.candle(close_time=CLOSE):
        assert await retest() == "retest"
    assert captured.value("trading.signals.generated", trading__signal__type="short") == 1


def test_words_are_read_in_any_case(
    captured: Captured, btc: Market, caplog: pytest.LogCaptureFixture
) -> None:
    with btc.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        signal.emit("EXIT-LONG")
        signal.reject("Max Open Trades")
    assert captured.value("trading.signals.generated", trading__signal__type="exit_long") == 1
    assert (
        captured.value(
            "trading.signals.rejected",
            trading__signal__reject__reason="max_open_trades",
            trading__signal__type="exit_long",
        )
        == 1
    )
    assert caplog.records == []


def test_numpy_numbers_are_numbers(captured: Captured, btc: Market) -> None:
    numpy_value: Any = np.float32(2.5)
    numpy_threshold: Any = np.int64(2)
    with btc.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        assert signal.check("volume", value=numpy_value, threshold=numpy_threshold)
    attributes = dict(captured.span("signal momentum").events[0].attributes or {})
    assert (attributes["trading.filter.value"], attributes["trading.filter.threshold"]) == (2.5, 2)


def test_what_is_no_number_fails_the_check_and_not_the_bot(captured: Captured, btc: Market) -> None:
    nothing: Any = None
    with btc.candle(close_time=CLOSE) as candle, candle.signal("momentum") as signal:
        assert not signal.check("volume", value=nothing, threshold=1)
    assert captured.value("trading.filter.evaluations", trading__filter__result="fail") == 1


def test_words_that_an_application_invents_without_end_make_few_series(
    captured: Captured, btc: Market
) -> None:
    with btc.candle(close_time=CLOSE) as candle:
        for number in range(1_000):
            with candle.signal(f"strategy {number}"):
                pass
    points = captured.points("trading.signal.generation.duration")
    assert len(points) == 201
    assert captured.count("trading.signal.generation.duration", trading__strategy__name="other") == 800


def test_a_failed_evaluation_says_so_on_its_duration(captured: Captured, btc: Market) -> None:
    def fail() -> None:
        with btc.candle(close_time=CLOSE) as candle, candle.signal("momentum"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert captured.count("trading.signal.generation.duration", error__type="KeyError") == 1
    assert captured.count("trading.candle.processing.duration", error__type="KeyError") == 1
