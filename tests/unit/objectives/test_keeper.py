from __future__ import annotations

import gc
import logging
import math
import random
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import StatusCode

from support.captured import Captured
from support.kept_objectives import CANDLE, KeptObjectives

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

    Start = Callable[..., Telemetry]

HOUR = 3_600
FAST = {"instrument": CANDLE, "threshold": "50ms", "window": "1h"}


def test_compliance_over_windows_is_that_of_the_raw_values(start: Start) -> None:
    """Three symbols, one of which does not count; values on the threshold; four hours in steps of 5 minutes."""
    chance = random.Random(7)  # noqa: S311  a workload
    kept = KeptObjectives(start, {"o": {**FAST, "attributes": {"symbol": ["A", "B"]}, "target": 0.9}})
    raw: list[tuple[float, float]] = []

    def share(seconds: float) -> tuple[int, int]:
        inside = [value for at, value in raw if at > kept.now - seconds]
        return sum(value <= 0.05 for value in inside), len(inside)

    for _ in range(48):
        kept.now += 300
        for symbol in ("A", "B", "C"):
            values = [
                chance.choice((0.001, 0.05, math.nextafter(0.05, 1), 0.2)) for _ in range(chance.randrange(8))
            ]
            kept.record(*values, symbol=symbol)
            if symbol != "C":
                raw += [(kept.now, value) for value in values]
        judged = kept.look()["o"]

        assert (judged.good, judged.total) == share(HOUR)
        for window, seconds in (("5m", 300), ("1h", HOUR)):
            good, total = share(seconds)
            if total:
                assert judged.burn[window] == (1 - good / total) / (1 - 0.9)
            else:
                assert window not in judged.burn
        assert judged.covered == min(kept.now - 1_000, HOUR)


@pytest.mark.parametrize(
    "meaning",
    [
        {"good": {"trading.filter.result": ["pass", "near_miss"]}},
        {"bad": {"trading.filter.result": "fail"}},
    ],
)
def test_a_ratio_by_attribute(start: Start, meaning: dict[str, Any]) -> None:
    kept = KeptObjectives(
        start, {"o": {"instrument": "trading.filter.evaluations", **meaning, "target": 0.5}}
    )
    for result, amount in (("pass", 3), ("near_miss", 2), ("fail", 4)):
        kept.telemetry.counter("trading.filter.evaluations", **{"trading.filter.result": result}).add(amount)
    judged = kept.look(10)["o"]
    assert (judged.good, judged.total, judged.met, judged.conditions) == (5, 9, True, ())


def test_a_ratio_of_two_counters(start: Start) -> None:
    kept = KeptObjectives(
        start,
        {
            "accepted": {
                "instrument": "trading.orders.submitted",
                "attributes": {"symbol": "A"},
                "bad_instrument": "trading.orders.rejected",
                "bad": {"reason": ["network", "other"]},
                "target": 0.8,
            }
        },
    )
    telemetry = kept.telemetry
    for symbol in ("A", "B"):
        telemetry.counter("trading.orders.submitted", symbol=symbol).add(10)
        for reason in ("network", "other", "risk_denied"):
            telemetry.counter("trading.orders.rejected", symbol=symbol, reason=reason).add(1)
    judged = kept.look(10)["accepted"]
    assert (judged.good, judged.total, judged.compliance) == (8, 10, 0.8)
    assert judged.conditions == ()


def test_an_absent_attribute_can_be_asked_for(start: Start) -> None:
    kept = KeptObjectives(
        start, {"o": {"instrument": "trading.provider.api.duration", "good": {"error.type": ""}}}
    )
    handle = kept.telemetry.histogram("trading.provider.api.duration", provider="p")
    handle.record(0.1)
    kept.telemetry.histogram(
        "trading.provider.api.duration", provider="p", **{"error.type": "Timeout"}
    ).record(9)
    judged = kept.look(1)["o"]
    assert (judged.good, judged.total) == (1, 2)


def test_a_target_is_met_exactly_at_the_target(start: Start) -> None:
    kept = KeptObjectives(start, {"o": FAST})
    kept.record(*[0.01] * 99, 1.0)
    judged = kept.look(1)["o"]
    assert (judged.compliance, judged.met, judged.conditions) == (0.99, True, ())
    assert judged.budget_remaining == 0
    kept.record(1.0)
    assert kept.look(1)["o"].conditions == ("missed",)


def test_without_events_nothing_is_said(start: Start) -> None:
    kept = KeptObjectives(start, {"o": FAST})
    judged = kept.look(1)["o"]
    assert math.isnan(judged.compliance)
    assert math.isnan(judged.budget_remaining)
    assert (judged.met, judged.burn, judged.violated) == (None, {}, False)


def test_few_events_are_not_judged(start: Start) -> None:
    kept = KeptObjectives(start, {"o": {**FAST, "min_events": 3}})
    kept.record(1.0, 1.0)
    assert kept.look(1)["o"].conditions == ()
    kept.record(1.0)
    assert kept.look(1)["o"].conditions == ("missed", "fast_burn")


def test_the_budget_burns_fast_only_while_it_does(start: Start) -> None:
    """20 % bad within a day's objective: 20 times too fast over 5 minutes and over an hour, until 5 minutes are good."""
    kept = KeptObjectives(start, {"o": {**FAST, "window": "30d"}})
    kept.record(*[0.01] * 2_000)
    kept.look(HOUR)
    kept.look(7 * HOUR)
    kept.record(*[0.01] * 8, *[1.0] * 2)
    judged = kept.look(60)["o"]
    assert judged.met
    assert judged.burn == pytest.approx({"5m": 20, "30m": 20, "1h": 20, "6h": 20})
    assert judged.conditions == ("fast_burn", "slow_burn")
    kept.record(*[0.01] * 10)
    assert kept.look(360)["o"].conditions == ("slow_burn",)
    assert kept.look(1_800)["o"].conditions == ()


