from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from ticktrace.engine.drain import Drain
from ticktrace.engine.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


@pytest.mark.parametrize("raised", [RuntimeError("bug"), SystemExit(1), KeyboardInterrupt()])
def test_a_source_that_raises_does_not_end_the_drain(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def steps(self) -> Iterator[None]:
            yield
            raise raised

    source = Counting(1)
    drain = Drain([Broken(), source], period=0.01)
    drain.start()
    assert source.wait_for(1)
    source.pending = 1
    assert source.wait_for(2)
    assert drain.stop(5)


def test_who_drains_now_and_is_to_end_does_end() -> None:
    class Interrupted:
        def steps(self) -> Iterator[None]:
            yield
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Drain([Interrupted()]).drain_now()


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
    others = set(threading.enumerate())  # a drain of another test may still be ending
    drain = Drain([Counting(1)])
    assert drain.stop(1)
    drain.start()
    assert "ticktrace-drain" not in {thread.name for thread in set(threading.enumerate()) - others}


# Passes that end before the work does.


def test_a_pass_that_runs_out_of_time_is_gone_on_with_by_the_next() -> None:
    """Here a source that would lose what its iterator holds."""
    done: list[int] = []

    class Holding:
        def __init__(self) -> None:
            self.waiting = list(range(10))

        def steps(self) -> Iterator[None]:
            taken, self.waiting = self.waiting, []
            for item in taken:
                done.append(item)
                yield

    drain = Drain([Holding()])
    assert drain.drain_now(0) is False
    assert done == [0]
    assert drain.drain_now() is True
    assert done == list(range(10))


def test_stopping_ends_a_pass_between_two_pieces_and_loses_nothing() -> None:
    source = Counting(10**9)
    drain = Drain([source], period=0.001)
    drain.start()
    assert source.wait_for(1)
    assert drain.stop(10)
    before = source.done
    source.pending = 3
    assert drain.drain_now()
    assert source.done == before + 3


def test_only_the_sources_asked_for_are_drained() -> None:
    wanted, other = Counting(2), Counting(2)
    assert Drain([other, wanted]).drain_now(5, [wanted])
    assert (wanted.done, other.done) == (2, 0)


def test_it_says_how_long_its_passes_took_and_what_they_cost() -> None:
    told: list[float] = []
    drain = Drain([Counting(5)])
    drain.on_pass = told.append
    drain.drain_now()
    assert len(told) == 1
    assert told[0] > 0
    assert drain.cpu_seconds == drain.inline_cpu_seconds > 0


# Making room.


class Room(Counting):
    """A source whose work, done, leaves room for as many."""

    def __init__(self, pieces: int, limit: int) -> None:
        super().__init__(pieces)
        self.limit = limit

    def free(self) -> bool:
        return self.pending < self.limit


def test_where_nobody_has_patience_no_room_is_made() -> None:
    source = Room(5, limit=5)
    drain = Drain([source])
    assert drain.make_room(source, source.free) is False
    assert source.done == 0


def test_who_has_patience_makes_room_for_himself() -> None:
    source = Room(5, limit=5)
    drain = Drain([source], patience=Patience(30))
    assert drain.make_room(source, source.free) is True
    assert source.threads == {threading.current_thread().name}


def blocked(patience: Patience) -> tuple[Drain, Room, threading.Event]:
    """A drain whose thread is at a source and cannot get on until the event."""
    release, entered = threading.Event(), threading.Event()

    class Blocking(Room):
        def steps(self) -> Iterator[None]:
            if self.pending:
                entered.set()
                release.wait(30)
            yield from super().steps()

    source = Blocking(5, limit=5)
    drain = Drain([source], period=0.001, patience=patience)
    drain.start()
    assert entered.wait(10)
    return drain, source, release


def test_while_another_thread_is_at_it_its_room_is_awaited() -> None:
    drain, source, release = blocked(Patience(30))
    threading.Timer(0.05, release.set).start()
    assert drain.make_room(source, source.free) is True
    drain.stop(5)


def test_patience_with_one_that_gets_nowhere_ends_once_and_for_all_of_them() -> None:
    drain, source, release = blocked(Patience(0.2))
    began = time.monotonic()
    assert drain.make_room(source, source.free) is False
    assert time.monotonic() - began >= 0.2
    asked = time.monotonic()
    for _ in range(100):
        assert drain.make_room(source, source.free) is False
    assert time.monotonic() - asked < 10  # not 20 s
    release.set()
    assert source.wait_for(5)
    assert drain.make_room(source, source.free) is True
    drain.stop(5)


def test_a_thread_within_a_pass_does_not_wait_for_itself() -> None:
    """As a span processor that ends spans, or flushes, while it is handed some."""
    answers: list[bool] = []
    drain: Drain

    class Nested(Room):
        def steps(self) -> Iterator[None]:
            answers.append(drain.make_room(self, self.free))
            answers.append(drain.drain_now(5, []))
            yield from super().steps()

    source = Nested(5, limit=5)
    drain = Drain([source], patience=Patience(30))
    assert drain.drain_now()
    assert answers == [False, True]


def test_a_source_may_have_room_made_in_another_without_patience() -> None:
    """The drain itself fills the buffer that it drains next: nothing would be gained by losing something."""
    second = Room(5, limit=5)
    drain: Drain

    class First:
        def steps(self) -> Iterator[None]:
            for _ in range(20):
                assert drain.make_room(second, second.free)
                second.pending += 1
                yield

    drain = Drain([First(), second])
    assert drain.drain_now()
    assert second.done == 25


def test_several_threads_make_room_without_getting_in_each_others_way() -> None:
    source = Room(0, limit=8)
    drain = Drain([source], period=0.001, patience=Patience(30))
    drain.start()
    made: list[bool] = []

    def produce() -> None:
        for _ in range(200):
            made.append(drain.make_room(source, source.free))
            with source.changed:
                source.pending += 1

    threads = [threading.Thread(target=produce) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    assert made == [True] * 800
    assert drain.drain_now()
    assert source.done == 800
    assert drain.stop(5)


# Forks.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("how", ["wake", "start"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # CPython 3.12 warns of what is tested
def test_a_forked_child_has_no_thread_until_it_asks_and_no_lock_of_its_parents(how: str) -> None:
    drain, source, release = blocked(Patience(0))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            release.set()
            assert "ticktrace-drain" not in {thread.name for thread in threading.enumerate()}
            assert drain.drain_now(5)
            source.pending, source.done = 2, 0
            ask: Callable[[], None] = getattr(drain, how)
            ask()
            code = 0 if source.wait_for(2) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    release.set()
    assert source.wait_for(5)  # the parent's goes on
    assert drain.stop(5)
