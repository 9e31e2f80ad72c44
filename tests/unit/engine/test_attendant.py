"""Deadlines made of anything, and attendants that were dismissed."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest

from ticktrace.engine.attendant import Attendant, Deadline

HUGE = 10**310  # an integer beyond all floats


@pytest.mark.parametrize("seconds", [math.inf, 1e300, pytest.param(HUGE, id="huge"), threading.TIMEOUT_MAX])
def test_a_deadline_without_limit_can_be_waited_for(seconds: float) -> None:
    remaining = Deadline(seconds).remaining()
    assert remaining > 86_400
    ended = threading.Event()
    ended.set()
    assert ended.wait(remaining)
    assert threading.Lock().acquire(timeout=remaining)


@pytest.mark.parametrize("seconds", [-1, -math.inf, 0])
def test_a_deadline_in_the_past_has_passed(seconds: float) -> None:
    assert Deadline(seconds, default=9).remaining() == 0


class Unwilling:
    def __float__(self) -> float:
        raise RuntimeError


@pytest.mark.parametrize("seconds", [math.nan, None, "soon", b"", [], Unwilling()])
def test_a_deadline_of_no_number_is_the_default(seconds: Any) -> None:
    assert Deadline(seconds).remaining() == 0
    assert 8 < Deadline(seconds, default=9).remaining() <= 9


def test_a_dismissed_attendant_keeps_nobody_waiting() -> None:
    attendant = Attendant("test")
    release = threading.Event()
    attendant.insist(lambda: release.wait(10))  # as a last export that hangs
    attendant.dismiss()
    request = attendant.ask(lambda: True)
    assert request.wait(0)
    assert not request.succeeded
    release.set()
