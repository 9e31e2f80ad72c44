"""Buckets of tokens."""

from __future__ import annotations

import pytest

from ticktrace.web.api._rates import Rates


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_tokens_and_then_one_at_a_time() -> None:
    clock = Clock()
    rates = Rates(6, now=clock)
    assert [rates.take("a") for _ in range(6)] == [0.0] * 6
    assert rates.take("a") == pytest.approx(10.0)
    assert rates.take("b") == 0
    clock.now = 9.9
    assert rates.take("a") > 0
    clock.now = 10.1
    assert rates.take("a") == 0
    assert rates.take("a") > 0


def test_a_bucket_holds_a_minute_at_most() -> None:
    clock = Clock()
    rates = Rates(3, now=clock)
    rates.take("a")
    clock.now = 1e6
    assert [bool(rates.take("a")) for _ in range(4)] == [False, False, False, True]


def test_as_many_callers_as_like_take_bounded_room() -> None:
    rates = Rates(10)
    for number in range(10_000):
        rates.take(number)
    assert len(rates) <= 4_096
