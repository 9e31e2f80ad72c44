"""What a bot records of its decisions itself: an event, a count and a line for each, on either engine."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from opentelemetry.trace import get_tracer

from support.captured import Captured
from support.journal import journal_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

CLOSE = 1_700_000_040.0


def _events(telemetry: Telemetry, span: str) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in Captured(telemetry).span(span).events]


def test_a_filter_is_an_event_a_count_and_a_line(telemetry: Telemetry) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle(close_time=CLOSE):
        verdict = telemetry.diagnostics.record_filter(
            "scan", "BTC/USDT", "spread", 9.5, 10.0, extra={"bid": 1}
        )
    assert verdict is False
    assert _events(telemetry, "candle 1m") == [
        (
            "trading.filter.evaluated",
            {
                "trading.filter.name": "spread",
                "trading.filter.result": "near_miss",
                "trading.filter.value": 9.5,
                "trading.filter.threshold": 10.0,
                "trading.filter.comparison": ">=",
                "trading.symbol": "BTC/USDT",
            },
        )
    ]
    line, candle = journal_lines(telemetry)
    assert (line.component, line.stage, line.name, line.symbol) == ("scanner", "scan", "spread", "BTC/USDT")
    assert (line.value, line.threshold, line.comparison) == (9.5, 10.0, ">=")
    assert (line.passed, line.near_miss, line.reason) == (False, True, "filter:spread")
    assert (line.payload, line.candle, line.trace_id) == ({"bid": 1}, CLOSE, candle.trace_id)
    counted = {"trading__filter__name": "spread", "trading__filter__result": "near_miss"}
    assert Captured(telemetry).value("trading.filter.evaluations", **counted) == 1


def test_a_condition_outside_of_a_signal(telemetry: Telemetry) -> None:
    record = telemetry.diagnostics.record_signal_condition
    assert record("momentum", "BTC/USDT", "body", 3, 2, candle_ts=CLOSE) is True
    assert record("momentum", "BTC/USDT", "body", 3, 2, comparison="<=") is False
    first, second = journal_lines(telemetry)
    assert (first.component, first.stage, first.strategy, first.candle) == (
        "strategy",
        "condition",
        "momentum",
        CLOSE,
    )
    assert (second.reason, second.candle, second.trace_id) == ("signal:momentum:body", None, None)
    assert Captured(telemetry).value("trading.filter.evaluations", trading__strategy__name="momentum") == 2


def test_the_verdict_that_was_given_holds(telemetry: Telemetry) -> None:
    assert telemetry.diagnostics.record_filter("scan", "BTC/USDT", "spread", 1.0, 10.0, True) is True
    (line,) = journal_lines(telemetry)
    assert line.passed is True


def test_anything_is_an_event_and_a_line(telemetry: Telemetry) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle() as candle, candle.signal("momentum"):
        payload = {"spread": Decimal("0.10")}
        telemetry.diagnostics.record("router", "routing", payload=payload, reason="no_venue", passed=False)
        payload["spread"] = Decimal(9)  # what the caller does afterwards is no longer what was recorded
    ((name, attributes),) = _events(telemetry, "signal momentum")
    assert name == "trading.diagnostic"
    assert attributes == {
        "trading.component": "router",
        "trading.diagnostic.stage": "routing",
        "trading.diagnostic.reason": "no_venue",
        "trading.diagnostic.passed": False,
        "trading.diagnostic.payload": '{"spread": "0.10"}',
    }
    (line,) = journal_lines(telemetry, "routing")
    assert (line.component, line.reason, line.passed) == ("router", "no_venue", False)
    assert (line.symbol, line.strategy, line.payload) == ("BTC/USDT", "momentum", {"spread": "0.10"})


def test_below_a_span_of_a_library_the_event_is_on_that(telemetry: Telemetry) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle(), get_tracer("library").start_as_current_span("query") as query:
        telemetry.diagnostics.record_filter("scan", "BTC/USDT", "spread", 1.0, 10.0)
    assert [name for name, _ in _events(telemetry, "query")] == ["trading.filter.evaluated"]
    assert _events(telemetry, "candle 1m") == []
    line, candle = journal_lines(telemetry)
    assert line.trace_id == candle.trace_id == f"{query.get_span_context().trace_id:032x}"


def test_notes_and_checks_stand_in_the_order_in_which_they_came(telemetry: Telemetry) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle() as candle, candle.signal("momentum") as signal:
        signal.check("first", value=1, threshold=1)
        telemetry.diagnostics.record_filter("scan", "BTC/USDT", "second", 1, 1)
        signal.check("third", value=1, threshold=1)
        telemetry.trading.risk.check("fourth", passed=True)
        signal.emit("long")
    with signal.order(side="buy", quantity=1):  # whose begin changes what the signal says
        pass
    named = [
        attributes.get("trading.filter.name") or attributes.get("trading.risk.rule") or name
        for name, attributes in _events(telemetry, "signal momentum")
    ]
    assert named == ["first", "second", "third", "fourth", "trading.signal.generated"]


def test_what_comes_after_the_block_is_counted_and_written_down_only(telemetry: Telemetry) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle() as candle, candle.signal("momentum") as signal:
        context = signal.context
    from opentelemetry.context import attach, detach  # noqa: PLC0415

    assert context is not None
    token = attach(context)  # as a queue that carries contexts does it
    telemetry.diagnostics.record_filter("scan", "BTC/USDT", "late", 1, 1)
    detach(token)
    assert _events(telemetry, "signal momentum") == []
    assert [line.name for line in journal_lines(telemetry, "scan")] == ["late"]
    assert Captured(telemetry).value("trading.filter.evaluations") == 1


async def test_tasks_record_for_the_candle_that_they_belong_to(telemetry: Telemetry) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")

    async def look(name: str) -> None:
        await asyncio.sleep(0)
        telemetry.diagnostics.record_filter("scan", "BTC/USDT", name, 1, 1)

    async with market.candle():
        await asyncio.gather(*(look(f"f{number}") for number in range(5)))
    assert {attributes["trading.filter.name"] for _, attributes in _events(telemetry, "candle 1m")} == {
        f"f{number}" for number in range(5)
    }


def test_threads_lose_nothing(telemetry: Telemetry) -> None:
    def work(number: int) -> None:
        for _ in range(500):
            telemetry.diagnostics.record_filter("scan", "BTC/USDT", f"f{number}", 1, 2)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal_lines(telemetry)) == 2_000
    assert Captured(telemetry).value("trading.filter.evaluations") == 2_000
    snapshot = telemetry.diagnostics.snapshot()
    assert snapshot["events"] == 2_000
    assert snapshot["reasons"] == {f"filter:f{number}": 500 for number in range(4)}


def test_more_notes_than_a_block_may_have_are_still_counted(telemetry: Telemetry) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle():
        for _ in range(1_500):
            telemetry.diagnostics.record_filter("scan", "BTC/USDT", "spread", 1, 1)
    assert Captured(telemetry).value("trading.filter.evaluations") == 1_500
    assert len(journal_lines(telemetry, "scan")) == 1_500


def test_the_snapshot_counts_reasons_of_every_kind(telemetry: Telemetry) -> None:
    diagnostics = telemetry.diagnostics
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    for _ in range(3):
        with market.candle() as candle, candle.signal("momentum") as signal:
            signal.check("body", value=1, threshold=2)
    diagnostics.record_filter("scan", "BTC/USDT", "atr", 1, 2)
    diagnostics.record("bot", "x", reason="tired", passed=False)
    diagnostics.record("bot", "x", reason="fine", passed=True)
    diagnostics.increment_reason("by_hand", 2)
    found = diagnostics.snapshot()
    assert list(found["reasons"].items())[:2] == [("signal:momentum:body", 3), ("by_hand", 2)]
    assert found["reasons"] == {"signal:momentum:body": 3, "by_hand": 2, "filter:atr": 1, "tired": 1}
    assert (found["enabled"], found["session_id"], found["dropped"]) == (True, "test-bot", {})


def test_the_snapshot_counts_what_filters_risk_and_the_venue_refused(telemetry: Telemetry) -> None:
    trading = telemetry.trading
    market = trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with trading.scanner("s").scan() as scan:
        scan.check("age", value=1, threshold=2)
    with market.candle() as candle:
        with candle.signal("m") as signal:
            signal.emit("long")
            trading.risk.check("drawdown", value=2, limit=1)
        with signal.order(side="buy", quantity=1) as order:
            order.rejected("invalid_order")
        signal.reject("cooldown")
    with pytest.raises(KeyError), market.candle():
        raise KeyError("x")
    assert telemetry.diagnostics.snapshot()["reasons"] == {
        "filter:age": 1,
        "risk:drawdown": 1,
        "order:invalid_order": 1,
        "rejected:cooldown": 1,
        "error:KeyError": 1,
    }


def test_text_can_be_compared_and_is_shown(telemetry: Telemetry) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    regime: Any = "bear"
    with market.candle() as candle, candle.signal("m") as signal:
        assert signal.check("regime", value=regime, threshold=regime, comparison="==")
        signal.check("api_key", value=regime, threshold=regime, comparison="==")
    shown, hidden = journal_lines(telemetry, "condition")
    assert (shown.value, shown.threshold) == ("bear", "bear")
    assert hidden.value == "[redacted]"
    values = [attributes["trading.filter.value"] for _, attributes in _events(telemetry, "signal m")]
    assert values == ["bear", "[redacted]"]


def test_without_a_symbol_there_is_none(telemetry: Telemetry) -> None:
    nothing: Any = None
    telemetry.diagnostics.record_filter("scan", nothing, "age", 1, 2)
    (line,) = journal_lines(telemetry)
    assert (line.symbol, line.name) == (None, "age")
    (point,) = Captured(telemetry).points("trading.filter.evaluations")
    assert "trading.symbol" not in point.attributes


def test_lines_stand_in_the_order_in_which_things_happened(telemetry: Telemetry) -> None:
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    for number in range(50):
        with market.candle(close_time=CLOSE + 60 * number) as candle:
            with candle.signal("m") as signal:
                signal.emit("long")
            signal.check("late", value=1, threshold=2)
            with signal.order(side="buy", quantity=1) as order:
                order.acknowledged(str(number))
            order.filled(100, 1)  # makes what follows from the order follow at once
    kinds = [line.stage for line in journal_lines(telemetry) if line.stage != "order"]
    assert kinds == ["signal", "condition", "fill", "candle"] * 50


def test_reasons_are_bounded(start: Callable[..., Telemetry]) -> None:
    diagnostics = start(diagnostics={"reasons": 2}).diagnostics
    for number in range(5):
        diagnostics.increment_reason(f"r{number}")
    assert diagnostics.snapshot()["reasons"] == {"other": 3, "r0": 1, "r1": 1}


def test_a_new_session_has_a_file_of_its_own(telemetry: Telemetry) -> None:
    diagnostics = telemetry.diagnostics
    diagnostics.record("bot", "x")
    telemetry.flush()
    before = diagnostics.snapshot()
    diagnostics.update_session("night")
    diagnostics.record("bot", "y")
    telemetry.flush()
    after = diagnostics.snapshot()
    assert (before["session_id"], after["session_id"]) == ("test-bot", "night")
    assert "diag_night_" in after["output_path"]
    assert [line.stage for line in journal_lines(telemetry)] == ["y"]


def test_switched_off_it_still_tells_the_verdict(start: Callable[..., Telemetry]) -> None:
    telemetry = start(diagnostics={"enabled": False})
    diagnostics = telemetry.diagnostics
    assert diagnostics.record_filter("scan", "BTC/USDT", "atr", 3, 2) is True
    assert diagnostics.record_signal_condition("m", "BTC/USDT", "atr", 1.0, 2.0) is False
    diagnostics.record("bot", "x", reason="r")
    diagnostics.increment_reason("r")
    found = diagnostics.snapshot()
    assert (found["enabled"], found["events"], found["reasons"], found["output_path"]) == (False, 0, {}, None)
    assert Captured(telemetry).points("trading.filter.evaluations") == []


def test_after_the_shutdown_it_still_tells_the_verdict(telemetry: Telemetry) -> None:
    telemetry.shutdown()
    assert telemetry.diagnostics.record_filter("scan", "BTC/USDT", "atr", 3, 2) is True
    assert telemetry.diagnostics.snapshot()["enabled"] is False


@pytest.mark.parametrize("value", [None, "x", float("nan"), object(), np.float64(1), np.array([1, 2])])
def test_no_value_ends_the_bot(telemetry: Telemetry, value: Any) -> None:
    diagnostics = telemetry.diagnostics
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle():
        assert diagnostics.record_filter("scan", "BTC/USDT", "atr", value, 2.0) is False
        diagnostics.record_filter(value, value, value, 1.0, 2.0, extra=value)
        diagnostics.record(value, value, value, value, value, value)
        diagnostics.increment_reason(value, value)
    telemetry.flush()
    assert diagnostics.snapshot()["events"] == 3


def test_lines_can_be_log_events_too(start: Callable[..., Telemetry]) -> None:
    telemetry = start(diagnostics={"log_events": True})
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")
    with market.candle() as candle, candle.signal("momentum") as signal:
        signal.check("body", value=1, threshold=2)
    written = journal_lines(telemetry)
    records = [record.log_record for record in telemetry.memory.logs if record.log_record.event_name]
    assert [record.event_name for record in records] == ["trading.diagnostic"] * 3
    assert [record.timestamp for record in records] == [line.ts for line in written]
    assert [f"{record.trace_id:032x}" for record in records] == [line.trace_id for line in written]
    condition = records[0]
    assert condition.body == "signal:momentum:body"
    assert condition.attributes is not None
    assert condition.attributes["trading.filter.value"] == 1
