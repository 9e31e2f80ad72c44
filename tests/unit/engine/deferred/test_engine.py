"""The deferred engine as the settings make it: what is kept, why, and how it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from ticktrace import setup_telemetry

if TYPE_CHECKING:
    from ticktrace import Telemetry

MEMORY = {"traces": ["memory"], "metrics": ["memory"]}


def start(**keep: Any) -> Telemetry:
    traces = {"sampler": "always_off", "keep": {"slower_than_p99": False, **keep}}
    return setup_telemetry("bot", engine="deferred", exporters=MEMORY, traces=traces)


def trade(telemetry: Telemetry, what: str) -> None:
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    with market.candle() as candle, candle.signal("m") as signal:
        if what == "near_miss":
            signal.check("volume", value=0.95, threshold=1)
        elif what == "signal rejected":
            signal.emit("long")
            signal.reject("cooldown")
        elif what != "boring":
            with signal.order(side="buy", quantity=1, client_id="c") as order:
                if what == "rejection":
                    order.rejected("other")
                elif what == "fill":
                    order.filled(price=1, quantity=1)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("near_miss", "near_miss"),
        ("order", "order"),
        ("fill", "fill"),
        ("rejection", "rejection"),
        ("signal rejected", "rejection"),
        ("boring", None),
    ],
)
def test_a_trace_that_the_sampler_did_not_want_is_kept_for_its_outcome(what: str, reason: str | None) -> None:
    telemetry = start()
    trade(telemetry, what)
    captured = Captured(telemetry)
    roots = captured.named("candle 1m")
    if reason is None:
        assert roots == []
        assert captured.value("ticktrace.spans.discarded", ticktrace__discard__reason="boring") == 2
        return
    (root,) = roots
    assert (root.attributes or {})["ticktrace.keep.reason"] == reason
    parent = captured.span("signal m").parent
    assert parent is not None
    assert parent.span_id == root.context.span_id
    assert captured.value("ticktrace.spans.kept", ticktrace__keep__reason=reason) >= 2


def test_outcomes_that_are_not_named_keep_nothing() -> None:
    telemetry = start(outcomes=["error"])
    trade(telemetry, "fill")
    assert telemetry.memory.spans == ()


def test_metrics_count_what_traces_drop() -> None:
    telemetry = start()
    for _ in range(10):
        trade(telemetry, "boring")
    assert telemetry.memory.spans == ()
    assert Captured(telemetry).value("trading.candles.processed") == 10


def test_what_the_sampler_wants_needs_no_reason() -> None:
    telemetry = setup_telemetry("bot", engine="deferred", exporters=MEMORY)
    trade(telemetry, "boring")
    root = Captured(telemetry).span("candle 1m")
    assert "ticktrace.keep.reason" not in (root.attributes or {})


def test_a_flush_sends_the_ended_children_of_what_goes_on() -> None:
    telemetry = setup_telemetry("bot", engine="deferred", exporters=MEMORY)
    market = telemetry.trading.market(venue="x", symbol="Y", timeframe="1m")
    with market.candle() as candle:
        with candle.signal("m"):
            pass
        assert telemetry.flush()
        assert [span.name for span in telemetry.memory.spans] == ["signal m"]
    assert sorted(span.name for span in telemetry.memory.spans) == ["candle 1m", "signal m"]
