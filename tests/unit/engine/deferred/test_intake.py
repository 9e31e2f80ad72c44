"""The few bytecodes of the trading thread."""

from __future__ import annotations

import dis
import math
from types import FunctionType
from typing import Any

import pytest

from ticktrace.engine.deferred.chunk import ANY_SIGN, NOT_NEGATIVE
from ticktrace.engine.deferred.intake import FRESH, TURNS, bounded, last_value, total

# Where CPython hands the GIL over and runs signal handlers: whatever calls, and these.
TURNING_POINTS = ("CALL", "PRECALL", "RESUME", "JUMP_BACKWARD", "SEND", "YIELD", "FOR_ITER")


def cells(function: Any) -> list[tuple[str, Any]]:
    """What a function does with cells, and where it may be interrupted, in order."""
    return [
        (step.opname, step.argval)
        for step in dis.get_instructions(function)
        if step.opname in {"LOAD_DEREF", "STORE_DEREF"} or step.opname.startswith(TURNING_POINTS)
    ]


@pytest.mark.parametrize("lanes", [1, 2])
def test_nothing_can_come_between_reading_a_total_and_writing_it(lanes: int) -> None:
    add, takes = total(NOT_NEGATIVE, print, lanes)
    behind = [cell.cell_contents for cell in add.__closure__ or ()]
    functions = [add, *takes, *(found for found in behind if isinstance(found, FunctionType))]
    assert len(functions) == lanes + 2
    for function in functions:
        steps = cells(function)
        stores = [at for at, step in enumerate(steps) if step[0] == "STORE_DEREF"]
        assert stores
        for at in stores:
            assert steps[at - 1] == ("LOAD_DEREF", steps[at][1])


def test_python_has_a_gil_that_this_may_rest_on() -> None:
    """Without one, series keep their values in buffers: see `test_sums_are_exact_without_a_gil`."""
    assert TURNS


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 1, 1], 3),
        ([0], 0),
        ([0.0], 0.0),
        ([-0.0], 0.0),
        ([0.1, 0.2, 0.3], 0.1 + 0.2 + 0.3),
        ([1, 0.5, 2], 3.5),
        ([10**30, 1], 10**30 + 1),
    ],
)
def test_a_total_is_what_the_sdk_would_add_up(lanes: int, values: list[Any], expected: Any) -> None:
    rejected: list[Any] = []
    add, takes = total(NOT_NEGATIVE, rejected.append, lanes)
    assert len(takes) == lanes
    for value in values:
        add(value)
    for take in takes:
        taken = take()
        assert (repr(taken), type(taken)) == (repr(expected), type(expected))
        assert taken is not FRESH
        assert take() is FRESH
    assert rejected == []


def test_each_lane_is_taken_for_itself() -> None:
    add, (first, second) = total(NOT_NEGATIVE, print, 2)
    add(1)
    assert first() == 1
    add(2.5)
    assert first() == 2.5
    assert second() == 3.5


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize(
    "value", [-1, -0.5, math.nan, math.inf, -math.inf, 10**400, "1", None, True, 1j, b"1", [1]]
)
def test_whatever_is_not_a_plain_number_that_is_valid_is_handed_on(lanes: int, value: Any) -> None:
    handed: list[Any] = []
    add, takes = total(NOT_NEGATIVE, handed.append, lanes)
    add(value)
    assert handed == [value] or math.isnan(handed[0])
    assert [take() for take in takes] == [FRESH] * lanes


def test_an_up_down_counters_total_goes_both_ways() -> None:
    handed: list[Any] = []
    add, (take,) = total(ANY_SIGN, handed.append, 1)
    for value in (-1, 3, -0.5, -(10**20)):
        add(value)
    assert take() == -1 + 3 - 0.5 - 10**20
    add(-math.inf)
    assert handed == [-math.inf]


def test_the_last_value_is_kept_whatever_its_class() -> None:
    rejected: list[Any] = []
    set_, take = last_value(ANY_SIGN, rejected.append)
    assert take() is FRESH
    for number in (1, -2.5, False):
        set_(number)
    assert take() is False
    assert take() is FRESH
    for wrong in (math.nan, "x", None):
        set_(wrong)
    assert rejected[1:] == ["x", None]
    assert take() is FRESH


def test_a_buffer_trips_at_its_bound() -> None:
    buffer: list[Any] = []
    tripped: list[int] = []
    record = bounded(buffer, 3, lambda: tripped.append(len(buffer)))
    for value in range(4):
        record(value)
    assert buffer == [0, 1, 2, 3]
    assert tripped == [3, 4]
