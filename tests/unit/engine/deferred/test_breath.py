"""A collection on a background thread lets go of the GIL in between."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from support.measured import Measured
from ticktrace.engine.deferred import breath


class Clock:
    """Each look at it takes 10 µs of its time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []
        monkeypatch.setattr(breath, "perf_counter", self.look)
        monkeypatch.setattr(breath, "sleep", self.pauses.append)

    def look(self) -> float:
        self.now += 0.00001
        return self.now


@pytest.mark.parametrize("kind", ["counter", "histogram", "gauge"])
def test_a_background_thread_pauses_after_each_slice(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Measured()
    instrument: Any = getattr(measured.meter, f"create_{kind}")("m")
    record = getattr(instrument, {"counter": "add", "histogram": "record", "gauge": "set"}[kind])
    for number in range(1000):
        record(1, {"n": str(number)})
    clock = Clock(monkeypatch)
    collecting = threading.Thread(target=measured.metrics)
    collecting.start()
    collecting.join()
    # Each series is looked at twice: when it is settled, and when it is made a point.
    assert len(clock.pauses) == pytest.approx(2000 / 40, abs=4)
    assert set(clock.pauses) == {0.00005}


def test_the_main_thread_does_not_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Measured()
    for number in range(1000):
        measured.meter.create_counter("m").add(1, {"n": str(number)})
    clock = Clock(monkeypatch)
    measured.metrics()
    assert clock.now > 1000.01
    assert clock.pauses == []
