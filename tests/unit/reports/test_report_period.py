"""Which lines are reported: by time, symbol, strategy, last fill; and which clock tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from support.journal_script import BEGAN, Script, report_on

if TYPE_CHECKING:
    from pathlib import Path

    from ticktrace.reports.model import Report


def entered(report: Report) -> dict[str, int]:
    return {stage.stage: stage.entered for stage in report.funnel}


@pytest.fixture
def hour(tmp_path: Path) -> Path:
    """Sixty candles of two symbols and two strategies; an order in the thirtieth minute."""
    script = Script()
    for minute in range(1, 61):
        script.candle += 60
        for symbol in ("BTC", "ETH"):
            script.next(symbol, minutes=0)
            for strategy in ("momentum", "retest"):
                script.evaluate(("body", 0.2, 0.5), strategy=strategy, symbol=symbol)
        if minute == 30:
            decision = script.evaluate(("body", 0.9, 0.5))
            script.order(decision)
            script.fill(decision)
    return script.write(tmp_path / "diag.jsonl")


def test_since_and_until_are_exact(hour: Path) -> None:
    report = report_on(hour, since=BEGAN + 600.0, until=BEGAN + 1_200.0)
    assert (entered(report)["candles"], entered(report)["conditions"]) == (20, 40)
    span = report.period.span
    assert span is not None
    assert (span.start, span.end, span.start_utc) == (BEGAN + 600, BEGAN + 1_140, "2025-10-09T09:10:00Z")
    assert report.changes is not None
    assert report.changes.before.seconds == 600


def test_back_from_the_newest_line(hour: Path) -> None:
    assert entered(report_on(hour, back=60.0))["candles"] == 4


def test_one_symbol(hour: Path) -> None:
    report = report_on(hour, symbols=("ETH",))
    assert (entered(report)["candles"], entered(report)["conditions"], entered(report)["orders"]) == (
        60,
        120,
        0,
    )
    assert report.period.symbols == ["ETH"]


def test_one_strategy_keeps_what_comes_before_strategies(hour: Path) -> None:
    report = report_on(hour, strategies=("momentum",))
    assert (entered(report)["candles"], entered(report)["conditions"], entered(report)["orders"]) == (
        120,
        121,
        1,
    )


def test_what_comes_late_without_a_symbol_follows_its_decision(tmp_path: Path) -> None:
    script = Script()
    for symbol in ("BTC", "ETH"):
        decision = script.evaluate(symbol=symbol)
        script.add("execution", "order", passed=True, decision=decision, payload={"side": "buy"})
    report = report_on(script.write(tmp_path / "a.jsonl"), symbols=("BTC",))
    assert (entered(report)["signals"], entered(report)["orders"]) == (1, 1)


def test_a_symbol_that_nothing_is_about(hour: Path) -> None:
    report = report_on(hour, symbols=("DOGE",))
    assert report.counted == 0
    assert report.notes == ["no line is about DOGE; there are: BTC, ETH"]


def test_one_symbol_of_a_scan_is_told_by_its_filters(tmp_path: Path) -> None:
    script = Script()
    for symbol, volume in (("BTC", 1), ("ETH", 5)):
        script.filter(symbol, "volume", volume, 3, decision=1)
    script.scan(2, 1)
    script.filter("BTC", "volume", 5, 3, decision=2)
    script.scan(1, 1)
    report = report_on(script.write(tmp_path / "a.jsonl"), symbols=("BTC",))
    assert {stage.stage: (stage.entered, stage.passed) for stage in report.funnel}["filtered"] == (2, 1)


def test_since_the_last_trade(hour: Path) -> None:
    report = report_on(hour, since_trade=True)
    assert entered(report)["fills"] == 0
    assert entered(report)["candles"] == 60
    assert report.notes == ["since the last fill, at 2025-10-09T09:30:00Z"]


def test_without_a_trade_it_is_everything(tmp_path: Path) -> None:
    script = Script()
    script.next()
    report = report_on(script.write(tmp_path / "a.jsonl"), since_trade=True)
    assert (entered(report)["candles"], report.notes) == (1, ["there is no fill, so this is everything"])


def test_a_backtest_is_told_in_market_time(tmp_path: Path) -> None:
    """Its lines are years late by the wall clock; those without a candle follow the candle before."""
    script = Script(lag=3e7)
    for _ in range(10):
        script.next()
        script.scan(1, 1)
        script.lines[-1] = msgspec.structs.replace(script.lines[-1], candle=None)
        script.fill(script.evaluate())
    report = report_on(script.write(tmp_path / "a.jsonl"), back=290.0)
    assert report.period.clock == "market"
    assert {stage.stage: stage.entered for stage in report.funnel}["scanned"] == 5
    assert report.period.span is not None
    assert report.period.span.end_utc.startswith("2025-10-09T09:10:00")


def test_without_candles_the_wall_clock_tells(tmp_path: Path) -> None:
    script = Script()
    for number in range(10):
        script.add("x", "y", ts=(BEGAN + number) * 10**9, passed=False, reason="no")
    report = report_on(script.write(tmp_path / "a.jsonl"), back=3.0)
    assert (report.period.clock, report.counted) == ("wall", 4)
    other = Script(pid=2)
    other.next()
    assert report_on([tmp_path / "a.jsonl", other.write(tmp_path / "b.jsonl")]).period.clock == "mixed"
