"""How far the local clock is ahead of a venue's."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from support.captured import Captured

if TYPE_CHECKING:
    from ticktrace import Telemetry

SKEW = "trading.clock.skew"


def test_a_clock_ahead_of_the_venues_is_positive(telemetry: Telemetry) -> None:
    skew = telemetry.trading.clock_skew(time.time() - 100, venue="binance")
    assert skew == pytest.approx(100, abs=10)
    telemetry.trading.clock_skew(round((time.time() + 200) * 1e3), venue="bybit")  # ms, as ccxt gives them
    telemetry.trading.clock_skew(datetime.fromtimestamp(time.time() + 300, UTC), venue="okx")
    captured = Captured(telemetry)
    assert captured.value(SKEW, trading__venue="binance") == skew
    assert captured.value(SKEW, trading__venue="bybit") == pytest.approx(-200, abs=10)
    assert captured.value(SKEW, trading__venue="okx") == pytest.approx(-300, abs=10)


def test_half_of_the_round_trip_has_passed_since_the_time_was_told(telemetry: Telemetry) -> None:
    telemetry._recorder.clock.wall = lambda: 1_700_000_010 * 10**9
    told = 1_700_000_000.0
    assert telemetry.trading.clock_skew(told, venue="x") == 10
    assert telemetry.trading.clock_skew(told, venue="x", round_trip=4) == 8
    assert telemetry.trading.clock_skew(told, venue="x", round_trip=-4) == 10
    assert telemetry.trading.clock_skew(told, venue="x", round_trip=float("nan")) == 10


def test_what_is_no_time_is_left_out_and_said(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    assert telemetry.trading.clock_skew(datetime(2026, 1, 1), venue="x") is None  # noqa: DTZ001  this is what is wrong
    assert telemetry.trading.clock_skew(float("nan"), venue="x") is None
    assert Captured(telemetry).points(SKEW) == []
    assert "a time was left out" in caplog.text


def test_after_the_shutdown_nothing_is_told(telemetry: Telemetry) -> None:
    telemetry.shutdown()
    assert telemetry.trading.clock_skew(time.time(), venue="x") is None
