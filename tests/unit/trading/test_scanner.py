"""Scans: counted by filter and verdict, never by symbol."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace.engine import internal_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ticktrace import Telemetry


@pytest.fixture
def captured(telemetry: Telemetry) -> Captured:
    return Captured(telemetry)


@pytest.fixture(autouse=True)
def nothing_breaks_inside() -> Iterator[None]:
    before = internal_errors()
    yield
    assert internal_errors() == before


def series(captured: Captured) -> int:
    names = (
        "trading.scanner.scan.duration",
        "trading.scanner.symbols.scanned",
        "trading.scanner.candidates.found",
        "trading.scanner.filtered",
        "trading.filter.evaluations",
    )
    return sum(len(captured.points(name)) for name in names)


def test_a_scan_counts_without_symbols(telemetry: Telemetry, captured: Captured) -> None:
    with telemetry.trading.scanner("breakout").scan() as scan:
        scan.scanned(5)
        scan.filtered("atr_range", 3)
        scan.candidates(2)
    assert captured.value("trading.scanner.symbols.scanned") == 5
    assert captured.value("trading.scanner.filtered", trading__filter__name="atr_range") == 3
    assert captured.value("trading.scanner.candidates.found") == 2
    assert captured.count("trading.scanner.scan.duration", trading__scanner__name="breakout") == 1
    attributes = dict(captured.span("scan breakout").attributes or {})
    assert attributes["trading.scan.symbol_count"] == 5
    assert attributes["trading.scan.candidate_count"] == 2


def test_a_scan_that_finds_nothing_has_a_series_all_the_same(
    telemetry: Telemetry, captured: Captured
) -> None:
    with telemetry.trading.scanner("breakout").scan() as scan:
        scan.candidates(0)
    (point,) = captured.points("trading.scanner.candidates.found")
    assert point.value == 0


def test_ten_thousand_symbols_make_a_handful_of_series_and_a_small_span(
    telemetry: Telemetry, captured: Captured
) -> None:
    scanner = telemetry.trading.scanner("breakout", venue="binance")
    with scanner.scan() as scan:
        found = []
        for number in range(10_000):
            symbol = f"COIN{number}/USDT"
            scan.scanned()
            # near misses by the thousand: 0.95 of the threshold
            if scan.check("volume", value=number % 3 + 18, threshold=20, symbol=symbol) and scan.check(
                "spread", value=number % 5, threshold=3, comparison="<=", symbol=symbol
            ):
                found.append(symbol)
        scan.candidates(found)
    assert captured.value("trading.scanner.symbols.scanned") == 10_000
    assert captured.value("trading.scanner.candidates.found") == len(found) == 2_667
    filtered = {
        name: captured.value("trading.scanner.filtered", trading__filter__name=name)
        for name in ("volume", "spread")
    }
    assert sum(filtered.values()) + len(found) == 10_000
    assert captured.value("trading.filter.evaluations", trading__filter__result="near_miss") > 6_000
    assert series(captured) <= 10
    span = captured.span("scan breakout")
    assert len(span.events) <= 30
    assert dict(span.attributes or {})["trading.scan.candidates"] == tuple(found[:20])


def test_a_filter_tells_of_near_misses_with_their_symbol(telemetry: Telemetry, captured: Captured) -> None:
    with telemetry.trading.scanner("breakout").scan() as scan:
        assert scan.check("volume", value=25, threshold=20, symbol="A")
        assert not scan.check("volume", value=19, threshold=20, symbol="B")
        assert not scan.check("volume", value=1, threshold=20, symbol="C")
    verdicts = {
        verdict: captured.value("trading.filter.evaluations", trading__filter__result=verdict)
        for verdict in ("pass", "near_miss", "fail")
    }
    assert verdicts == {"pass": 1, "near_miss": 1, "fail": 1}
    assert captured.value("trading.scanner.filtered", trading__filter__name="volume") == 2
    (event,) = captured.span("scan breakout").events
    assert dict(event.attributes or {})["trading.symbol"] == "B"
    assert dict(event.attributes or {})["trading.filter.threshold"] == 20


def test_threads_may_share_a_scan(telemetry: Telemetry, captured: Captured) -> None:
    def look(scan: Any) -> None:
        for number in range(500):
            scan.scanned()
            scan.check("volume", value=number % 2, threshold=1)

    with telemetry.trading.scanner("breakout").scan() as scan:
        threads = [threading.Thread(target=look, args=(scan,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert captured.value("trading.scanner.symbols.scanned") == 2_000
    assert captured.value("trading.scanner.filtered") == 1_000
    assert captured.value("trading.filter.evaluations") == 2_000


def test_what_is_told_after_the_block_counts_too(telemetry: Telemetry, captured: Captured) -> None:
    with telemetry.trading.scanner("breakout").scan() as scan:
        scan.scanned(3)
    scan.candidates(["A"])
    scan.filtered("volume", 2)
    assert captured.value("trading.scanner.symbols.scanned") == 3
    assert captured.value("trading.scanner.candidates.found") == 1
    assert captured.value("trading.scanner.filtered") == 2
    assert dict(captured.span("scan breakout").attributes or {})["trading.scan.symbol_count"] == 3


def test_a_scan_that_fails_keeps_what_it_counted(telemetry: Telemetry, captured: Captured) -> None:
    def fail() -> None:
        with telemetry.trading.scanner("breakout").scan() as scan:
            scan.scanned(7)
            raise TimeoutError

    with pytest.raises(TimeoutError):
        fail()
    assert captured.value("trading.scanner.symbols.scanned") == 7
    assert captured.count("trading.scanner.scan.duration", error__type="TimeoutError") == 1


async def test_a_scan_may_await(telemetry: Telemetry, captured: Captured) -> None:
    async with telemetry.trading.scanner("breakout").scan() as scan:
        scan.scanned(1)
    assert captured.value("trading.scanner.symbols.scanned") == 1


def test_a_scan_that_the_bot_timed_itself(telemetry: Telemetry, captured: Captured) -> None:
    scanner = telemetry.trading.scanner("breakout", venue="binance")
    scanner.record_scan(1.5, scanned=40, candidates=3, filtered={"atr_range": 30, "volume": 7})
    assert captured.sum("trading.scanner.scan.duration", trading__venue="binance") == 1.5
    assert captured.value("trading.scanner.symbols.scanned") == 40
    assert captured.value("trading.scanner.candidates.found") == 3
    assert captured.value("trading.scanner.filtered", trading__filter__name="volume") == 7
    assert captured.spans == ()


@pytest.mark.parametrize("wrong", [None, "many", float("nan"), -3, ...], ids=repr)
def test_counts_that_are_none_are_left_out(telemetry: Telemetry, captured: Captured, wrong: Any) -> None:
    with telemetry.trading.scanner("breakout").scan() as scan:
        scan.scanned(wrong)
        scan.filtered("volume", wrong)
        scan.scanned(1)
    assert captured.value("trading.scanner.symbols.scanned") == 1


def test_verdicts_stay_while_telemetry_is_off(start: Callable[..., Telemetry]) -> None:
    with start(enabled=False).trading.scanner("breakout").scan() as scan:
        assert scan.check("volume", value=2, threshold=1)
        assert not scan.check("volume", value=0, threshold=1)
        scan.candidates(["A"])
