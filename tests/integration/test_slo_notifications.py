"""A bot whose objective is violated and met again: somebody is told twice, by a real service on 127.0.0.1."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.captured import Captured
from support.http_sink import HttpSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

    Start = Callable[..., Telemetry]

CANDLE = "trading.candle.processing.duration"
SECRET = "T0P5ecretT0ken"  # noqa: S105  planted
OBJECTIVE = {"instrument": CANDLE, "threshold": "5ms", "target": 0.9, "window": "1h"}


def begin(start: Start, sink: HttpSink, **notifications: Any) -> Telemetry:
    return start(
        slo={"objectives": {"candles": OBJECTIVE}, "interval": "20ms"},
        notifications={"urls": [f"json://bot:{SECRET}@127.0.0.1:{sink.port}/{SECRET}"], **notifications},
    )


def several_looks(telemetry: Telemetry) -> None:
    """Wait until the thread has looked a few times more: each look leaves a judgement of its own."""
    for _ in range(5):
        before = telemetry.objectives.last().get("candles")
        deadline = time.monotonic() + 20
        while telemetry.objectives.last().get("candles") is before and time.monotonic() < deadline:
            time.sleep(0.005)


def test_one_violation_and_one_recovery(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with HttpSink() as sink:
        telemetry = begin(start, sink)
        candles = telemetry.histogram(CANDLE, symbol="BTC/USDT")
        candles.record(0.015)  # the seeds' example: 15 ms where 5 are allowed
        sink.wait_for(lambda: len(sink.requests) == 1)
        for _ in range(3):
            candles.record(0.015)
            several_looks(telemetry)
        for _ in range(100):
            candles.record(0.001)
        sink.wait_for(lambda: len(sink.requests) == 2)
        several_looks(telemetry)
        telemetry.shutdown()
    violated, recovered = sink.bodies
    assert (violated["title"], violated["type"]) == ("[test-bot] Objective candles is violated", "warning")
    assert violated["message"].startswith("0 % of 1 events were good in the last 1h, wanted: 90 %")
    assert (recovered["title"], recovered["type"]) == (
        "[test-bot] Over: Objective candles is violated",
        "success",
    )
    assert len([line for line in caplog.messages if "is violated" in line]) == 1
    assert len([line for line in caplog.messages if "is met again" in line]) == 1
    assert SECRET not in caplog.text
    counted = [
        (point.attributes, point.value) for point in Captured(telemetry).points("ticktrace.notifications")
    ]
    labels = {"ticktrace.notification.channel": "json-1", "ticktrace.notification.result": "sent"}
    assert counted == [(labels, 2)]
    assert (
        SECRET
        not in f"{telemetry.memory.metrics}{telemetry.memory.logs}{telemetry.memory.spans}{telemetry.loaded}"
    )


def test_a_violation_right_before_the_end_is_still_told(start: Start) -> None:
    with HttpSink() as sink:
        telemetry = start(
            slo={"objectives": {"candles": OBJECTIVE}, "interval": "1h"},
            notifications={"urls": [f"json://127.0.0.1:{sink.port}/"]},
        )
        telemetry.histogram(CANDLE).record(1.0)
        assert telemetry.shutdown()
    assert [body["title"] for body in sink.bodies] == ["[test-bot] Objective candles is violated"]


def test_a_service_that_hangs_does_not_hold_up_the_end(start: Start) -> None:
    hold = threading.Event()
    with HttpSink(hold=hold) as sink:
        telemetry = begin(start, sink)
        telemetry.histogram(CANDLE).record(1.0)
        sink.wait_for(lambda: bool(sink.requests))
        began = time.monotonic()
        telemetry.shutdown(1.0)
        assert time.monotonic() - began < 10


def test_an_engine_in_trouble(start: Start) -> None:
    with HttpSink() as sink:
        telemetry = begin(start, sink, on=["engine_error"])
        engine = telemetry.trading.engine(states=["scanning", "error"], initial="scanning")
        engine.transition("error")
        sink.wait_for(lambda: len(sink.requests) == 1)
        telemetry.histogram(CANDLE).record(1.0)  # not asked for
        engine.transition("scanning")
        sink.wait_for(lambda: len(sink.requests) == 2)
        telemetry.notifications.alarm("resource_limit", "nor is this")
        several_looks(telemetry)
        telemetry.shutdown()
    assert [body["title"] for body in sink.bodies] == [
        "[test-bot] The engine is in the state error",
        "[test-bot] Over: The engine is in the state error",
    ]


def test_the_dead_mans_switch_follows_the_engines_heartbeat(start: Start) -> None:
    with HttpSink() as sink:
        telemetry = start(
            notifications={
                "dead_man": {
                    "url": f"http://127.0.0.1:{sink.port}/ping",
                    "interval": 0.02,
                    "stale_after": 1.0,
                }
            }
        )
        time.sleep(0.2)
        assert sink.requests == []  # no engine has started
        engine = telemetry.trading.engine(states=["scanning"], initial="scanning")
        sink.wait_for(lambda: len(sink.requests) >= 3)
        assert {request.method for request in sink.requests} == {"GET"}
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 2.5:  # the engine hangs; telemetry does not
            time.sleep(0.05)
        silent = len(sink.requests)
        time.sleep(0.3)
        assert len(sink.requests) == silent
        engine.heartbeat()
        sink.wait_for(lambda: len(sink.requests) > silent)
        telemetry.shutdown()
        ended = len(sink.requests)
        time.sleep(0.2)
        assert len(sink.requests) <= ended + 1  # one may have been under way


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_tells_its_own_and_the_parent_its_own(start: Start) -> None:
    with HttpSink() as sink:
        telemetry = begin(start, sink)
        parent = telemetry.histogram(CANDLE, symbol="A")
        parent.record(1.0)
        sink.wait_for(lambda: len(sink.requests) == 1)
        child = os.fork()
        if child == 0:
            try:
                status = telemetry.objectives.status()["candles"]
                code = 0 if status.total == 0 and not status.violated else 1
                telemetry.histogram(CANDLE, symbol="A").record(1.0)
                telemetry.shutdown()
                os._exit(code)
            except BaseException:  # noqa: BLE001  a child of a test must not go on as a test
                sys.stderr.write("the child failed\n")
                os._exit(2)
        _, ended = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(ended) == 0
        sink.wait_for(lambda: len(sink.requests) == 2)
        assert telemetry.objectives.status()["candles"].total == 1
        telemetry.shutdown()
    assert [body["title"] for body in sink.bodies] == ["[test-bot] Objective candles is violated"] * 2
