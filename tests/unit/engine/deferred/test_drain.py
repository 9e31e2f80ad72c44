from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ticktrace.engine.deferred.drain import Drain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


class Counting:
    """A source with so many pieces of work."""

    def __init__(self, pieces: int = 0) -> None:
        self.pending = pieces
        self.done = 0
        self.threads: set[str] = set()
        self.changed = threading.Condition()

    def steps(self) -> Iterator[None]:
        while self.pending:
            with self.changed:
                self.pending -= 1
                self.done += 1
                self.threads.add(threading.current_thread().name)
                self.changed.notify_all()
            yield

    def wait_for(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.done >= count, 10)


def test_what_is_pending_is_drained_in_the_background() -> None:
    source = Counting(5)
    drain = Drain([source], period=0.01)
    drain.start()
    drain.start()
    assert source.wait_for(5)
    source.pending = 3
    assert source.wait_for(8)
    assert source.threads == {"ticktrace-drain"}
    assert drain.stop(5)


def test_waking_does_not_wait_for_the_period() -> None:
    source = Counting()
    drain = Drain([source], period=60)
    drain.start()
    source.pending = 1
    drain.wake()
    assert source.wait_for(1)
    assert drain.stop(5)


def test_draining_now_happens_on_the_callers_thread() -> None:
    source = Counting(4)
    Drain([source]).drain_now()
    assert source.done == 4
    assert source.threads == {threading.current_thread().name}


def test_who_drains_now_finds_nothing_half_done() -> None:
    """A pass of the thread that is under way has taken things that nobody else can see."""
    entered, release, order = threading.Event(), threading.Event(), []

    class Slow:
        def __init__(self) -> None:
            self.pending = True

        def steps(self) -> Iterator[None]:
            if self.pending:
                self.pending = False
                entered.set()
                release.wait(10)
                order.append("delivered")
            yield

    drain = Drain([Slow()], period=0.01)
    drain.start()
    assert entered.wait(10)
    assert drain.drain_now(0.01) is False
    threading.Timer(0.05, release.set).start()
    assert drain.drain_now()
    order.append("seen")
    assert order == ["delivered", "seen"]
    drain.stop(5)


def test_a_source_that_raises_does_not_end_the_drain(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def steps(self) -> Iterator[None]:
            yield
            raise RuntimeError("bug")

    source = Counting(1)
    drain = Drain([Broken(), source], period=0.01)
    drain.start()
    assert source.wait_for(1)
    source.pending = 1
    assert source.wait_for(2)
    assert drain.stop(5)


def test_stopping_has_a_deadline() -> None:
    release = threading.Event()
    entered = threading.Event()

    class Stuck:
        def steps(self) -> Iterator[None]:
            entered.set()
            release.wait(30)
            yield

    drain = Drain([Stuck()], period=0.01)
    drain.start()
    assert entered.wait(10)
    began = time.monotonic()
    assert drain.stop(0.05) is False
    assert time.monotonic() - began < 5
    release.set()


def test_it_never_starts_after_it_was_stopped() -> None:
    drain = Drain([Counting(1)])
    assert drain.stop(1)
    drain.start()
    assert "ticktrace-drain" not in {thread.name for thread in threading.enumerate()}
