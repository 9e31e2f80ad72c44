from __future__ import annotations

import threading

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from ticktrace.engine import Deadline, patience
from ticktrace.engine.patience import Patience, Stall


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(patience, "monotonic", lambda: now[0])
    return now


def test_live_nobody_waits() -> None:
    assert Stall(Patience()).remaining() == 0


def test_the_time_runs_from_the_first_who_waits_until_something_moves(clock: list[float]) -> None:
    stall = Stall(Patience(30))
    assert stall.remaining() == 30
    clock[0] += 20
    assert stall.remaining() == 10
    clock[0] += 20
    assert stall.remaining() == 0
    stall.over()
    assert stall.remaining() == 30


def test_what_has_failed_lately_is_waited_for_less_long(clock: list[float]) -> None:
    stall = Stall(Patience(30))
    assert stall.remaining(failing=True) == 1
    clock[0] += 2
    assert stall.remaining(failing=True) == 0
    assert stall.remaining() == 28


def test_something_may_be_worth_waiting_for_even_live() -> None:
    assert 0 < Stall(Patience(), 1.0).remaining() <= 1.0
    assert Stall(Patience(30), 1.0).remaining() > 1.0


def test_a_block_may_have_a_limit_of_its_own() -> None:
    own = Patience(30)
    stall = Stall(own)
    seen: list[float] = []
    with own.within(Deadline(2)):
        assert stall.remaining() <= 2
        thread = threading.Thread(target=lambda: seen.append(stall.remaining()))
        thread.start()
        thread.join()
        with own.within(Deadline(0)):
            assert stall.remaining() == 0
        assert stall.remaining() > 0
    assert stall.remaining() > 2
    assert seen[0] > 2  # it is this thread's alone


def test_at_the_end_nobody_waits_any_more() -> None:
    own = Patience(30)
    stall = Stall(own)
    assert stall.remaining() > 0
    own.end(Deadline(0))
    assert stall.remaining() == 0


def test_a_thread_that_exports_waits_for_nothing() -> None:
    stall = Stall(Patience(30))
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        assert stall.remaining() == 0
    finally:
        detach(token)
    assert stall.remaining() > 0
