from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ticktrace.engine import Totals
from ticktrace.objectives import Troubles

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace import Telemetry

    Start = Callable[..., Telemetry]

EVERYTHING = [
    "slo_violated",
    "engine_error",
    "engine_silent",
    "drain_dead",
    "queue_backlog",
    "telemetry_lost",
    "gc_pause",
    "critical_error",
    "resource_limit",
]


class Looked:
    """The troubles of running telemetry, at times that the test sets."""

    def __init__(self, start: Start, **settings: Any) -> None:
        self.telemetry = start(notifications={"on": EVERYTHING, "urls": ["json://127.0.0.1:9"]}, **settings)
        self.now, self.wall = 0.0, 1_000.0
        self.lost: list[str] = []
        pipeline = self.telemetry._pipeline
        assert pipeline is not None
        self.engine: Any = pipeline.engine
        self.totals = Totals(pipeline.engine.meter_provider)
        self.troubles = Troubles(
            self.telemetry.settings.notifications,
            pipeline.engine,
            self.totals,
            self.telemetry.objectives,
            lambda: self.lost,
            now=lambda: self.now,
            wall=lambda: self.wall,
        )

    def find(self, after: float = 0.0) -> dict[str, str]:
        self.now += after
        self.wall += after
        self.totals.settle()
        return {alert.condition: alert.title for alert in self.troubles.find()}


@pytest.fixture
def looked(start: Start) -> Looked:
    return Looked(start)


def test_when_all_is_well_nothing_is_found(looked: Looked) -> None:
    assert looked.find() == {}


def test_a_violated_objective(start: Start) -> None:
    name = "trading.candle.processing.duration"
    looked = Looked(start, slo={"objectives": {"o": {"instrument": name, "threshold": 1}}})
    looked.telemetry.histogram(name).record(2)
    assert looked.find() == {}
    looked.telemetry.objectives.status()
    assert looked.find() == {"slo_violated": "Objective o is violated"}


def test_an_engine_in_a_state_of_error(looked: Looked) -> None:
    engine = looked.telemetry.trading.engine(states=["scanning", "ERROR"], initial="scanning")
    looked.wall = 0
    assert looked.find() == {}
    engine.transition("ERROR")
    assert looked.find() == {"engine_error": "The engine is in the state ERROR"}
    engine.transition("scanning")
    assert looked.find() == {}


def test_an_engine_without_a_heartbeat(looked: Looked) -> None:
    looked.telemetry.gauge("trading.engine.heartbeat.timestamp").set(1_000.0)
    assert looked.find(60) == {}
    assert looked.find(1) == {"engine_silent": "The engine is silent"}
    looked.telemetry.gauge("trading.engine.heartbeat.timestamp").set(1_061.0)
    assert looked.find() == {}


def test_losses_are_told_while_they_go_on(looked: Looked) -> None:
    looked.lost = ["1 span"]
    assert "telemetry_lost" in looked.find()
    assert "telemetry_lost" in looked.find(59)
    assert looked.find(1) == {}
    looked.lost = ["2 spans"]
    assert "telemetry_lost" in looked.find()


def test_critical_errors(looked: Looked) -> None:
    looked.telemetry.error("broken", component="execution", severity="error")
    assert looked.find() == {}
    looked.telemetry.error("broken", component="execution", severity="critical")
    assert looked.find() == {"critical_error": "Critical errors"}
    assert looked.find(60) == {}


def test_long_garbage_collections(looked: Looked) -> None:
    pauses = looked.telemetry.histogram("python.gc.pause.duration", **{"cpython.gc.generation": 2})
    pauses.record(0.01)
    assert looked.find() == {}
    pauses.record(0.02)
    assert "gc_pause" in looked.find()


def test_a_queue_that_fills_up(start: Start) -> None:
    looked = Looked(
        start,
        exporters={"traces": ["otlp"], "metrics": ["memory"]},
        otlp={"endpoint": "http://127.0.0.1:9", "timeout": 0.1},
        **{
            "traces.queue": {"max_queue_size": 10, "max_export_batch_size": 10, "schedule_delay": 3600},
            "shutdown.timeout": 0.5,
        },
    )
    (account,) = [one for one in looked.engine.deliveries if one.signal == "traces"]
    for _ in range(8):
        assert account.offer()
    assert looked.find() == {"queue_backlog": "The queue traces.otlp is filling up"}


def test_a_drain_that_hangs_or_is_gone(engine: str, looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    drain: Any = looked.engine._drain
    if engine == "sdk" and drain._thread is None:
        drain.start()
    assert looked.find() == {}
    entered, release = threading.Event(), threading.Event()

    class Hanging:
        def steps(self) -> Any:
            entered.set()
            release.wait(20)
            yield

    drain._sources.append(Hanging())
    drain.wake()
    assert entered.wait(10)
    monkeypatch.setattr("ticktrace.objectives._troubles._DRAIN_SECONDS", 0.1)
    deadline = time.monotonic() + 10
    while drain.silent_for <= 0.1 and time.monotonic() < deadline:
        time.sleep(0.01)
    found = {alert.condition for alert in looked.troubles.find()}
    release.set()
    assert found == {"drain_dead"}
    drain.stop(10)
    assert {alert.condition for alert in looked.troubles.find()} == set()


def test_a_fault_in_one_leaves_the_others(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looked.engine, "drain_silent_for", lambda: 1 / 0)
    looked.telemetry.error("broken", component="execution", severity="critical")
    assert "critical_error" in looked.find()