def test_windows_longer_than_the_objectives_do_not_burn(start: Start) -> None:
    kept = KeptObjectives(
        start, {"short": {**FAST, "window": "1m"}, "hour": FAST, "day": {**FAST, "window": "1d"}}
    )
    kept.record(1.0)
    judged = kept.look(1)
    assert [sorted(judged[name].burn) for name in ("short", "hour", "day")] == [
        [],
        ["1h", "5m"],
        ["1h", "30m", "5m", "6h"],
    ]


def test_a_violation_is_on_log_event_span_and_counter_once_and_so_is_its_end(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ticktrace")
    kept = KeptObjectives(start, {"candles": FAST})
    captured = Captured(kept.telemetry)
    kept.record(0.01, 1.0)
    for _ in range(5):
        judged = kept.look(1)["candles"]
    assert judged.violated
    assert judged.since == 5.0
    [line] = [one for one in caplog.messages if "is violated" in one]
    assert (
        "objective candles is violated (missed, fast_burn): 50 % of 2 events were good in the last 1h" in line
    )
    span = captured.span("objective candles")
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["ticktrace.slo.violated"]
    assert dict(span.attributes or {})["ticktrace.slo.total"] == 2
    assert captured.value("ticktrace.slo.violations", ticktrace__slo__condition="missed") == 1
    kept.record(*[0.01] * 500)
    for _ in range(5):
        judged = kept.look(1)["candles"]
    assert (judged.violated, judged.since) == (False, None)
    assert len([one for one in caplog.messages if "is met again" in one]) == 1
    names = [one.log_record.event_name for one in kept.telemetry.memory.logs if one.log_record.event_name]
    assert names == ["ticktrace.slo.violated", "ticktrace.slo.recovered"]


def test_what_comes_back_soon_is_told_later(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    kept = KeptObjectives(start, {"o": {**FAST, "window": "1m"}}, slo={"quiet": "10m"})
    kept.record(1.0)
    assert kept.look(1)["o"].violated
    assert not kept.look(120)["o"].violated
    kept.record(1.0)
    judged = kept.look(1)["o"]
    assert judged.conditions == ("missed",)
    assert not judged.violated
    kept.look(478)
    kept.record(1.0)
    assert not kept.look(0)["o"].violated
    assert kept.look(1)["o"].violated
    assert len([one for one in caplog.messages if "is violated" in one]) == 2


def test_gauges_say_how_it_stood_last(start: Start) -> None:
    telemetry = start(slo={"objectives": {"o": {**FAST, "target": 0.75}, "idle": {**FAST, "window": "2h"}}})
    handle = telemetry.histogram(CANDLE, symbol="A")
    captured = Captured(telemetry)
    assert captured.points("ticktrace.slo.compliance") == []
    for value in (0.01, 0.01, 0.01, 1.0):
        handle.record(value)
    telemetry.objectives.status()
    labels = {"ticktrace__slo__name": "o"}
    assert captured.value("ticktrace.slo.compliance", **labels) == 0.75
    assert captured.value("ticktrace.slo.target", **labels) == 0.75
    assert captured.value("ticktrace.slo.error_budget.remaining", **labels) == 0
    assert captured.value("ticktrace.slo.violated", **labels) == 0
    assert captured.value("ticktrace.slo.burn_rate", ticktrace__slo__window="1h", **labels) == 1


def test_an_idle_series_that_is_forgotten_still_counts(engine: str, start: Start) -> None:
    if engine == "sdk":
        pytest.skip("the SDK forgets nothing")
    kept = KeptObjectives(start, {"o": FAST}, **{"metrics.idle_series": 0.001})
    kept.record(0.01, 1.0, symbol="A")
    assert kept.look(1)["o"].total == 2
    registry: Any = kept.telemetry._pipeline.engine.meter_provider._registry  # type: ignore[union-attr]
    storage = next(iter(registry.storages.values()))
    del kept.telemetry._named  # it holds the handle, and so the series
    kept.telemetry._instruments._handles.clear()
    gc.collect()
    time.sleep(0.01)
    assert kept.telemetry.memory.metrics is not None
    assert kept.telemetry.memory.metrics is not None
    assert storage.counts().get(CANDLE, 0) == 0
    assert kept.look(1)["o"].total == 2


def test_when_telemetry_is_off_there_are_no_objectives(start: Start) -> None:
    telemetry = start(enabled=False, slo={"objectives": {"o": FAST}})
    assert telemetry.objectives.status() == {}


def test_after_the_shutdown_the_last_word_stands(start: Start) -> None:
    telemetry = start(slo={"objectives": {"o": FAST}})
    telemetry.histogram(CANDLE).record(0.01)
    telemetry.shutdown()
    assert telemetry.objectives.status()["o"].total == 1


def test_a_fault_in_one_objective_leaves_the_others(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptObjectives(start, {"broken": FAST, "sound": FAST})
    monkeypatch.setattr(kept.objectives._kept[0].tally, "update", lambda _read: 1 / 0)
    kept.record(0.01)
    assert set(kept.look(1)) == {"sound"}
    assert not kept.objectives.look()
