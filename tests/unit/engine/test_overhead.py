from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from ticktrace.engine import overhead
from ticktrace.engine.overhead import Overhead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

from contextlib import contextmanager

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells about single threads")


@contextmanager
def busy(name: str) -> Iterator[threading.Thread]:
    ended = threading.Event()

    def burn() -> None:
        while not ended.is_set():
            sum(range(1_000))

    thread = threading.Thread(target=burn, name=name)
    thread.start()
    try:
        yield thread
    finally:
        ended.set()
        thread.join()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "_SHORTEST_SECONDS", 0.1)


def measured(during: AbstractContextManager[object], inline: float = 0.0) -> float:
    spent = iter((0.0, inline))
    watched = Overhead(lambda: next(spent), lambda: 0.0)
    with during:
        time.sleep(0.3)
        return watched.ratio()


@pytest.mark.parametrize("name", ["ticktrace-drain", "OtelBatchSpanRecordProcessor"])
def test_telemetrys_own_threads_count(name: str) -> None:
    assert measured(busy(name)) > 0.01  # a machine with other things to do


def test_the_applications_threads_do_not() -> None:
    assert measured(busy("trading")) < 0.01


def test_what_other_threads_did_for_telemetry_counts_too() -> None:
    assert measured(busy("trading"), inline=100.0) > 10


def test_between_two_looks_the_last_one_stands() -> None:
    watched = Overhead(lambda: 0.0, lambda: 0.0)
    with busy("ticktrace-test"):
        assert watched.ratio() == 0
        time.sleep(0.3)
        first = watched.ratio()
        assert first > 0
        assert watched.ratio() == first


def test_threads_that_have_ended_are_no_error() -> None:
    watched = Overhead(lambda: 0.0, lambda: 0.0)
    with busy("ticktrace-test") as thread:
        time.sleep(0.15)
        watched.ratio()
    deadline = time.monotonic() + 10  # the kernel may take a moment longer than join()
    while overhead._cpu_seconds(thread.native_id or 0) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert overhead._cpu_seconds(thread.native_id or 0) is None
    time.sleep(0.15)
    assert watched.ratio() >= 0


def test_where_the_system_does_not_tell_the_drain_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    spent = iter((0.0, 50.0))
    watched = Overhead(lambda: 0.0, lambda: next(spent))
    time.sleep(0.15)
    assert watched.ratio() > 1
