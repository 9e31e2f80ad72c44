"""The last values of series: exactly the newest so many, in order, within bounds, whatever is recorded how."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticktrace.engine import Recent, internal_errors

SECOND = 1_000_000_000


class Watch:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = 1_000 * SECOND

    def __call__(self) -> int:
        return self.time


def kept(recent: Recent, instrument: str = "x") -> list[tuple[dict[str, Any], list[float]]]:
    return [(dict(one.attributes), one.values.tolist()) for one in recent.select(instrument)]


@given(
    most=st.integers(1, 12),
    runs=st.lists(
        st.one_of(st.integers(-5, 5), st.lists(st.integers(-5, 5), max_size=30)).map(
            lambda run: run if isinstance(run, list) else [run]
        ),
        max_size=12,
    ),
    arrays=st.booleans(),
)
def test_it_keeps_exactly_the_newest_with_their_times(most: int, runs: list[list[int]], arrays: bool) -> None:
    """However the values come: one by one, in runs longer than the ring, as lists or as arrays."""
    watch = Watch()
    recent = Recent(values=most, now=watch)
    everything: list[tuple[float, int]] = []
    for run in runs:
        watch.time += 1
        everything += [(float(value), watch.time) for value in run]
        if len(run) == 1 and not arrays:
            recent.add_one("x", {}, run[0])
        else:
            recent.add("x", {}, np.array(run, dtype=float) if arrays else run)
    found = recent.select("x")
    newest = everything[-most:]
    assert [pair for one in found for pair in zip(one.values, one.times, strict=True)] == newest
    assert sum(one.recorded for one in found) == len(everything)


def test_the_time_of_a_run_can_be_told() -> None:
    recent = Recent()
    recent.add("x", {}, [1.0, 2.0], 7)
    assert recent.select("x")[0].times.tolist() == [7, 7]


def test_series_are_told_apart_by_their_attributes_in_any_order() -> None:
    recent = Recent()
    recent.add("x", {"a": 1, "b": 2}, [1])
    recent.add("x", {"b": 2, "a": 1}, [2])
    recent.add("x", {"a": 1}, [3])
    recent.add("y", {"a": 1}, [4])
    assert kept(recent) == [({"a": 1, "b": 2}, [1, 2]), ({"a": 1}, [3])]
    assert recent.instruments() == ("x", "y")


def test_attributes_that_cannot_be_hashed_are_told_apart_too() -> None:
    recent = Recent()
    for number in (1, 2, 1):
        recent.add("x", {"nested": {"a": number}}, [number])
    assert kept(recent) == [({"nested": {"a": 1}}, [1, 1]), ({"nested": {"a": 2}}, [2])]


def test_beyond_the_bound_values_of_new_series_are_counted_and_not_kept() -> None:
    recent = Recent(series=2, now=Watch())
    for number in range(4):
        recent.add("x", {"n": number}, [1, 2, 3])
    recent.add_one("y", {}, 1)
    assert [attributes for attributes, _ in kept(recent)] == [{"n": 0}, {"n": 1}]
    assert recent.instruments() == ("x",)
    assert recent.refused == 7


def test_a_series_that_is_idle_makes_room_and_a_busy_one_does_not() -> None:
    watch = Watch()
    recent = Recent(series=2, idle_seconds=60, now=watch)
    recent.add("idle", {}, [1])
    recent.add("busy", {}, [1])
    watch.time += 61 * SECOND
    recent.add("busy", {}, [2])
    recent.add("new", {}, [1])
    recent.add("refused", {}, [1])
    assert recent.instruments() == ("busy", "new")
    assert recent.refused == 1


def test_who_is_turned_away_finds_room_later() -> None:
    watch = Watch()
    recent = Recent(series=1, idle_seconds=1, now=watch)
    recent.add("first", {}, [1])
    recent.add("second", {}, [1])
    watch.time += 2 * SECOND
    recent.add("second", {}, [2])
    assert (recent.instruments(), kept(recent, "second")) == (("second",), [({}, [2])])


def test_clearing_forgets_and_makes_room() -> None:
    recent = Recent(series=1, now=Watch())
    recent.add("x", {}, [1])
    recent.clear()
    recent.add("y", {}, [1])
    assert (kept(recent), kept(recent, "y")) == ([], [({}, [1])])


@pytest.mark.parametrize("value", [10**400, "text", None])
def test_a_value_that_is_no_double_is_reported_and_breaks_nothing(value: Any) -> None:
    recent = Recent(values=3)
    recent.add("x", {}, [1])
    before = internal_errors()
    recent.add("x", {}, [value])
    recent.add_one("x", {}, value)
    recent.add("x", {}, [2, 3, 4])
    assert internal_errors() == before + 2
    assert kept(recent) == [({}, [2, 3, 4])]


def test_threads_lose_nothing_and_mix_up_nothing() -> None:
    recent = Recent(values=40_000)
    started = threading.Barrier(4)

    def record(number: int) -> None:
        started.wait()
        for value in range(5_000):
            recent.add_one("x", {}, number * 10_000 + value)
            if value % 50 == 0:
                recent.add("x", {"thread": number}, [value] * 3)

    threads = [threading.Thread(target=record, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = next(found for attributes, found in kept(recent) if not attributes)
    assert len(values) == 20_000
    for number in range(4):
        assert [value for value in values if value // 10_000 == number] == [
            number * 10_000 + value for value in range(5_000)
        ]
