"""Positions: how many, how much, and whether the venue agrees."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.captured import Captured
from ticktrace import setup_telemetry
from ticktrace.engine import internal_errors
from ticktrace.trading import positions as positions_module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ticktrace import Telemetry
    from ticktrace.trading import Positions


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture
def positions(telemetry: Telemetry) -> Positions:
    return telemetry.trading.positions


@pytest.fixture
def nothing_breaks_inside() -> Iterator[None]:
    before = internal_errors()
    yield
    assert internal_errors() == before


def mismatches(captured: Captured) -> dict[str, float]:
    return {
        point.attributes["trading.symbol"]: point.value
        for point in captured.points("trading.position.mismatch")
    }


@pytest.mark.usefixtures("nothing_breaks_inside")
def test_open_positions_are_counted_by_venue(positions: Positions, captured: Captured) -> None:
    positions.update("BTC", 1, venue="binance", strategy="momentum")
    positions.update("BTC", -2, venue="binance", strategy="retest")
    positions.update("AAPL", 10, venue="ibkr")
    positions.update("AAPL", 12, venue="ibkr")
    assert len(positions) == 3
    assert captured.value("trading.engine.positions.open", trading__venue="binance") == 2
    assert captured.value("trading.engine.positions.open", trading__venue="ibkr") == 1
    positions.update("AAPL", 0, venue="ibkr")
    positions.update("AAPL", 0, venue="ibkr")
    assert captured.value("trading.engine.positions.open", trading__venue="ibkr") == 0
    assert len(positions) == 2


@pytest.mark.usefixtures("nothing_breaks_inside")
def test_exposure_adds_long_and_short(positions: Positions, captured: Captured) -> None:
    positions.update("BTC", Decimal("0.1"), price=40_000)
    positions.update("ETH", -1, price=2_000)
    positions.update("ETH", -2)  # the mark stays in force
    assert positions.exposure(10_000) == 0.8
    assert captured.value("trading.exposure.ratio") == 0.8
    positions.set_exposure(0.3, strategy="momentum")
    assert captured.value("trading.exposure.ratio", trading__strategy__name="momentum") == 0.3


@pytest.mark.usefixtures("nothing_breaks_inside")
@pytest.mark.parametrize("equity", [0, -1, None, "much", float("nan")], ids=repr)
def test_there_is_no_exposure_to_no_equity(positions: Positions, captured: Captured, equity: Any) -> None:
    positions.update("BTC", 1, price=1)
    assert positions.exposure(equity) is None
    assert captured.points("trading.exposure.ratio") == []


def test_a_position_without_a_price_makes_the_exposure_unknown(positions: Positions) -> None:
    positions.update("BTC", 1)
    assert positions.exposure(100) is None


@pytest.mark.usefixtures("nothing_breaks_inside")
def test_the_venue_has_other_positions(
    positions: Positions, captured: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    positions.update("BTC", Decimal("0.3"), venue="binance", strategy="momentum")
    positions.update("BTC", Decimal("0.1"), venue="binance", strategy="retest")
    positions.update("ETH", 2, venue="binance")
    positions.update("AAPL", 5, venue="ibkr")
    found = positions.reconcile({"BTC": 0.4, "ETH": Decimal("1.5"), "SOL": 7}, venue="binance")
    assert found == {"ETH": Decimal("0.5"), "SOL": Decimal(-7)}
    assert mismatches(captured) == {"BTC": 0, "ETH": 0.5, "SOL": -7}
    assert "SOL at binance: the bot has 0, the venue 7, a difference of -7" in caplog.text


@pytest.mark.usefixtures("nothing_breaks_inside")
def test_what_agrees_again_goes_back_to_0(positions: Positions, captured: Captured) -> None:
    positions.reconcile({"BTC": 1, "ETH": 1}, venue="x", ours={"BTC": 2})
    assert mismatches(captured) == {"BTC": 1, "ETH": -1}
    assert positions.reconcile({"BTC": 2}, venue="x", ours={"BTC": 2}) == {}
    assert mismatches(captured) == {"BTC": 0, "ETH": 0}, "neither side has ETH any more"


def test_a_difference_within_the_tolerance_is_none(positions: Positions) -> None:
    assert positions.reconcile({"BTC": 1}, venue="x", ours={"BTC": 1.0001}, tolerance=0.001) == {}
    assert positions.reconcile({"BTC": 1}, venue="x", ours={"BTC": 1.01}, tolerance=0.001) == {
        "BTC": Decimal("0.01")
    }


def test_a_mismatch_is_told_on_the_span(telemetry: Telemetry, captured: Captured) -> None:
    with telemetry.trading.scanner("s").scan():
        telemetry.trading.positions.reconcile({"BTC": Decimal("0.10")}, venue="binance")
    (event,) = captured.span("scan s").events
    assert event.name == "trading.position.mismatched"
    assert dict(event.attributes or {}) == {
        "trading.venue": "binance",
        "trading.symbol": "BTC",
        "trading.position.quantity": "0",
        "trading.position.venue_quantity": "0.10",
    }


@pytest.mark.usefixtures("nothing_breaks_inside")
def test_ten_thousand_symbols_make_bounded_series_and_hide_no_mismatch(
    telemetry: Telemetry, captured: Captured
) -> None:
    ours = {f"COIN{number}": 1 for number in range(10_000)}
    wrong = {f"COIN{number}": 2 for number in range(9_000, 9_050)}
    theirs = {**ours, **wrong, "COIN9025": 4, "COIN9030": -1}
    with telemetry.trading.scanner("s").scan():
        found = telemetry.trading.positions.reconcile(theirs, venue="x", ours=ours)
    assert len(found) == 50
    assert found["COIN9025"] == -3
    assert found["COIN9030"] == 2
    assert found["COIN9000"] == -1
    points = mismatches(captured)
    assert len(points) <= 101
    assert points["other"] == -3, "the largest of those that share a series"
    telemetry.trading.positions.reconcile({}, venue="y", ours=ours)
    assert len(captured.span("scan s").events) == 20, "the largest"


def test_more_positions_than_can_be_kept_are_counted(
    positions: Positions, captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions_module, "MOST_POSITIONS", 3)
    for number in range(5):
        positions.update(f"COIN{number}", 1)
    assert len(positions) == 3
    assert captured.value("ticktrace.dropped", ticktrace__buffer__name="positions") == 2


@pytest.mark.parametrize("wrong", [None, "text", ..., float("nan"), [], Decimal("NaN")], ids=repr)
def test_wrong_values_reach_nobody(positions: Positions, wrong: Any) -> None:
    positions.update(wrong, wrong, price=wrong, venue=wrong)
    positions.update("BTC", wrong)
    positions.set_exposure(wrong, symbol=wrong)
    assert len(positions) == 0
    assert positions.reconcile({"BTC": wrong}, venue=wrong, ours={"BTC": 1}, tolerance=wrong) == {
        "BTC": Decimal(1)
    }
    assert positions.reconcile(wrong, venue="x") == {}


def test_four_threads_count_what_is_open(positions: Positions, captured: Captured) -> None:
    def trade(strategy: str) -> None:
        for number in range(200):
            positions.update(f"COIN{number % 7}", number % 2, venue="x", strategy=strategy)

    threads = [threading.Thread(target=trade, args=(f"s{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert captured.value("trading.engine.positions.open") == len(positions) > 0


def test_the_verdict_stays_while_telemetry_is_off(start: Callable[..., Telemetry]) -> None:
    positions = start(enabled=False).trading.positions
    positions.update("BTC", 1, price=50, venue="x")
    assert positions.reconcile({"BTC": 3}, venue="x") == {"BTC": Decimal(-2)}
    assert positions.exposure(100) == 0.5


amounts = st.decimals(-1_000, 1_000, places=8)


@given(st.dictionaries(st.sampled_from("ABCDE"), amounts), st.dictionaries(st.sampled_from("ABCDE"), amounts))
def test_ours_are_theirs_and_the_differences(ours: dict[str, Decimal], theirs: dict[str, Decimal]) -> None:
    with setup_telemetry("test-bot", exporters={"traces": ["none"], "metrics": ["memory"]}) as telemetry:
        found = telemetry.trading.positions.reconcile(theirs, venue="x", ours=ours)
    for symbol in ours.keys() | theirs.keys():
        assert theirs.get(symbol, 0) + found.get(symbol, Decimal(0)) == ours.get(symbol, 0)
    assert all(found.values())
