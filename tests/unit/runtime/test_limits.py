"""When a limit counts as exceeded, and when as kept again."""

from __future__ import annotations

import pytest

from ticktrace.runtime.limits import Watch


def test_once_beyond_for_long_enough_until_well_back() -> None:
    watch = Watch("threads", 100, observations=2)
    values = (99, 101, 100, 101, 102, 103, 99, None, 96, 95, 101, 101)
    changes = [watch.see(value) for value in values]
    assert changes == [
        "within",
        "within",  # one is not enough
        "within",  # at the limit is not beyond it
        "within",
        "crossed",
        "beyond",
        "beyond",  # not yet 5 % below
        "beyond",  # not known
        "beyond",
        "back",
        "within",
        "crossed",
    ]


def test_a_crossing_knows_when_it_is_over() -> None:
    watch = Watch("threads", 100, observations=1)
    watch.see(150)
    first = watch.crossing
    assert first is not None
    assert (first.limit, first.threshold, first.value, first.number, first.over) == (
        "threads",
        100,
        150,
        1,
        False,
    )
    watch.see(10)
    assert first.over
    watch.see(151)
    assert watch.crossing is not None
    assert watch.crossing.number == 2


@pytest.mark.parametrize("observations", [1, 3])
def test_what_is_not_known_is_not_beyond(observations: int) -> None:
    watch = Watch("threads", 100, observations)
    assert [watch.see(None) for _ in range(5)] == ["within"] * 5
